package dev.ckpt.djl;

import ai.djl.training.dataset.Batch;

/** An epoch of which nobody but the listener hears. */
final class HeardEpoch {
  private final UpdateWatch watch;
  private long updatesBefore;
  private long batches;
  private long samples;

  /** More batches of its data follow the last one. */
  private boolean more;

  HeardEpoch(UpdateWatch watch) {
    this.watch = watch;
  }

  /** What the optimizer does from here on is its own. */
  void begins() {
    updatesBefore = watch.updates();
    batches = 0;
    samples = 0;
    more = false;
  }

  /** One was trained. */
  void batch(Batch batch) {
    batches++;
    samples += batch.getSize();
    more = batch.getProgressTotal() > 0 && !isLast(batch);
  }

  /** Whether there is more to hear of it than updates. */
  boolean tellsOfBatches() {
    return batches > 0;
  }

  /** Nothing was trained. A loop without {@code EasyTrain.trainBatch} tells of no batch. */
  boolean isEmpty() {
    return batches == 0 && watch.updates() == updatesBefore;
  }

  /**
   * Whether it is over for a training that is stopped now.
   *
   * @param told whether its listeners are being told so
   * @param atCut whether its last batch brought an update
   */
  boolean isWhole(boolean told, boolean atCut) {
    return !isEmpty() && (told || batches > 0 && atCut && !more);
  }

  /** It is over. */
  void count(Position position) {
    countBegun(position);
    position.epochDone();
  }

  /** The training ends inside it. An update is a batch where nobody told of any. */
  void countBegun(Position position) {
    position.batchesDone(batches == 0 ? watch.updates() - updatesBefore : batches, samples);
    begins();
  }

  /** The last one of its data, if they say how many there are. */
  static boolean isLast(Batch batch) {
    return batch.getProgressTotal() > 0
        && batch.getProgressTotal() - batch.getProgress() < batch.getSize();
  }
}
