package dev.ckpt.internal.mend;

import dev.ckpt.Retention;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.config.BestBy;
import dev.ckpt.manifest.AttemptRecord;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What counts as best in a run.
 *
 * @param policy keeps it
 * @param needed metrics without which nobody can tell; a run that has none of one loses nothing
 * @param untold why nobody can tell at all, if so
 */
public record Best(Retention policy, Set<String> needed, Optional<String> untold) {

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
      if (BestBy.isSaidBy(attempt.provenance())) {
        return BestBy.of(attempt.provenance())
            .map(all -> recorded(all, own))
            .orElseGet(() -> untold(run.keys().run(), "neither its config nor its record tells"));
      }
    }
    return untold(run.keys().run(), "no attempt recorded");
  }

  private static Best recorded(List<BestBy> all, Retention own) {
    Retention its = Retention.anyOf(all.stream().map(BestBy::policy).toArray(Retention[]::new));
    return new Best(Retention.anyOf(its, own), its.metrics(), Optional.empty());
  }

  private static Best untold(String run, String who) {
    return new Best(
        Set::copyOf,
        Set.of(),
        Optional.of(
            "run '" + run + "' keeps all its checkpoints: " + who + " what its best ones are"));
  }
}
