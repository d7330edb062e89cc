package dev.ckpt.internal.mend;

import dev.ckpt.MaintenanceAction;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.manifest.CheckpointId;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** One thing that a repair means to do. {@link Repair} does it. */
sealed interface Mending {

  /** What it is, for people. */
  MaintenanceAction action();

  /**
   * Write a record again whose bytes are proven. The damaged object is copied aside before it is
   * deleted, so that a repair that is cut short between the two finds the proof again.
   *
   * @param id the checkpoint that it is about, if any
   */
  record Restore(MaintenanceAction action, Optional<CheckpointId> id, String key, byte[] bytes)
      implements Mending {}

  /**
   * Write the decision of a lost id again, as its votes make it, unless it has one by now.
   *
   * @param aside files to copy aside before: of what will be withdrawn, and would look like a
   *     left-over to whoever finishes a repair that was cut short behind this
   */
  record CommitAgain(
      MaintenanceAction action,
      CheckpointId id,
      byte[] bytes,
      Map<CheckpointId, List<String>> aside)
      implements Mending {

    /** As this, but that these files are copied before. */
    CommitAgain behind(Map<CheckpointId, List<String>> copies) {
      return new CommitAgain(action, id, bytes, copies);
    }
  }

  /** Move a record aside that nothing needs. */
  record SetAside(MaintenanceAction action, Optional<CheckpointId> id, String key)
      implements Mending {}

  /**
   * Move all of an id aside, and win ABORT for it.
   *
   * @param files shards and votes to copy
   * @param shared those of them that stay all the same, because another checkpoint names them
   */
  record Withdraw(MaintenanceAction action, CheckpointId id, List<String> files, Set<String> shared)
      implements Mending {}

  /** Remove what a repair that was cut short copied aside, of what was restored since. */
  record Forget(MaintenanceAction action, List<String> copies) implements Mending {}

  /** What every clean-up does, or a word to a person. */
  record Clean(Step step) implements Mending {
    @Override
    public MaintenanceAction action() {
      return step.action();
    }
  }
}
