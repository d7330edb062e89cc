package dev.ckpt.manager;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Progress;
import dev.ckpt.SaveHandle;
import dev.ckpt.spi.CheckpointStore;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

/** One process that trains, and writes down what it is told. */
final class ToyTraining implements AutoCloseable {
  static final String RUN = "toy";
  private static final AtomicInteger PROCESSES = new AtomicInteger();
  private static final ToyState START = ToyState.random(41, 3, 1_500);

  private final CrashRun run;
  private final int process = PROCESSES.incrementAndGet();
  private final CheckpointManager ckpt;
  final ToyState state = START.copy();

  private ToyTraining(
      CheckpointStore store, CrashRun run, UnaryOperator<CheckpointManagerBuilder> how) {
    this.run = run;
    this.ckpt =
        how.apply(
                CheckpointManager.in(store)
                    .run(RUN)
                    .format(run.medium().format())
                    .part(RUN, state)
                    .retries(0)
                    .deadline(run.deadline())
                    .stagingBudget(16 << 20))
            .open();
  }

  /** Opens and resumes. */
  static ToyTraining start(
      CheckpointStore store, CrashRun run, UnaryOperator<CheckpointManagerBuilder> how) {
    ToyTraining training = new ToyTraining(store, run, how);
    boolean resumed = false;
    try {
      Optional<?> restored = training.ckpt.resume();
      run.ledger().resumed(restored.map(from -> training.state), training.ckpt.attempt());
      resumed = true;
      return training;
    } finally {
      if (!resumed) {
        training.close();
      }
    }
  }

  /** Trains on by a step, and begins to save. */
  SaveHandle begin() {
    state.advance(1);
    state.salt(process * 1_000 + state.counter);
    run.ledger().begun(state);
    return ckpt.save(Progress.step(state.counter), Map.of());
  }

  /** Trains on by a step, saves, and waits for the answer. */
  void save() {
    SaveHandle handle = begin();
    try {
      handle.join();
      run.ledger().committed(state);
    } catch (CheckpointException.SaveFailed e) {
      run.ledger().failed(state);
      bear(e);
    } catch (CheckpointException.CommitUnknown e) {
      bear(e);
    }
  }

  private void bear(CheckpointException failure) {
    if (!run.trainsOn()) {
      throw failure;
    }
  }

  void complete() {
    ckpt.complete(Map.of("steps", state.counter));
  }

  @Override
  public void close() {
    ckpt.close();
  }
}
