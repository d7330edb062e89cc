package dev.ckpt.internal.mend;

import dev.ckpt.Retention;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.AttemptRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What counts as best in a run.
 *
 * @param policy keeps it
 * @param needed metrics without which nobody can tell; a run that has none of one loses nothing
 * @param untold why nobody can tell at all, if so
 */
public record Best(Retention policy, Set<String> needed, Optional<String> untold) {

  private static final Pattern METRIC =
      Pattern.compile("config\\.(keep\\.best(\\[[0-9]+])?)\\.metric");
  private static final Pattern VALUE = Pattern.compile("(.+) \\(.+\\)");

  /** Knows what is best. */
  @FunctionalInterface
  public interface Of {
    /** What is best in that run. */
    Best run(RunLog run) throws IOException;
  }

  /** What a person asked for. */
  public static Best asked(Retention policy) {
    return new Best(policy, policy.metrics(), Optional.empty());
  }

  /** What a manager keeps in its own run; a metric may be there at the end of an epoch only. */
  public static Best own(Retention policy) {
    return new Best(policy, Set.of(), Optional.empty());
  }

  /** What another run's newest process said that it keeps, and what this one keeps besides. */
  static Best recorded(RunLog run, Retention own) throws IOException {
    for (AttemptRecord attempt : run.lineage().attempts().descendingMap().values()) {
      Map<String, String> said = attempt.provenance();
      // a maintenance attempt says nothing of it
      if (said.keySet().stream().anyMatch(key -> key.startsWith("config.keep"))) {
        return recorded(run.keys().run(), said, own);
      }
    }
    return untold(run.keys().run(), "no attempt recorded");
  }

  private static Best recorded(String run, Map<String, String> said, Retention own) {
    if (said.containsKey("config.keep")) {
      return untold(run, "its program, not a config, says");
    }
    List<Retention> policies = new ArrayList<>();
    for (String key : said.keySet()) {
      Matcher metric = METRIC.matcher(key);
      if (metric.matches()) {
        String best = "config." + metric.group(1);
        try {
          policies.add(
              Retention.best(
                  value(said, key),
                  Retention.Mode.valueOf(value(said, best + ".mode").toUpperCase(Locale.ROOT)),
                  said.containsKey(best + ".n") ? Integer.parseInt(value(said, best + ".n")) : 1));
        } catch (IllegalArgumentException e) {
          return untold(run, "its attempt's record does not tell");
        }
      }
    }
    Retention its = Retention.anyOf(policies.toArray(Retention[]::new));
    return new Best(Retention.anyOf(its, own), its.metrics(), Optional.empty());
  }

  /** Without the place that it comes from. */
  private static String value(Map<String, String> said, String key) {
    Matcher value = VALUE.matcher(said.getOrDefault(key, ""));
    if (!value.matches()) {
      throw new IllegalArgumentException(key);
    }
    return value.group(1);
  }

  private static Best untold(String run, String who) {
    return new Best(
        Set::copyOf,
        Set.of(),
        Optional.of(
            "run '" + run + "' keeps all its checkpoints: " + who + " what its best ones are"));
  }
}
