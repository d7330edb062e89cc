package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import java.io.IOException;
import java.util.NavigableSet;
import java.util.Optional;

/**
 * An id of which nobody can tell whether it was committed: who is not told where to begin goes back
 * before none.
 *
 * @param why it is untold, and what to do
 */
public record Untold(CheckpointId id, String why) {

  /**
   * What lies on branches that were left is nobody's who starts; but where records are missing that
   * say what the newest attempts began with, or what they committed, something may be lost.
   */
  static Optional<Untold> newest(
      Evidence evidence, Lineage lineage, NavigableSet<CheckpointId> ids, RunLog run)
      throws IOException {
    int head = lineage.head().orElse(0);
    for (CheckpointId id : evidence.untold().descendingKeySet()) {
      boolean begun = lineage.resumes().containsKey(id.attempt());
      if (begun ? id.attempt() >= lineage.lastNever() : id.attempt() > head) {
        return Optional.of(
            new Untold(
                id,
                "run '"
                    + run.keys().run()
                    + "' lacks records: "
                    + evidence.untold().get(id)
                    + ", and "
                    + run.keys().data(id)
                    + " is there. Was the run copied in part? Nothing was changed. To go on, bring its"
                    + " records back; or let `ckpt repair` commit again what has its votes and is whole"
                    + Candidates.newestCommit(ids, run)
                        .map(
                            newest ->
                                "; or resume from a checkpoint by its id, the newest is " + newest)
                        .orElse("")
                    + "; to start over in the same run, resume with 'never'"));
      }
    }
    return Optional.empty();
  }

  /**
   * Fails if it is newer than that one.
   *
   * @param taken empty if nothing is there to be taken
   * @throws CheckpointException.Corrupt saying what to do
   */
  void requireNotAbove(Optional<CheckpointId> taken) {
    if (taken.isEmpty() || id.compareTo(taken.get()) > 0) {
      throw new CheckpointException.Corrupt(why);
    }
  }
}
