package dev.ckpt;

/** Where a tensor lives when several workers train together. With one worker all are alike. */
public sealed interface Placement {

  /** Each worker holds the same bytes; they are stored once. */
  record Replicated() implements Placement {}

  /** Each worker has its own: optimizer slots, BatchNorm statistics, RNG. The default. */
  record PerWorker() implements Placement {}

  /**
   * This worker holds a part of a larger tensor.
   *
   * @param global shape of the whole
   * @param start index of this part's first element in each dimension, as many as {@code global}
   *     has
   */
  record Slice(Shape global, Shape start) implements Placement {
    public Slice {
      if (global.rank() != start.rank()) {
        throw new IllegalArgumentException("slice start " + start + " in a tensor of " + global);
      }
    }
  }

  /** Each worker has its own. */
  Placement PER_WORKER = new PerWorker();

  /** All workers hold the same bytes. */
  Placement REPLICATED = new Replicated();
}
