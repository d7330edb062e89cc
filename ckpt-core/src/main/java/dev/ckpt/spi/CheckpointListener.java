package dev.ckpt.spi;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
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

  /** The same, with what this process knows of its cost; calls {@link #committed(Checkpoint)}. */
  default void committed(Checkpoint checkpoint, SaveCost cost) {
    committed(checkpoint);
  }

  /**
   * A save has failed, or was given up; training goes on. The id may be committed all the same
   * later: by another try, or by a writer that was given up in the commit itself.
   */
  default void failed(String id, Progress progress, CheckpointException failure) {}

  /** Retention has deleted a checkpoint. */
  default void deleted(Checkpoint checkpoint) {}

  /**
   * The manager is being closed and tells nothing any more; how the attempt ended is recorded. May
   * take a moment: {@code close()} waits for it, at most for its deadline. Not called if the
   * process ends without {@code close()}.
   */
  default void closed() {}
}
