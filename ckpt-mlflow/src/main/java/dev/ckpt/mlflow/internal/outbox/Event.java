package dev.ckpt.mlflow.internal.outbox;

import dev.ckpt.Checkpoint;
import dev.ckpt.Progress;
import dev.ckpt.spi.SaveCost;
import java.time.Instant;
import java.util.Optional;

/**
 * Something of a run that is to be published. Times are those of the event, so that a replay
 * repeats them.
 */
public sealed interface Event {

  /** When it happened, by the clock of the training's process. */
  Instant at();

  /** A manager has the run; what is committed may have changed unseen. */
  record Opened(Instant at) implements Event {}

  /** A checkpoint was committed. */
  record Committed(Checkpoint checkpoint, Optional<SaveCost> cost) implements Event {
    @Override
    public Instant at() {
      return checkpoint.committedAt();
    }
  }

  /** A save failed. */
  record Failed(Instant at, String id, Progress progress, String reason) implements Event {}

  /** Retention deleted a checkpoint. */
  record Deleted(Instant at, String id) implements Event {}

  /** The manager let go of the run. */
  record Closed(Instant at) implements Event {}
}
