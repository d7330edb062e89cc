package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Retention;
import dev.ckpt.manifest.CheckpointId;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What an argument ID may be: an id, {@code latest}, {@code best(metric)}, {@code best}. */
final class Reference {
  private static final Pattern BEST =
      Pattern.compile("best\\(\\s*([^,\\s](?:[^,]*[^,\\s])?)\\s*(?:,\\s*(min|max)\\s*)?\\)");

  private Reference() {}

  /**
   * The id that is meant.
   *
   * @throws CheckpointException.NotFound if the run has none such
   */
  static String resolve(String run, Checkpoints checkpoints, String text) {
    if (text.equals("latest")) {
      return checkpoints
          .latest()
          .map(Checkpoint::id)
          .orElseThrow(
              () -> new CheckpointException.NotFound("run '" + run + "' has no checkpoint"));
    }
    Matcher best = BEST.matcher(text);
    if (best.matches()) {
      Retention.Mode mode = "min".equals(best.group(2)) ? Retention.Mode.MIN : Retention.Mode.MAX;
      Optional<Checkpoint> found = checkpoints.best(best.group(1), mode);
      return found
          .map(Checkpoint::id)
          .orElseThrow(() -> noMetric(run, best.group(1), checkpoints.list()));
    }
    if (CheckpointId.parse(text).isPresent()) {
      return text;
    }
    try {
      return checkpoints.find(text).id();
    } catch (IllegalArgumentException e) {
      throw new Problem(Exit.USAGE, String.valueOf(e.getMessage()));
    }
  }

  /** For who asks for a metric that no checkpoint has. */
  static CheckpointException noMetric(String where, String metric, List<Checkpoint> among) {
    List<String> known =
        among.stream()
            .flatMap(each -> each.metrics().keySet().stream())
            .distinct()
            .sorted()
            .toList();
    return new CheckpointException.NotFound(
        "no finite checkpoint of '"
            + where
            + "' has a number for the metric '"
            + metric
            + "'"
            + (known.isEmpty()
                ? "; there are no metrics"
                : "; known: " + String.join(", ", known)));
  }
}
