package dev.ckpt.internal.config;

import dev.ckpt.Retention;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * By which metric a run calls a checkpoint its best, as its config or an attempt's provenance says.
 *
 * @param n how many of them it keeps
 */
public record BestBy(String metric, Retention.Mode mode, int n) {

  private static final String RESTORED = "config.restoreBest";
  private static final Pattern TEXT =
      Pattern.compile("([^,\\s](?:[^,]*[^,\\s])?)\\s*(?:,\\s*(min|max))?");

  private static final Pattern METRIC =
      Pattern.compile("config\\.(keep\\.best(\\[[0-9]+])?)\\.metric");
  private static final Pattern VALUE = Pattern.compile("(.+) \\(.+\\)");

  /**
   * Reads {@code restoreBest}: a metric, and behind a comma {@code min} or {@code max}. Without
   * that, the mode is what {@code keep.best} says of the metric, and {@code min} for a loss.
   *
   * @throws IllegalArgumentException saying what is wrong
   */
  public static BestBy parse(String text, List<BestBy> kept) {
    Matcher matcher = TEXT.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "must be a metric, or a metric, a comma and min or max, not '" + text + "'");
    }
    String metric = matcher.group(1);
    if (matcher.group(2) != null) {
      return new BestBy(
          metric, Retention.Mode.valueOf(matcher.group(2).toUpperCase(Locale.ROOT)), 1);
    }
    Optional<BestBy> known = kept.stream().filter(by -> by.metric().equals(metric)).findFirst();
    if (known.isPresent()) {
      return new BestBy(metric, known.get().mode(), 1);
    }
    if (metric.toLowerCase(Locale.ROOT).endsWith("loss")) {
      return new BestBy(metric, Retention.Mode.MIN, 1);
    }
    throw new IllegalArgumentException(
        "does not say which end of '"
            + metric
            + "' is the good one: write '"
            + metric
            + ", max' or '"
            + metric
            + ", min'");
  }

  /** As {@link #parse} reads it. */
  public String text() {
    return metric + ", " + mode.name().toLowerCase(Locale.ROOT);
  }

  /** Keeps it. */
  public Retention policy() {
    return Retention.best(metric, mode, n);
  }

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
    if (provenance.containsKey(RESTORED)) {
      try {
        all.add(parse(value(provenance, RESTORED), List.copyOf(all)));
      } catch (IllegalArgumentException e) {
        return Optional.empty();
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
