package dev.ckpt.djl;

import ai.djl.engine.Engine;
import ai.djl.training.Trainer;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.spi.Processor;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What decides the bits without being state: versions, threads, sizes, settings. Recorded with each
 * checkpoint and compared on resume. A setting that the program changed on purpose is the
 * program's; it is printed, because the run is then another one than it would have been.
 */
final class Environment extends SmallState {
  private static final Logger log = LoggerFactory.getLogger(Environment.class);

  /** Not the program's wish, yet the same numbers come out with other last bits. */
  private static final Set<String> CHANGES_BITS =
      Set.of("arch", "device", "djl", "engine", "engineVersion", "processor", "threads");

  /** These are changed on purpose, and then carried on in the sense in which it was meant. */
  private static final String OPTIMIZER = "optimizer";

  private static final String BATCH_SIZE = "training.batchSize";

  private final Map<String, String> facts = new TreeMap<>();
  private final Map<String, String> saved = new HashMap<>();

  /** Records what is known of a trainer whose optimizer has not been used yet. */
  void observe(Trainer trainer, Optimizer optimizer) {
    Engine engine = trainer.getManager().getEngine();
    fact("arch", System.getProperty("os.arch", "unknown"));
    fact("device", trainer.getDevices()[0].toString());
    fact("djl", Engine.getDjlVersion());
    fact("engine", engine.getEngineName());
    fact("engineVersion", engine.getVersion());
    fact("processor", Processor.description());
    fact("threads", threads());
    fact("loss", trainer.getLoss().getClass().getName());
    Map<String, String> names = new HashMap<>();
    trainer
        .getModel()
        .getBlock()
        .getParameters()
        .forEach(each -> names.putIfAbsent(each.getValue().getId(), each.getKey()));
    fact(OPTIMIZER, Settings.of(optimizer, id -> names.getOrDefault(id, id)).toString());
  }

  /** Records one fact, and says what it means if it differs from the checkpoint's. */
  void fact(String name, String value) {
    facts.put(name, value);
    compare(name, value);
  }

  /** Records a fact that somebody else compares, or that it is none any more. */
  void note(String name, @Nullable String value) {
    saved.remove(name);
    if (value == null) {
      facts.remove(name);
    } else {
      facts.put(name, value);
    }
  }

  /** A fact of the checkpoint, until it has been compared or noted anew. */
  @Nullable String before(String name) {
    return saved.get(name);
  }

  private void compare(String name, String value) {
    String before = saved.remove(name); // said once
    if (before == null || before.equals(value)) {
      return;
    }
    String changed = "{} was {} in the checkpoint and is {} now: {}";
    String meaning = meaning(name);
    if (name.equals(OPTIMIZER)) {
      tellSettings(Settings.parse(before), Settings.parse(value), meaning);
    } else if (name.equals(BATCH_SIZE)) {
      log.info(changed, name, before, value, meaning);
    } else {
      log.warn(changed, name, before, value, meaning);
    }
  }

  /** Those alone that are not as they were. */
  private static void tellSettings(Settings before, Settings now, String meaning) {
    log.info(
        "optimizer differs: {} in the checkpoint, {} now: {}",
        before.without(now),
        now.without(before),
        meaning);
  }

  /** What the change of a fact does to the training that goes on. */
  private static String meaning(String name) {
    return switch (name) {
      case OPTIMIZER ->
          "the new settings count from here on; slots and update counts are carried over, so a"
              + " schedule goes on at the update that the run has reached";
      case "loss" ->
          "the new one counts; weights and optimizer are carried over. Losses of earlier"
              + " checkpoints are of the old one, though keep.best and restoreBest compare them";
      case BATCH_SIZE ->
          "a begun epoch goes on behind the samples that are done, at the next whole batch; the"
              + " learning rate is not adapted, and a schedule goes on counting updates";
      case "training.size", "training.sampler", "training.class", "training.subset.order" ->
          "a begun epoch goes on behind as many batches of its new order, in which some samples may"
              + " come again and others only in the next epoch; whole epochs follow";
      case "validation.size" ->
          "metrics of earlier checkpoints are of other data, though keep.best and restoreBest"
              + " compare them";
      default ->
          CHANGES_BITS.contains(name)
              ? "the training goes on, but its bits may differ from those of an uninterrupted run"
              : "the new one counts";
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

  /** PyTorch's own count where it can be asked, else what would set it. */
  private static String threads() {
    try {
      return Class.forName("ai.djl.pytorch.jni.JniUtils")
          .getMethod("getNumThreads")
          .invoke(null)
          .toString();
    } catch (ReflectiveOperationException e) {
      return System.getProperty(
          "ai.djl.pytorch.num_threads", "default of " + Runtime.getRuntime().availableProcessors());
    }
  }
}
