package dev.ckpt;

/**
 * Where a training stands.
 *
 * @param step optimizer updates done since the start
 * @param epoch epochs completed, so also the 0-based index of the running epoch
 * @param batch batches of the running epoch that the loop has consumed
 * @param samples samples consumed since the start
 * @param phase which of two states at the same step this is
 */
public record Progress(long step, int epoch, long batch, long samples, Phase phase) {

  /** Tells apart states that differ at the same step. The order is the order in time. */
  public enum Phase {
    /** After an update, or before the first. */
    AFTER_STEP,
    /** After an epoch's validation and its listeners. */
    AFTER_EPOCH
  }

  public Progress {
    if (step < 0 || epoch < 0 || batch < 0 || samples < 0) {
      throw new IllegalArgumentException(
          "negative progress: step " + step + ", epoch " + epoch + ", batch " + batch);
    }
  }

  /** The very beginning. */
  public static final Progress START = new Progress(0, 0, 0, 0, Phase.AFTER_STEP);

  /** Progress of something that only counts steps. */
  public static Progress step(long step) {
    return new Progress(step, 0, 0, 0, Phase.AFTER_STEP);
  }
}
