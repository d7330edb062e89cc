package dev.ckpt.djl;

import ai.djl.training.dataset.Batch;

/** An epoch of which nobody but the listener hears. */
final class HeardEpoch {
  private long batches;
  private long samples;

  /** More batches of its data follow the last one. */
  private boolean more;

  /** One was trained. */
  void batch(Batch batch) {
    batches++;
    samples += batch.getSize();
    more = batch.getProgressTotal() > 0 && !isLast(batch);
  }

  boolean isEmpty() {
    return batches == 0;
  }

  /**
   * Whether it is over for a training that is stopped now.
   *
   * @param told whether its listeners are being told so
   * @param atCut whether its last batch brought an update
   */
  boolean isWhole(boolean told, boolean atCut) {
    return !isEmpty() && (told || atCut && !more);
  }

  /** It is over. */
  void count(Position position) {
    position.batchesDone(batches, samples);
    position.epochDone();
    batches = 0;
    samples = 0;
  }

  /** The last one of its data, if they say how many there are. */
  static boolean isLast(Batch batch) {
    return batch.getProgressTotal() > 0
        && batch.getProgressTotal() - batch.getProgress() < batch.getSize();
  }
}
