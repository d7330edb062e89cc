package dev.ckpt.cli;

import dev.ckpt.Attempt;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A value of a process's configuration and where it came from. Its attempt record holds it as the
 * fact {@code config.<key>}, written {@code value (origin)}.
 */
record Origin(String value, String from) {
  private static final String PREFIX = "config.";
  private static final Pattern FORM = Pattern.compile("(.*) \\(([^()]*)\\)", Pattern.DOTALL);

  /** Whether a fact is one of the configuration. */
  static boolean isConfig(String fact) {
    return fact.startsWith(PREFIX);
  }

  /** By key, without the prefix. */
  static TreeMap<String, Origin> config(Optional<Attempt> attempt) {
    TreeMap<String, Origin> all = new TreeMap<>();
    attempt.ifPresent(
        of ->
            of.provenance()
                .forEach(
                    (name, text) -> {
                      if (isConfig(name)) {
                        all.put(name.substring(PREFIX.length()), parse(text));
                      }
                    }));
    return all;
  }

  static Origin parse(String text) {
    Matcher both = FORM.matcher(text);
    return both.matches() ? new Origin(both.group(1), both.group(2)) : new Origin(text, "");
  }
}
