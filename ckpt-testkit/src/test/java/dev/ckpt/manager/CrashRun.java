package dev.ckpt.manager;

import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Duration;
import java.util.function.UnaryOperator;

/**
 * Where a scenario runs.
 *
 * @param ledger what the training was told
 * @param trainsOn whether a save that fails is borne; a process that dies has no choice
 * @param deadline of each save
 */
record CrashRun(CrashMedium medium, CrashLedger ledger, boolean trainsOn, Duration deadline) {

  CrashRun(CrashMedium medium) {
    this(medium, new CrashLedger(), false, Duration.ofSeconds(60));
  }

  /** The same with a medium of its own, on which a process may die. */
  CrashRun copy() throws IOException {
    return on(medium.copy());
  }

  CrashRun on(CrashMedium other) {
    CrashLedger copy = ledger.copy();
    copy.diesWith(other::isStopped);
    return new CrashRun(other, copy, trainsOn, deadline);
  }

  /** The same for a training that lives with what the medium does. */
  CrashRun trainsOn(Duration longest) {
    return new CrashRun(medium, ledger, true, longest);
  }

  ToyTraining start() throws IOException {
    return start(medium.open(), how -> how);
  }

  ToyTraining start(UnaryOperator<CheckpointManagerBuilder> how) throws IOException {
    return start(medium.open(), how);
  }

  ToyTraining start(CheckpointStore store, UnaryOperator<CheckpointManagerBuilder> how) {
    return ToyTraining.start(store, this, how);
  }
}
