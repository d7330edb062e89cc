package dev.ckpt.dl4j;

import java.util.Arrays;
import java.util.List;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.DataSetPreProcessor;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Batches of a data set in memory, in an order that is a function of a key: it can begin anywhere.
 */
final class ShuffledBatches implements DataSetIterator {
  private static final long serialVersionUID = 1L;

  /** Elements by which the data are known again: one process reads them once. */
  private static final int LOOKED_AT = 1024;

  private final transient DataSet all;
  private final int batchSize;
  private final boolean shuffle;
  private final boolean dropLast;
  private transient long orderKey;
  private transient long batch;
  private transient Permutation order;
  private transient @Nullable DataSetPreProcessor preProcessor;
  private transient @Nullable String fingerprint;

  ShuffledBatches(DataSet all, int batchSize, boolean shuffle, boolean dropLast) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("batchSize: " + batchSize);
    }
    if (dropLast && all.numExamples() < batchSize) {
      throw new IllegalArgumentException(
          all.numExamples()
              + " samples make no full batch of "
              + batchSize
              + ", and dropLast leaves out what is not full: nothing would be trained");
    }
    this.all = all;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.dropLast = dropLast;
    this.order = new Permutation(all.numExamples(), 0);
  }

  /** Samples in memory, also those that dropLast leaves out. */
  int size() {
    return all.numExamples();
  }

  /** By which the samples and their places are known again. */
  String fingerprint() {
    String known = fingerprint;
    if (known == null) {
      known =
          Fingerprint.of(
              Arrays.asList(
                  all.getFeatures(),
                  all.getLabels(),
                  all.getFeaturesMaskArray(),
                  all.getLabelsMaskArray()),
              LOOKED_AT);
      fingerprint = known;
    }
    return known;
  }

  boolean isShuffled() {
    return shuffle;
  }

  void seek(long key, long toBatch) {
    if (key != orderKey) {
      order = new Permutation(all.numExamples(), key);
    }
    orderKey = key;
    batch = toBatch;
  }

  @Override
  public boolean hasNext() {
    long left = all.numExamples() - batch * batchSize;
    return dropLast ? left >= batchSize : left > 0;
  }

  @Override
  public DataSet next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    int from = Math.toIntExact(batch * batchSize);
    int[] rows = new int[Math.min(batchSize, all.numExamples() - from)];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = shuffle ? Math.toIntExact(order.at(from + i)) : from + i;
    }
    batch++;
    DataSet picked =
        new DataSet(
            pick(all.getFeatures(), rows),
            pick(all.getLabels(), rows),
            pick(all.getFeaturesMaskArray(), rows),
            pick(all.getLabelsMaskArray(), rows));
    if (preProcessor != null) {
      preProcessor.preProcess(picked);
    }
    return picked;
  }

  private static @Nullable INDArray pick(@Nullable INDArray from, int[] rows) {
    if (from == null) {
      return null;
    }
    INDArray flat = from.reshape('c', from.size(0), from.length() / from.size(0));
    long[] shape = from.shape().clone();
    shape[0] = rows.length;
    return Nd4j.pullRows(flat, 1, rows, 'c').reshape('c', shape);
  }

  @Override
  public void reset() {
    batch = 0;
  }

  @Override
  public boolean resetSupported() {
    return true;
  }

  @Override
  public boolean asyncSupported() {
    return true;
  }

  @Override
  public DataSet next(int num) {
    throw new UnsupportedOperationException("all batches are of " + batchSize);
  }

  @Override
  public int inputColumns() {
    return all.numInputs();
  }

  @Override
  public int totalOutcomes() {
    return all.numOutcomes();
  }

  @Override
  public int batch() {
    return batchSize;
  }

  @Override
  public void setPreProcessor(DataSetPreProcessor users) {
    preProcessor = users;
  }

  @Override
  @SuppressWarnings("NullAway") // as DL4J's own do
  public DataSetPreProcessor getPreProcessor() {
    return preProcessor;
  }

  @Override
  public List<String> getLabels() {
    List<String> names = all.getLabelNamesList();
    return names == null ? List.of() : List.copyOf(names);
  }

  @Override
  public String toString() {
    return "batches of " + batchSize + " of " + Arrays.toString(all.getFeatures().shape());
  }
}
