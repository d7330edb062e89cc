package dev.ckpt.spi;

import dev.ckpt.Checkpoint;
import java.util.List;

/**
 * Told of checkpoints after the fact. Called on one daemon thread of the manager's, in order; what
 * it throws is logged and harms nothing; training and saves never wait for it.
 */
public interface CheckpointListener {

  /**
   * Called once at open with all committed checkpoints of the run, oldest first, so that nothing is
   * lost by a crash between a commit and its event.
   */
  default void reconcile(List<Checkpoint> committed) {}

  /** A checkpoint has been committed. */
  default void committed(Checkpoint checkpoint) {}

  /** Retention has deleted a checkpoint. */
  default void deleted(Checkpoint checkpoint) {}
}
