package dev.ckpt.internal.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;

/** Finds what a mistyped word was meant to be. */
final class Suggestion {

  private Suggestion() {}

  /** The nearest of the allowed words, if it is near enough to be meant. */
  static Optional<String> nearest(String word, Collection<String> allowed) {
    String lower = word.toLowerCase(Locale.ROOT);
    int near = Math.max(1, word.length() / 3);
    return allowed.stream()
        .filter(candidate -> distance(lower, candidate.toLowerCase(Locale.ROOT)) <= near)
        .min(Comparator.comparingInt(c -> distance(lower, c.toLowerCase(Locale.ROOT))));
  }

  /** Levenshtein's. */
  private static int distance(String a, String b) {
    if (Math.abs(a.length() - b.length()) > 20) {
      return Integer.MAX_VALUE;
    }
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
