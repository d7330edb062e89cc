package dev.ckpt;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Finds the names that a pattern was meant to match. */
final class NearNames {
  private static final int MOST = 3;

  private NearNames() {}

  /** What may have been meant, best first; if nothing is near enough, none. */
  static List<String> of(String pattern, Collection<String> names) {
    int near = Math.max(1, pattern.replace("*", "").length() / 3);
    return names.stream()
        .filter(name -> edits(pattern, name) <= near)
        .sorted(Comparator.comparingInt(name -> edits(pattern, name)))
        .limit(MOST)
        .toList();
  }

  /**
   * Letters to add, drop or replace until the pattern matches; case does not count, and {@code *}
   * stands for any characters.
   */
  private static int edits(String pattern, String name) {
    String from = pattern.toLowerCase(Locale.ROOT);
    String to = name.toLowerCase(Locale.ROOT);
    int[] costs = new int[to.length() + 1];
    for (int j = 1; j <= to.length(); j++) {
      costs[j] = j;
    }
    for (char letter : from.toCharArray()) {
      int[] before = costs.clone();
      boolean any = letter == '*';
      costs[0] = before[0] + (any ? 0 : 1);
      for (int j = 1; j <= to.length(); j++) {
        costs[j] =
            any
                ? Math.min(before[j], costs[j - 1])
                : Math.min(
                    before[j - 1] + (letter == to.charAt(j - 1) ? 0 : 1),
                    1 + Math.min(before[j], costs[j - 1]));
      }
    }
    return costs[to.length()];
  }
}
