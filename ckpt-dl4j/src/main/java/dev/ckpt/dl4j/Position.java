package dev.ckpt.dl4j;

import dev.ckpt.Progress;
import dev.ckpt.Progress.Phase;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Where the loop stands in the data. Counts what was trained on, never what was fetched. */
final class Position extends SmallState {
  private final Counters counters;
  private int epoch;
  private long batch;
  private long samples;

  /** Samples of this epoch that are done; -1 if the checkpoint did not say. */
  private long epochSamples;

  /** Of the iterator that gives this epoch; 0 if it does not say, or nobody knows. */
  private int batchSize;

  private @Nullable FirstBatch firstBatch;

  /** That of the checkpoint, until it has been compared. */
  private @Nullable FirstBatch firstBefore;

  private Phase phase = Phase.AFTER_STEP;
  private boolean stoppedEarly;

  /** Batches of the last epoch of which the end was heard; 0 if nobody knows. */
  private long wholeEpoch;

  Position(Counters counters) {
    this.counters = counters;
  }

  int epoch() {
    return epoch;
  }

  /**
   * Batches of this epoch that are done; once their size was changed inside it, batches of the new
   * size that are passed over or done.
   */
  long batch() {
    return batch;
  }

  /** Whether a listener has ended the training before its goal, and nothing was trained since. */
  boolean stoppedEarly() {
    return stoppedEarly;
  }

  void stopsEarly() {
    stoppedEarly = true;
  }

  Progress progress() {
    return new Progress(counters.iteration(), epoch, batch, samples, phase);
  }

  /**
   * As if the epoch had ended.
   *
   * @param open samples of a batch that is not counted yet
   */
  Progress nextEpoch(long open) {
    return new Progress(counters.iteration(), epoch + 1, 0, samples + open, Phase.AFTER_EPOCH);
  }

  /** Samples of this epoch that are done; -1 if that is not known. */
  long epochSamples() {
    return epochSamples;
  }

  /**
   * How many batches of {@code size} to pass over so that no sample of this epoch comes twice.
   *
   * @param size today's size; 0 if it is not known
   */
  long batchesToSkip(int size) {
    if (size == 0 || batchSize == 0 || size == batchSize || epochSamples < 0) {
      return batch;
    }
    return (epochSamples + size - 1) / size;
  }

  /**
   * The epoch goes on at a place of its order, given in batches of today's size: with the samples
   * that lie before it today, if the data are others.
   *
   * @param passed batches before that place
   * @param passedSamples samples before it
   */
  void enter(int size, long passed, long passedSamples) {
    batch = passed;
    epochSamples = passedSamples;
    batchSize = size;
  }

  /** The epoch has begun with this one. */
  void beginsWith(FirstBatch batch) {
    firstBatch = batch;
  }

  /** What an epoch began with before the resume; null from {@link #firstIsCompared} on. */
  @Nullable FirstBatch firstBefore() {
    return firstBefore;
  }

  void firstIsCompared() {
    firstBefore = null;
  }

  void batchDone(long size) {
    stoppedEarly = false;
    batch++;
    samples += size;
    epochSamples += epochSamples < 0 ? 0 : size;
    phase = Phase.AFTER_STEP;
  }

  void epochDone() {
    epoch++;
    batch = 0;
    epochSamples = 0;
    phase = Phase.AFTER_EPOCH;
  }

  /** Ends an epoch that was trained from its first batch to its last. */
  void wholeEpochDone() {
    wholeEpoch = batch;
    epochDone();
  }

  /** Whether the epoch before had no more batches than this one has by now. */
  boolean mayBeEndOfEpoch() {
    return batch == wholeEpoch;
  }

  @Override
  Map<String, ?> read() {
    Map<String, Object> state = new TreeMap<>();
    state.put("epoch", epoch);
    state.put("batch", batch);
    state.put("samples", samples);
    state.put("epochSamples", epochSamples);
    state.put("batchSize", batchSize);
    state.put("phase", phase.name());
    state.put("stoppedEarly", stoppedEarly);
    FirstBatch first = firstBatch;
    if (first != null) {
      state.put("firstBatch", first.json());
    }
    if (wholeEpoch > 0) {
      state.put("wholeEpoch", wholeEpoch);
    }
    return state;
  }

  @Override
  void write(Map<String, ?> state) {
    epoch = (int) number(state, "epoch");
    batch = number(state, "batch");
    samples = number(state, "samples");
    boolean counted = state.containsKey("epochSamples");
    epochSamples = counted ? number(state, "epochSamples") : -Long.signum(batch);
    batchSize = counted ? (int) number(state, "batchSize") : 0;
    firstBatch = FirstBatch.parse(state.get("firstBatch"));
    firstBefore = firstBatch;
    phase = Phase.valueOf(String.valueOf(state.get("phase")));
    stoppedEarly = Boolean.TRUE.equals(state.get("stoppedEarly"));
    wholeEpoch = state.containsKey("wholeEpoch") ? number(state, "wholeEpoch") : 0;
  }
}
