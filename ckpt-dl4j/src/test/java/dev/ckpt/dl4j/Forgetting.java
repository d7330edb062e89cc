package dev.ckpt.dl4j;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Puts one part of what was restored back to what a new process has: as if it had been left out of
 * the checkpoint.
 */
final class Forgetting {
  enum Part {
    NOTHING,
    WEIGHTS,
    STATISTICS,
    SLOTS,
    COUNTERS,
    POSITION,
    ND4J_RANDOM,
    RANDOM_STREAM
  }

  private final Part part;
  private final Map<String, ByteBuffer> weights = new HashMap<>();
  private final Map<String, ByteBuffer> slots = new HashMap<>();

  /** Looks at what is fresh, before the run is resumed. */
  Forgetting(Part part, Trainee fresh) {
    this.part = part;
    fresh.parameters().forEach((name, region) -> weights.put(name, copyOf(region)));
    fresh.slots().forEach((name, region) -> slots.put(name, copyOf(region)));
  }

  /** Forgets, behind the resume. */
  void forget(Dl4jCheckpoints ckpt, Trainee trainee) {
    if (ckpt.progress().batch() == 0) {
      throw new IllegalStateException("not resumed inside an epoch: " + ckpt.progress());
    }
    switch (part) {
      case NOTHING -> {}
      case WEIGHTS -> putBack(trainee.parameters(), weights, name -> !isStatistic(name));
      case STATISTICS -> putBack(trainee.parameters(), weights, Forgetting::isStatistic);
      case SLOTS -> putBack(trainee.slots(), slots, name -> true);
      case COUNTERS -> trainee.counters(0, trainee.epoch());
      case POSITION -> {
        Map<String, Object> state = new HashMap<>(ckpt.session().position().read());
        state.put("batch", 0);
        ckpt.session().position().write(state);
      }
      case ND4J_RANDOM -> Nd4j.getRandom().setSeed(1);
      case RANDOM_STREAM -> ckpt.random("noise").setSeed(1);
    }
  }

  private static boolean isStatistic(String name) {
    return name.endsWith("_mean") || name.endsWith("_var") || name.endsWith("_log10stdev");
  }

  private static void putBack(
      Map<String, Region> regions, Map<String, ByteBuffer> fresh, Predicate<String> which) {
    Map<String, Region> chosen = new HashMap<>(regions);
    chosen.keySet().removeIf(which.negate());
    if (chosen.isEmpty()) {
      throw new IllegalStateException("there is nothing to forget");
    }
    chosen.forEach((name, region) -> fill(region, fresh.get(name)));
  }

  private static ByteBuffer copyOf(Region region) {
    ByteBuffer copy = ByteBuffer.allocate((int) region.spec().bytes());
    region.copy(0, copy);
    return copy.flip();
  }

  private static void fill(Region region, @Nullable ByteBuffer saved) {
    ByteBuffer bytes = Objects.requireNonNull(saved);
    region.window(0, bytes.capacity()).put(bytes.duplicate());
  }
}
