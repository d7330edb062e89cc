package dev.ckpt.internal.mend;

import dev.ckpt.Retention;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.config.BestBy;
import dev.ckpt.manifest.AttemptRecord;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

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

  /** What a person asked for, and what the run's newest process said that it keeps. */
  public static Best asked(RunLog run, Retention policy) throws IOException {
    List<BestBy> its = said(run).flatMap(Function.identity()).orElse(List.of());
    Retention both = Retention.anyOf(policy, policy(its));
    return new Best(both, both.metrics(), Optional.empty());
  }

  /** What a manager keeps in its own run; a metric may be there at the end of an epoch only. */
  public static Best own(Retention policy) {
    return new Best(policy, Set.of(), Optional.empty());
  }

  /** What another run's newest process said that it keeps, and what this one keeps besides. */
  public static Best recorded(RunLog run, Retention own) throws IOException {
    Optional<Optional<List<BestBy>>> said = said(run);
    if (said.isEmpty()) {
      return untold(run.keys().run(), "no attempt recorded");
    }
    if (said.get().isEmpty()) {
      return untold(run.keys().run(), "neither its config nor its record tells");
    }
    Retention its = policy(said.get().get());
    return new Best(Retention.anyOf(its, own), its.metrics(), Optional.empty());
  }

  /** What the newest attempt that says what it keeps calls best; empty inside if that is cut. */
  private static Optional<Optional<List<BestBy>>> said(RunLog run) throws IOException {
    return run.lineage().attempts().descendingMap().values().stream()
        .map(AttemptRecord::provenance)
        .filter(BestBy::isSaidBy)
        .findFirst()
        .map(BestBy::of);
  }

  private static Retention policy(List<BestBy> all) {
    return Retention.anyOf(all.stream().map(BestBy::policy).toArray(Retention[]::new));
  }

  private static Best untold(String run, String who) {
    return new Best(
        Set::copyOf,
        Set.of(),
        Optional.of(
            "run '" + run + "' keeps all its checkpoints: " + who + " what its best ones are"));
  }
}
