package dev.ckpt.samples;

import java.util.ArrayList;
import java.util.List;

/** What differs between two texts, as {@code diff -U1} shows it, without its numbers. */
record LineDiff(List<String> lines, int changed) {

  /** One line of either text: {@code ' '} in both, {@code '-'} before, {@code '+'} after. */
  private record Line(char kind, String text) {}

  static LineDiff of(List<String> before, List<String> after) {
    List<Line> all = align(before, after);
    List<String> shown = new ArrayList<>();
    int changed = 0;
    int added = 0;
    int removed = 0;
    int last = -1;
    for (int i = 0; i < all.size(); i++) {
      char kind = all.get(i).kind();
      added += kind == '+' ? 1 : 0;
      removed += kind == '-' ? 1 : 0;
      if (kind == ' ') {
        changed += Math.max(added, removed);
        added = 0;
        removed = 0;
      }
      boolean beside =
          kind != ' '
              || (i > 0 && all.get(i - 1).kind() != ' ')
              || (i + 1 < all.size() && all.get(i + 1).kind() != ' ');
      if (beside) {
        if (last != i - 1) {
          shown.add("@@");
        }
        shown.add(kind + all.get(i).text());
        last = i;
      }
    }
    return new LineDiff(shown, changed + Math.max(added, removed));
  }

  /** By the longest common subsequence. */
  private static List<Line> align(List<String> before, List<String> after) {
    int[][] common = new int[before.size() + 1][after.size() + 1];
    for (int i = before.size() - 1; i >= 0; i--) {
      for (int j = after.size() - 1; j >= 0; j--) {
        common[i][j] =
            before.get(i).equals(after.get(j))
                ? common[i + 1][j + 1] + 1
                : Math.max(common[i + 1][j], common[i][j + 1]);
      }
    }
    List<Line> all = new ArrayList<>();
    int i = 0;
    int j = 0;
    while (i < before.size() || j < after.size()) {
      if (i < before.size() && j < after.size() && before.get(i).equals(after.get(j))) {
        all.add(new Line(' ', before.get(i++)));
        j++;
      } else if (i < before.size() && (j == after.size() || common[i + 1][j] >= common[i][j + 1])) {
        all.add(new Line('-', before.get(i++)));
      } else {
        all.add(new Line('+', after.get(j++)));
      }
    }
    return all;
  }
}
