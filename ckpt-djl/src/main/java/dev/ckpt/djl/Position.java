package dev.ckpt.djl;

import dev.ckpt.Progress;
import dev.ckpt.Progress.Phase;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where the loop stands in the data. Counts what was handed to the loop, never what was sampled.
 */
final class Position extends SmallState {
  private final UpdateWatch watch;
  private int epoch;
  private long batch;
  private long samples;
  private long epochSamples;
  private long batches;
  private int batchSize;
  private Phase phase = Phase.AFTER_STEP;
  private boolean stoppedEarly;
  private List<String> stoppedBy = EarlyStop.BY_DJL;
  private List<Map<String, String>> stoppedWith = List.of();

  Position(UpdateWatch watch) {
    this.watch = watch;
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

  /** Batches done since the start of the run. */
  long batches() {
    return batches;
  }

  /** Whether a listener has ended the training before its goal, and nothing was trained since. */
  boolean stoppedEarly() {
    return stoppedEarly;
  }

  /** Classes of the listeners that did. */
  List<String> stoppedBy() {
    return stoppedBy;
  }

  /** The limits of those that are DJL's, as {@link EarlyStop#limits} gives them. */
  List<Map<String, String>> stoppedWith() {
    return stoppedWith;
  }

  void stopsEarly(List<String> by, List<Map<String, String>> with) {
    stoppedEarly = true;
    stoppedBy = by;
    stoppedWith = with;
  }

  Phase phase() {
    return phase;
  }

  Progress progress() {
    return new Progress(watch.updates(), epoch, batch, samples, phase);
  }

  /**
   * The start of the next epoch, before this one's end.
   *
   * @param open samples of a last batch that is trained and not counted yet
   */
  Progress nextEpoch(long open) {
    return new Progress(watch.updates(), epoch + 1, 0, samples + open, phase);
  }

  /**
   * How many batches of {@code size} to pass over so that no sample of this epoch comes twice.
   *
   * @param size today's size; 0 if it is not known
   */
  long batchesToSkip(int size) {
    if (size == 0 || batchSize == 0 || size == batchSize) {
      return batch;
    }
    return (epochSamples + size - 1) / size;
  }

  /**
   * The epoch goes on at a place of its order, given in batches of today's size: another one than
   * before if that size is another.
   *
   * @param passed batches before that place, as {@link #batchesToSkip} tells
   * @param passedSamples samples before it
   */
  void enter(int size, long passed, long passedSamples) {
    if (passed != batch || (batchSize != 0 && size != batchSize)) {
      batch = passed;
      epochSamples = passedSamples;
    }
    batchSize = size;
  }

  /** A batch is trained behind a stop: that was not the end. */
  void trainsOn() {
    stoppedEarly = false;
  }

  void batchDone(long size) {
    batch++;
    batches++;
    samples += size;
    epochSamples += size;
    phase = Phase.AFTER_STEP;
  }

  /** Those of an epoch whose batches nobody saw one by one. */
  void batchesDone(long count, long size) {
    batch += count;
    batches += count;
    samples += size;
    epochSamples += size;
    phase = Phase.AFTER_STEP;
  }

  /** A loop begins the epoch again, although a part of it was trained. */
  void beginsAnew() {
    batch = 0;
    epochSamples = 0;
  }

  void epochDone() {
    epoch++;
    batch = 0;
    epochSamples = 0;
    phase = Phase.AFTER_EPOCH;
  }

  @Override
  Map<String, ?> read() {
    Map<String, Object> state = new HashMap<>();
    state.put("step", watch.updates());
    state.put("epoch", epoch);
    state.put("batch", batch);
    state.put("samples", samples);
    state.put("epochSamples", epochSamples);
    state.put("batches", batches);
    state.put("batchSize", batchSize);
    state.put("phase", phase.name());
    state.put("stoppedEarly", stoppedEarly);
    if (stoppedEarly && !stoppedBy.equals(EarlyStop.BY_DJL)) {
      state.put("stoppedBy", stoppedBy);
    }
    if (stoppedEarly && !stoppedWith.isEmpty()) {
      state.put("stoppedWith", stoppedWith);
    }
    return state;
  }

  @Override
  void write(Map<String, ?> state) {
    watch.updates(number(state, "step"));
    epoch = (int) number(state, "epoch");
    batch = number(state, "batch");
    samples = number(state, "samples");
    epochSamples = number(state, "epochSamples");
    batches = number(state, "batches");
    batchSize = (int) number(state, "batchSize");
    phase = Phase.valueOf(String.valueOf(state.get("phase")));
    stoppedEarly = Boolean.TRUE.equals(state.get("stoppedEarly"));
    stoppedBy =
        state.get("stoppedBy") instanceof List<?> by
            ? by.stream().map(String::valueOf).toList()
            : EarlyStop.BY_DJL;
    List<Map<String, String>> limits = new ArrayList<>();
    if (state.get("stoppedWith") instanceof List<?> with) {
      for (Object each : with) {
        Map<String, String> one = new TreeMap<>();
        ((Map<?, ?>) each).forEach((name, value) -> one.put((String) name, (String) value));
        limits.add(one);
      }
    }
    stoppedWith = limits;
  }
}
