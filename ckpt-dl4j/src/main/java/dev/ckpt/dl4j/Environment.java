package dev.ckpt.dl4j;

import dev.ckpt.spi.Processor;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.nd4j.linalg.factory.Nd4j;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What decides the bits without being state: versions, threads, settings. Recorded with each
 * checkpoint and compared on resume. A setting that the program changed on purpose is the
 * program's; it is printed, because the run is then another one than it would have been.
 */
final class Environment extends SmallState {
  private static final Logger log = LoggerFactory.getLogger(Environment.class);

  /** Not the program's wish, yet the same numbers come out with other last bits. */
  private static final Set<String> CHANGES_BITS =
      Set.of("arch", "backend", "blasThreads", "dl4j", "processor", "threads");

  private static final String BATCH_SIZE = "batchSize";
  private static final String SAMPLES = "samples";

  /** A fingerprint of samples in memory. */
  static final String DATA = "data";

  /** Whether samples in memory come by index or shuffled. */
  static final String SHUFFLE = "shuffle";

  /** In place of a fingerprint: nothing can be said of such. */
  private static final String OF_EACH_EPOCH = "other ones in each epoch";

  private final Map<String, String> facts = new TreeMap<>();
  private final Map<String, String> saved = new HashMap<>();

  /** Whether today's data can begin at any sample. */
  private boolean seeks;

  /** Whether the epoch that was entered had begun before. */
  private boolean goesOn;

  /** Samples of the epoch before; 0 if that is none, -1 if each epoch has others. */
  private long lastEpochHad;

  void observe(Trainee trainee) {
    fact("arch", System.getProperty("os.arch", "unknown"));
    fact("backend", Nd4j.getBackend().getClass().getName());
    fact("blasThreads", Integer.toString(Nd4j.factory().blas().getMaxThreads()));
    fact("dl4j", PrivateField.version());
    fact("processor", Processor.description());
    fact("threads", Integer.toString(Nd4j.getEnvironment().maxThreads()));
    // a schedule without a text of its own has an address
    fact("updaters", trainee.settings().replaceAll("@[0-9a-f]{4,8}\\b", ""));
  }

  /**
   * What is known of data before they are read.
   *
   * @param begun whether the epoch goes on that they are of
   */
  void data(Source<?> source, boolean begun) {
    seeks = source.size() > 0;
    goesOn = begun;
    if (source.batchSize() > 0) {
      fact(BATCH_SIZE, Integer.toString(source.batchSize()));
    }
    if (seeks) {
      String before = saved.get(SAMPLES);
      String now = Long.toString(source.size());
      if (before != null && !before.equals(now)) {
        saved.remove(DATA); // that says it
      }
      fact(SAMPLES, now);
    }
    new TreeMap<>(source.facts())
        .forEach((name, value) -> fact(name, name.equals(DATA) ? data(value) : value));
  }

  /** Once they were seen to be others in an epoch than in the one before, they are nobody's. */
  private String data(String fingerprint) {
    return OF_EACH_EPOCH.equals(saved.get(DATA))
            || !facts.getOrDefault(DATA, fingerprint).equals(fingerprint)
        ? OF_EACH_EPOCH
        : fingerprint;
  }

  /** An epoch has been read to its end: how many samples, others do not say before. */
  void epochHad(long samples) {
    if (seeks || samples <= 0 || lastEpochHad < 0) {
      return;
    }
    if (lastEpochHad > 0 && lastEpochHad != samples) {
      lastEpochHad = -1;
      facts.remove(SAMPLES);
    } else {
      lastEpochHad = samples;
      fact(SAMPLES, Long.toString(samples));
    }
  }

  private void fact(String name, String value) {
    facts.put(name, value);
    compare(name, value);
  }

  private void compare(String name, String value) {
    String before = saved.remove(name); // said once
    if (before == null || before.equals(value)) {
      return;
    }
    String said = "{} was {} in the checkpoint and is {} now: {}";
    if (isWarning(name)) {
      log.warn(said, name, before, value, meaning(name));
    } else {
      log.info(said, name, before, value, meaning(name));
    }
  }

  private boolean isWarning(String name) {
    return CHANGES_BITS.contains(name)
        || name.equals(SAMPLES)
        || name.equals(DATA)
        || (name.equals(SHUFFLE) && goesOn)
        || (name.equals(BATCH_SIZE) && !seeks && goesOn);
  }

  /** What the change of a fact does to the training that goes on. */
  private String meaning(String name) {
    return switch (name) {
      case BATCH_SIZE ->
          (goesOn
                  ? "a begun epoch goes on behind the samples that are done, at the next whole batch;"
                      + " the"
                  : "the")
              + " learning rate is not adapted, and a schedule goes on counting updates"
              + (seeks || !goesOn
                  ? ""
                  : ". If the iterator's order depends on the batch size, some samples come again"
                      + " and others only in the next epoch");
      case SAMPLES ->
          "a begun epoch goes on behind as many batches of the new data, of which some samples may"
              + " come again and others only in the next epoch; whole epochs follow";
      case DATA ->
          "the samples are others, or lie in another order, though they are as many. Of a begun"
              + " epoch some may come again and others not; and if each start draws a split anew"
              + " (all.shuffle(), then splitTestAndTrain), this one trains on what another kept for"
              + " its test: give it a seed, all.shuffle(12345)";
      case SHUFFLE ->
          goesOn
              ? "some samples of the begun epoch come again and others only in the next one; whole"
                  + " epochs follow"
              : "samples come in that order from here on";
      default ->
          CHANGES_BITS.contains(name)
              ? "the training goes on, but its bits may differ from those of an uninterrupted run"
              : "the new settings count from here on; slots and counters are carried over, so a"
                  + " schedule goes on at the update that the run has reached";
    };
  }

  @Override
  Map<String, ?> read() {
    Map<String, String> all = new TreeMap<>(saved); // what this attempt has not seen is as it was
    all.putAll(facts);
    return all;
  }

  @Override
  void write(Map<String, ?> state) {
    state.forEach((name, value) -> saved.put(name, String.valueOf(value)));
    facts.forEach(this::compare);
  }
}
