package dev.ckpt.dl4j;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;

/**
 * The user's iterator, of whichever kind.
 *
 * @param <T> what it gives
 */
interface Source<T> {

  boolean hasNext();

  T next();

  void reset();

  boolean resetSupported();

  /** Whether it may be asked from another thread. */
  boolean asyncSupported();

  long samples(T batch);

  /** What is in it, by which it is known again. */
  List<@Nullable INDArray> arrays(T batch);

  /** Samples of a full batch; 0 if it does not say. */
  int batchSize();

  /** Samples of all batches together; 0 if that is not known before they are read. */
  default long size() {
    return 0;
  }

  /** What else is known of them before they are read, by name; compared on a resume. */
  default Map<String, String> facts() {
    return Map.of();
  }

  /** Its class, for messages. */
  String name();

  /**
   * Goes to a place without reading what lies before.
   *
   * @return false if it cannot: then it is reset and read
   */
  default boolean seek(long orderKey, long batch) {
    return false;
  }

  static Source<DataSet> of(DataSetIterator users) {
    Callers.refuseLoader(users);
    return new Source<>() {
      @Override
      public boolean hasNext() {
        return users.hasNext();
      }

      @Override
      public DataSet next() {
        return users.next();
      }

      @Override
      public void reset() {
        users.reset();
      }

      @Override
      public boolean resetSupported() {
        return users.resetSupported();
      }

      @Override
      public boolean asyncSupported() {
        return users.asyncSupported();
      }

      @Override
      public long samples(DataSet batch) {
        return batch.getFeatures() == null ? 0 : batch.numExamples();
      }

      @Override
      public List<@Nullable INDArray> arrays(DataSet batch) {
        return Arrays.asList(batch.getFeatures(), batch.getLabels());
      }

      @Override
      public int batchSize() {
        try {
          return Math.max(0, users.batch());
        } catch (RuntimeException e) { // some do not know
          return 0;
        }
      }

      @Override
      public long size() {
        return users instanceof ShuffledBatches own ? own.size() : 0;
      }

      @Override
      public Map<String, String> facts() {
        return users instanceof ShuffledBatches own
            ? Map.of(
                Environment.DATA, own.fingerprint(),
                Environment.SHUFFLE, Boolean.toString(own.isShuffled()))
            : Map.of();
      }

      @Override
      public String name() {
        return users.getClass().getName();
      }

      @Override
      public boolean seek(long orderKey, long batch) {
        if (users instanceof ShuffledBatches own) {
          own.seek(orderKey, batch);
          return true;
        }
        return false;
      }
    };
  }

  static Source<MultiDataSet> of(MultiDataSetIterator users) {
    Callers.refuseLoader(users);
    return new Source<>() {
      @Override
      public boolean hasNext() {
        return users.hasNext();
      }

      @Override
      public MultiDataSet next() {
        return users.next();
      }

      @Override
      public void reset() {
        users.reset();
      }

      @Override
      public boolean resetSupported() {
        return users.resetSupported();
      }

      @Override
      public boolean asyncSupported() {
        return users.asyncSupported();
      }

      @Override
      public long samples(MultiDataSet batch) {
        return batch.numFeatureArrays() == 0 ? 0 : batch.getFeatures(0).size(0);
      }

      @Override
      public List<@Nullable INDArray> arrays(MultiDataSet batch) {
        List<@Nullable INDArray> all = new ArrayList<>();
        for (int i = 0; i < batch.numFeatureArrays(); i++) {
          all.add(batch.getFeatures(i));
        }
        for (int i = 0; i < batch.numLabelsArrays(); i++) {
          all.add(batch.getLabels(i));
        }
        return all;
      }

      @Override
      public int batchSize() {
        return 0;
      }

      @Override
      public String name() {
        return users.getClass().getName();
      }
    };
  }
}
