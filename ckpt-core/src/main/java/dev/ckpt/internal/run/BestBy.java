package dev.ckpt.internal.run;

import dev.ckpt.Retention;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** By which metric a run calls a checkpoint its best, as an attempt's provenance says. */
public record BestBy(String metric, Retention.Mode mode, int n) {

  private static final Pattern METRIC =
      Pattern.compile("config\\.(keep\\.best(\\[[0-9]+])?)\\.metric");
  private static final Pattern VALUE = Pattern.compile("(.+) \\(.+\\)");

  /** Whether a provenance says what its process keeps; a maintenance's does not. */
  public static boolean isSaidBy(Map<String, String> provenance) {
    return provenance.keySet().stream().anyMatch(key -> key.startsWith("config.keep"));
  }

  /**
   * All that its config names, in its order.
   *
   * @return empty if nobody can tell: a program, not a config, says it, or it is cut short
   */
  public static Optional<List<BestBy>> of(Map<String, String> provenance) {
    if (!isSaidBy(provenance) || provenance.containsKey("config.keep")) {
      return Optional.empty();
    }
    List<BestBy> all = new ArrayList<>();
    for (String key : provenance.keySet()) {
      Matcher metric = METRIC.matcher(key);
      if (metric.matches()) {
        String best = "config." + metric.group(1);
        try {
          all.add(
              new BestBy(
                  value(provenance, key),
                  Retention.Mode.valueOf(
                      value(provenance, best + ".mode").toUpperCase(Locale.ROOT)),
                  provenance.containsKey(best + ".n")
                      ? Integer.parseInt(value(provenance, best + ".n"))
                      : 1));
        } catch (IllegalArgumentException e) {
          return Optional.empty();
        }
      }
    }
    return Optional.of(List.copyOf(all));
  }

  /** Without the place that it comes from. */
  private static String value(Map<String, String> said, String key) {
    Matcher value = VALUE.matcher(said.getOrDefault(key, ""));
    if (!value.matches()) {
      throw new IllegalArgumentException(key);
    }
    return value.group(1);
  }
}
