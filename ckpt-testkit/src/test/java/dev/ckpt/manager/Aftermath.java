package dev.ckpt.manager;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Verification;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Duration;

/** What must hold on whatever a crash, or a bad day, left behind. */
final class Aftermath {
  private static final Duration PATIENCE = Duration.ofSeconds(60);
  private static final Duration LATER = Duration.ofHours(1);

  private Aftermath() {}

  /**
   * All that is shown verifies; a start comes back to what was promised; a save then works, and
   * comes back. An hour has passed, so that the clean-up of earlier attempts is in it.
   */
  static void check(CrashMedium medium, CrashLedger ledger) throws IOException {
    CrashRun next = new CrashRun(medium, ledger.copy(), false, PATIENCE);
    medium.later(LATER);
    everythingShownVerifies(medium);
    try (ToyTraining training = next.start()) {
      training.save();
    }
    everythingShownVerifies(medium);
    next.start().close();
    medium.assertNothingIsOpen();
  }

  private static void everythingShownVerifies(CrashMedium medium) throws IOException {
    CheckpointStore store = medium.open();
    try (Checkpoints all = Checkpoints.read(store, ToyTraining.RUN)) {
      for (Checkpoint each : all.list()) {
        Verification found = all.verify(each.id());
        if (!found.ok()) {
          throw new AssertionError(
              each.id() + " is shown and does not verify: " + found.problems());
        }
      }
      // nothing that a crash leaves may be taken for a commit that lost its manifest
      for (ListedCheckpoint each : all.all()) {
        if (each.standing() == ListedCheckpoint.Standing.DAMAGED) {
          throw new AssertionError(each.id() + " is called damaged: " + each.reason());
        }
      }
    }
  }
}
