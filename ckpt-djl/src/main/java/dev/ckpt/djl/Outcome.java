package dev.ckpt.djl;

import ai.djl.training.Trainer;
import dev.ckpt.CheckpointManager;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How a training ends, or has ended: at its goal, early, by what it threw, with its trainer; and
 * whether it can go on from there. On the training thread.
 */
final class Outcome {
  private static final Logger log = LoggerFactory.getLogger(Outcome.class);

  static final String OPEN_AGAIN =
      " open the run again (DjlCheckpoints.in or open) and build the trainer anew";

  private final CheckpointManager manager;
  private final Position position;
  private final BestWeights best;
  private final Supplier<Trainer> trainer;

  private boolean trained;
  private @Nullable Throwable failure;
  private boolean recorded;
  private boolean detached;

  /** By an early stop that is no listener's: the goal stays open. */
  private boolean endedShort;

  Outcome(
      CheckpointManager manager, Position position, BestWeights best, Supplier<Trainer> trainer) {
    this.manager = manager;
    this.position = position;
    this.best = best;
    this.trainer = trainer;
  }

  /** A batch is trained: the loop got over what was before. */
  void trainsOn() {
    trained = true;
    failure = null;
    endedShort = false;
  }

  /** Batches were trained that only the listener heard; of what threw between them nobody told. */
  void heardTraining() {
    trained = true;
  }

  /** Whether this process has trained anything. */
  boolean trained() {
    return trained;
  }

  /** Whether the run was complete when it was opened, and nothing has been trained since. */
  boolean completedBefore() {
    return !trained && manager.completed().isPresent();
  }

  void failed(Throwable thrown) {
    failure = thrown;
  }

  /** What failed has changed nothing. */
  void recovered() {
    failure = null;
  }

  @Nullable Throwable failure() {
    return failure;
  }

  /**
   * It was stopped before its goal.
   *
   * @param by the listeners that did; empty: somebody else, who leaves the goal open
   */
  void stopped(List<String> by) {
    if (by.isEmpty()) {
      endedShort = true;
    } else {
      stopsEarly(by);
    }
  }

  void stopsEarly(List<String> by) {
    boolean djls = by.equals(EarlyStop.BY_DJL);
    if (djls) {
      EarlyStop.rememberMetric(trainer.get());
    }
    position.stopsEarly(by, djls ? EarlyStop.limits(trainer.get()) : List.of());
  }

  /** Before its goal, by a listener or without one. */
  boolean endedEarly() {
    return position.stoppedEarly() || endedShort;
  }

  /** Whether the training had ended early, and whoever ends it so is still there. */
  boolean stoppedEarly() {
    return position.stoppedEarly()
        && EarlyStop.areThere(position.stoppedBy(), trainer.get())
        && loosened().isEmpty();
  }

  /** Whoever ended it is still there, but would not have by these of its limits. */
  List<String> loosened() {
    return position.stoppedEarly()
        ? EarlyStop.loosened(position.stoppedWith(), trainer.get())
        : List.of();
  }

  /** Records that the goal is reached, if all that belongs to it is saved. */
  boolean record(Map<String, Long> reached) {
    recorded = manager.complete(reached);
    if (!recorded && detached) {
      log.warn(
          "complete() was called after the trainer had been closed, when its state could no longer"
              + " be saved: call it before");
    }
    return recorded;
  }

  boolean isRecorded() {
    return recorded;
  }

  /** The arrays are about to be closed. */
  void detached() {
    detached = true;
  }

  boolean isDetached() {
    return detached;
  }

  boolean isTrainable() {
    return !detached && !best.areHeld() && !recorded;
  }

  /** What is trained is saved, and recorded as what it is. */
  void requireTrainable() {
    if (detached) {
      throw new IllegalStateException(
          "These checkpoints are closed, or their trainer is: nothing would be saved. To train on,"
              + OPEN_AGAIN);
    }
    best.requireNotHeld();
    if (recorded) {
      throw new IllegalStateException(
          "Run '"
              + manager.run()
              + "' is recorded as complete at step "
              + position.progress().step()
              + ", and this process as ended well. To train on to a larger goal,"
              + OPEN_AGAIN);
    }
  }

  /** The state is that of a boundary, as far as anybody told. */
  void requireWhole() {
    Throwable thrown = failure;
    if (thrown != null) {
      throw new IllegalStateException(
          "The training threw (" + thrown + "), maybe inside a step. To go on," + OPEN_AGAIN,
          thrown);
    }
  }
}
