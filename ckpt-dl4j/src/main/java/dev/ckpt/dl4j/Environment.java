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

  static final String BATCH_SIZE = "batchSize";

  private final Map<String, String> facts = new TreeMap<>();
  private final Map<String, String> saved = new HashMap<>();

  void observe(Trainee trainee) {
    fact("arch", System.getProperty("os.arch", "unknown"));
    fact("backend", Nd4j.getBackend().getClass().getName());
    fact("blasThreads", Integer.toString(Nd4j.factory().blas().getMaxThreads()));
    fact("dl4j", PrivateField.version());
    fact("processor", Processor.description());
    fact("threads", Integer.toString(Nd4j.getEnvironment().maxThreads()));
    fact("updaters", trainee.settings());
  }

  void fact(String name, String value) {
    facts.put(name, value);
    compare(name, value);
  }

  private void compare(String name, String value) {
    String before = saved.remove(name); // said once
    if (before == null || before.equals(value)) {
      return;
    }
    String said = "{} was {} in the checkpoint and is {} now: {}";
    if (CHANGES_BITS.contains(name)) {
      log.warn(
          said,
          name,
          before,
          value,
          "the training goes on, but its bits may differ from those of an uninterrupted run");
    } else if (name.equals(BATCH_SIZE)) {
      log.warn(
          said,
          name,
          before,
          value,
          "an epoch that has begun goes on behind as many batches as are done, so some of its"
              + " samples come twice or are left out; epochs that follow are whole");
    } else {
      log.info(
          said,
          name,
          before,
          value,
          "the new settings count from here on; slots and counters are carried over, so a schedule"
              + " goes on at the update that the run has reached");
    }
  }

  @Override
  Map<String, ?> read() {
    return new TreeMap<>(facts);
  }

  @Override
  void write(Map<String, ?> state) {
    state.forEach((name, value) -> saved.put(name, String.valueOf(value)));
    facts.forEach(this::compare);
  }
}
