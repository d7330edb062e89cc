package dev.ckpt.dl4j;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The random streams that the program asked for by name. What the data draw from one is a function
 * of their place: they are loaded ahead of the training, and again after a resume.
 */
final class RandomStreams extends SmallState {
  private final LongSupplier seed;

  /** Whoever loads data may be the first to ask for a name. */
  private final Map<String, Stream> streams = new ConcurrentSkipListMap<>();

  private final ThreadLocal<@Nullable Place> place = new ThreadLocal<>();
  private volatile Map<String, Long> restored = Map.of();

  RandomStreams(LongSupplier seed) {
    this.seed = seed;
  }

  /** The stream of that name; one object per name. */
  Random named(String name) {
    return streams.computeIfAbsent(
        name,
        unused -> {
          Long state = restored.get(name);
          return new Stream(
              name,
              state != null
                  ? state
                  : Mixing.mix(seed.getAsLong(), Mixing.number("stream " + name)));
        });
  }

  /** Within {@code draws}, on this thread, all streams begin anew, with a seed of the place. */
  <T extends @Nullable Object> T apart(long own, Supplier<T> draws) {
    Place before = place.get();
    place.set(new Place(own, new HashMap<>()));
    try {
      return draws.get();
    } finally {
      place.set(before);
    }
  }

  /** Where a thread is in the data, and what the streams have come to there. */
  private record Place(long seed, Map<String, AtomicLong> states) {
    AtomicLong state(String name) {
      return states.computeIfAbsent(
          name, unused -> new AtomicLong(Mixing.mix(seed, Mixing.number("stream " + name))));
    }
  }

  @Override
  Map<String, ?> read() {
    // one that is asked for later in this process goes on where the checkpoint left it
    Map<String, String> states = new TreeMap<>();
    restored.forEach((name, state) -> states.put(name, Long.toHexString(state)));
    streams.forEach((name, stream) -> states.put(name, Long.toHexString(stream.state.get())));
    return states;
  }

  @Override
  void write(Map<String, ?> state) {
    Map<String, Long> states = new LinkedHashMap<>();
    state.forEach((name, hex) -> states.put(name, Long.parseUnsignedLong((String) hex, 16)));
    restored = states;
    states.forEach(
        (name, value) -> {
          Stream stream = streams.get(name);
          if (stream != null) {
            stream.state.set(value);
          }
        });
  }

  /** SplitMix64: its whole state is one number, which {@link Random} does not show of its own. */
  private final class Stream extends Random {
    private static final long serialVersionUID = 1L;

    private final String name;
    private final AtomicLong state;

    Stream(String name, long state) {
      this.name = name;
      this.state = new AtomicLong(state);
    }

    private AtomicLong here() {
      Place data = place.get();
      return data == null ? state : data.state(name);
    }

    @Override
    protected int next(int bits) {
      return (int) (nextLong() >>> (64 - bits));
    }

    @Override
    public long nextLong() {
      return Mixing.avalanche(here().addAndGet(Mixing.GAMMA));
    }

    /** Marsaglia's polar method without the second value, which would be hidden state. */
    @Override
    public double nextGaussian() {
      while (true) {
        double x = 2 * nextDouble() - 1;
        double y = 2 * nextDouble() - 1;
        double square = x * x + y * y;
        if (square < 1 && square != 0) {
          return x * StrictMath.sqrt(-2 * StrictMath.log(square) / square);
        }
      }
    }

    @Override
    public void setSeed(long seed) {
      if (state != null) { // called by the constructor of Random before there is a field
        here().set(seed);
      }
    }
  }
}
