package dev.ckpt.testkit;

import java.util.regex.Pattern;

/** Patterns of paths and keys. */
final class Globs {

  private Globs() {}

  /** {@code *} is anything within a name, {@code **} anything at all. */
  static Pattern pattern(String glob) {
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < glob.length(); i++) {
      if (glob.startsWith("**", i)) {
        regex.append(".*");
        i++;
      } else if (glob.charAt(i) == '*') {
        regex.append("[^/]*");
      } else {
        regex.append(Pattern.quote(glob.substring(i, i + 1)));
      }
    }
    return Pattern.compile(regex.toString());
  }
}
