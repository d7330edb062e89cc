package dev.ckpt.spi;

import dev.ckpt.Checkpoint;
import java.util.List;

/**
 * Understands {@code resume:} references of one scheme, such as {@code mlflow:m-123}. Found by
 * {@link java.util.ServiceLoader}.
 */
public interface CheckpointResolver {

  /** The part before the colon. */
  String scheme();

  /**
   * The id of the checkpoint that the reference means. May block; called before training starts.
   *
   * @param reference everything, scheme included
   * @param committed all committed checkpoints of the run, oldest first
   * @throws dev.ckpt.CheckpointException.NotFound if it means none of them
   */
  String resolve(String reference, List<Checkpoint> committed);
}
