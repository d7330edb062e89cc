package dev.ckpt.dl4j;

import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.rng.Random;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.rng.NativeRandom;

/**
 * ND4J's generator of the training thread; each thread has its own. Read and written whole, so that
 * dropout and noise go on where they were.
 */
final class Randomness extends SmallState {
  private static final long BEGIN = Mixing.number("begin");
  private static final long ORDER = Mixing.number("order");
  private static final long DATA = Mixing.number("data");

  /** All of a generator: with what {@code nextGaussian} keeps beside the native state. */
  private record State(long root, long node, boolean left, double gaussian) {
    static State of(Random random) {
      boolean known = random instanceof NativeRandom;
      return new State(
          random.rootState(),
          random.nodeState(),
          known && Dl4jInternals.GAUSSIAN_LEFT.get(random),
          known ? Dl4jInternals.LEFT_GAUSSIAN.get(random) : 0);
    }

    void into(Random random) {
      random.setStates(root, node);
      if (random instanceof NativeRandom) {
        Dl4jInternals.GAUSSIAN_LEFT.set(random, left);
        Dl4jInternals.LEFT_GAUSSIAN.set(random, gaussian);
      }
    }
  }

  private final LongSupplier seed;
  private final RandomStreams streams;
  private @Nullable State restored;

  /**
   * @param streams are drawn from as ND4J's is, where data are loaded
   */
  Randomness(LongSupplier seed, RandomStreams streams) {
    this.seed = seed;
    this.streams = streams;
  }

  @Override
  Map<String, ?> read() {
    State state = State.of(Nd4j.getRandom());
    return Map.of(
        "root", Long.toHexString(state.root),
        "node", Long.toHexString(state.node),
        "gaussianLeft", state.left,
        "gaussian", Double.toString(state.gaussian));
  }

  @Override
  void write(Map<String, ?> state) {
    restored =
        new State(
            Long.parseUnsignedLong(String.valueOf(state.get("root")), 16),
            Long.parseUnsignedLong(String.valueOf(state.get("node")), 16),
            Boolean.TRUE.equals(state.get("gaussianLeft")),
            real(state, "gaussian"));
  }

  /** When everything else is restored, because building a network draws and seeds as well. */
  void applyLast() {
    State state = restored;
    if (state != null) {
      restored = null;
      state.into(Nd4j.getRandom());
    } else {
      seed(Mixing.mix(seed.getAsLong(), BEGIN));
    }
  }

  /** Draws an epoch's order: the same one whenever that epoch is entered. */
  void order(int epoch, Runnable reset) {
    apart(
        Mixing.mix(seed.getAsLong(), ORDER, epoch),
        () -> {
          reset.run();
          return null;
        });
  }

  long orderKey(int epoch) {
    return Mixing.mix(seed.getAsLong(), ORDER, epoch);
  }

  /** Loads one batch: random transforms in it are a function of its place, on whatever thread. */
  <T extends @Nullable Object> T loading(int epoch, long batch, Supplier<T> load) {
    return apart(Mixing.mix(seed.getAsLong(), DATA, epoch, batch), load);
  }

  private <T extends @Nullable Object> T apart(long own, Supplier<T> draws) {
    State before = State.of(Nd4j.getRandom());
    seed(own);
    try {
      return streams.apart(own, draws);
    } finally {
      before.into(Nd4j.getRandom());
    }
  }

  private static void seed(long value) {
    Random random = Nd4j.getRandom();
    random.setSeed(value);
    if (random instanceof NativeRandom) {
      Dl4jInternals.GAUSSIAN_LEFT.set(random, false); // a new seed leaves it
    }
  }
}
