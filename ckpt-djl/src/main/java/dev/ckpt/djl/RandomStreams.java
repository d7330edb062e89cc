package dev.ckpt.djl;

import ai.djl.training.Trainer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** The random streams that the program asked for by name. */
final class RandomStreams extends SmallState {
  private final LongSupplier seed;

  /** Loaders of data ask for them while the training thread looks at all. */
  private final Map<String, Stream> streams = new ConcurrentSkipListMap<>();

  private volatile Map<String, Long> restored = Map.of();

  /** As all listeners left them at an epoch's end, if that is known. */
  private @Nullable Map<String, ?> heard;

  /** Who may still be telling listeners of it. */
  private @Nullable Thread telling;

  RandomStreams(LongSupplier seed) {
    this.seed = seed;
  }

  /** The stream of that name; one object per name. */
  Random named(String name) {
    return streams.computeIfAbsent(
        name,
        unused -> {
          Long state = restored.get(name);
          return new Stream(state != null ? state : first(name), this::draws);
        });
  }

  private long first(String name) {
    return Mixing.mix(seed.getAsLong(), Mixing.number("stream " + name));
  }

  /** The loop is about to wait for a batch, which may draw. */
  void mark() {
    streams.values().forEach(stream -> stream.marked = stream.state.get());
  }

  /** That batch is not there: what was drawn for it will be drawn again. */
  void backToMark() {
    streams.values().forEach(stream -> stream.state.set(stream.marked));
  }

  /**
   * What is drawn behind all listeners of an epoch's end is drawn for the next one.
   *
   * @param byAll whether none is left to be told
   */
  void epochHeard(boolean byAll) {
    heard = byAll ? read() : null;
    telling = byAll ? null : Thread.currentThread();
  }

  void trainsOn() {
    heard = null;
    telling = null;
  }

  /** Between an epoch's end and the next batch, the first draw outside a listener tells. */
  private void draws() {
    if (telling == Thread.currentThread() && !isTelling()) {
      epochHeard(true);
    }
  }

  private static boolean isTelling() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames.anyMatch(
                    frame ->
                        frame.getMethodName().equals("notifyListeners")
                            && frame.getClassName().equals(Trainer.class.getName())));
  }

  /** Saves the end of an epoch: a resume from there draws for the next one again. */
  void asHeard(Runnable save) {
    Map<String, ?> then = heard;
    if (then == null) {
      save.run();
      return;
    }
    freeze(then);
    try {
      save.run();
    } finally {
      thaw();
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

  @Override
  void goBack(Map<String, ?> values) {
    write(values);
    streams.forEach(
        (name, stream) -> {
          if (!values.containsKey(name)) {
            stream.state.set(first(name)); // it was first asked for since
          }
        });
  }

  /** SplitMix64: its whole state is one number, which {@link Random} does not show of its own. */
  private static final class Stream extends Random {
    private static final long serialVersionUID = 1L;

    private final AtomicLong state;
    private final transient Runnable beforeDraw;
    private long marked;

    Stream(long state, Runnable beforeDraw) {
      this.state = new AtomicLong(state);
      this.beforeDraw = beforeDraw;
      this.marked = state;
    }

    @Override
    protected int next(int bits) {
      return (int) (nextLong() >>> (64 - bits));
    }

    @Override
    public long nextLong() {
      beforeDraw.run();
      return Mixing.avalanche(state.addAndGet(Mixing.GAMMA));
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
        state.set(seed);
      }
    }
  }
}
