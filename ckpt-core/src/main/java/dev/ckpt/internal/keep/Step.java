package dev.ckpt.internal.keep;

import dev.ckpt.MaintenanceAction;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import java.util.List;
import java.util.Set;

/** One thing that a clean-up means to do. Planned without a change; {@link Cleaner} does it. */
public sealed interface Step {

  /** What it is, for people. */
  MaintenanceAction action();

  /** Win ABORT for an undecided id, then remove its files. */
  record GiveUp(MaintenanceAction action, CheckpointId id, List<String> files) implements Step {}

  /** Remove the files of an id that is given up. */
  record Discard(MaintenanceAction action, CheckpointId id, List<String> files) implements Step {}

  /** Go on with a deletion that was cut short: the pins once more, the manifest, the files. */
  record Finish(MaintenanceAction action, CheckpointId id, List<String> files) implements Step {}

  /** Remove a mark that hides nothing any more, or came second to a pin. */
  record Unmark(MaintenanceAction action, CheckpointId id) implements Step {}

  /** Delete a committed checkpoint, and of its shards those that are not {@code needed}. */
  record Delete(MaintenanceAction action, Manifest.Commit commit, Set<String> needed)
      implements Step {}

  /** Remove files that no decision names. */
  record Remove(MaintenanceAction action, List<String> keys) implements Step {}

  /** Do nothing but say so. */
  record Leave(MaintenanceAction action) implements Step {}
}
