package dev.ckpt.dl4j;

import dev.ckpt.Progress;
import dev.ckpt.Progress.Phase;
import java.util.Map;
import java.util.TreeMap;

/** Where the loop stands in the data. Counts what was trained on, never what was fetched. */
final class Position extends SmallState {
  private final Counters counters;
  private int epoch;
  private long batch;
  private long samples;
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

  /** Batches of this epoch that are done. */
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

  void batchDone(long size) {
    stoppedEarly = false;
    batch++;
    samples += size;
    phase = Phase.AFTER_STEP;
  }

  void epochDone() {
    epoch++;
    batch = 0;
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
    state.put("phase", phase.name());
    state.put("stoppedEarly", stoppedEarly);
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
    phase = Phase.valueOf(String.valueOf(state.get("phase")));
    stoppedEarly = Boolean.TRUE.equals(state.get("stoppedEarly"));
    wholeEpoch = state.containsKey("wholeEpoch") ? number(state, "wholeEpoch") : 0;
  }
}
