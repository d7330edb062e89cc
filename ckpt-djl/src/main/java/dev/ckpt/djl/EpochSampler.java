package dev.ckpt.djl;

import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.IntSupplier;
import java.util.function.IntToLongFunction;

/**
 * Batches in an order that is a pure function of seed and epoch, so that an epoch can be entered at
 * any batch at once.
 */
final class EpochSampler implements Sampler {
  private final int batchSize;
  private final boolean shuffle;
  private final boolean dropLast;
  private final IntToLongFunction orderKey;
  private final IntSupplier epoch;

  /**
   * @param orderKey from epoch to the key of its order
   * @param epoch the epoch that an iteration begun now belongs to
   */
  EpochSampler(
      int batchSize,
      boolean shuffle,
      boolean dropLast,
      IntToLongFunction orderKey,
      IntSupplier epoch) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("a batch needs at least 1 sample, not " + batchSize);
    }
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.orderKey = orderKey;
    this.epoch = epoch;
  }

  @Override
  public int getBatchSize() {
    return batchSize;
  }

  @Override
  public Iterator<List<Long>> sample(RandomAccessDataset dataset) {
    return sample(dataset, 0);
  }

  /** From batch {@code first} of the epoch on. */
  Iterator<List<Long>> sample(RandomAccessDataset dataset, long first) {
    long size = dataset.size();
    long batches = dropLast ? size / batchSize : (size + batchSize - 1) / batchSize;
    Permutation order = new Permutation(size, orderKey.applyAsLong(epoch.getAsInt()));
    return new Iterator<>() {
      private long next = first;

      @Override
      public boolean hasNext() {
        return next < batches;
      }

      @Override
      public List<Long> next() {
        if (!hasNext()) {
          throw new NoSuchElementException();
        }
        long from = next++ * batchSize;
        long to = Math.min(size, from + batchSize);
        List<Long> indices = new ArrayList<>((int) (to - from));
        for (long place = from; place < to; place++) {
          indices.add(shuffle ? order.at(place) : place);
        }
        return indices;
      }
    };
  }
}
