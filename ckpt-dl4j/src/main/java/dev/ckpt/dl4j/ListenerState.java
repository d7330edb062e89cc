package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import it.unimi.dsi.fastutil.doubles.DoubleArrayList;
import it.unimi.dsi.fastutil.ints.IntArrayList;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.deeplearning4j.optimize.listeners.CollectScoresListener;
import org.deeplearning4j.optimize.listeners.EvaluativeListener;
import org.deeplearning4j.optimize.listeners.TimeIterationListener;
import org.jspecify.annotations.Nullable;

/**
 * What DL4J's own listeners have counted and collected. Those that only measure time have nothing
 * that a later process could use; the user's own are {@link Checkpointable} if they have.
 */
final class ListenerState implements Checkpointable {
  private static final String ITERATIONS = "/iterations";
  private static final String SCORES = "/scores";
  private static final String COUNT = "/count";
  private static final String WAITING = "/waiting";

  private final Supplier<Trainee> trainee;

  ListenerState(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  /** Listeners under their class and their place among those of the same class. */
  private static Map<String, Object> numbered(Trainee trainee) {
    Map<String, Object> all = new LinkedHashMap<>();
    for (Object listener : trainee.listeners()) {
      int place = 0;
      while (all.putIfAbsent(listener.getClass().getName() + "." + place, listener) != null) {
        place++;
      }
    }
    return all;
  }

  /** Those of the program that keep a state of their own are parts. */
  static void register(CheckpointManager manager, Trainee users) {
    numbered(users)
        .forEach(
            (key, listener) -> {
              if (listener instanceof Checkpointable state) {
                manager.register("listener." + key.replaceAll("[^A-Za-z0-9._-]", "-"), state);
              }
            });
  }

  @Override
  public void capture(StateSink sink) {
    numbered(trainee.get())
        .forEach(
            (key, listener) -> {
              if (listener instanceof CollectScoresListener collector) {
                capture(sink, key, collector);
              } else if (listener instanceof EvaluativeListener) {
                sink.value(key + COUNT, Dl4jInternals.EVALUATIONS.get(listener).get());
                AtomicLong waiting = Dl4jInternals.EVALUATED_ITERATIONS.get(listener).get();
                sink.value(key + WAITING, waiting == null ? 0L : waiting.get());
              } else if (listener instanceof TimeIterationListener) {
                sink.value(key + COUNT, Dl4jInternals.TIMED_ITERATIONS.get(listener).get());
              }
            });
  }

  private static void capture(StateSink sink, String key, CollectScoresListener listener) {
    IntArrayList iterations = Dl4jInternals.COLLECTED_ITERATIONS.get(listener);
    DoubleArrayList scores = Dl4jInternals.COLLECTED_SCORES.get(listener);
    ByteBuffer ints = buffer(iterations.size() * Integer.BYTES);
    ByteBuffer doubles = buffer(scores.size() * Double.BYTES);
    ints.asIntBuffer().put(iterations.elements(), 0, iterations.size());
    doubles.asDoubleBuffer().put(scores.elements(), 0, scores.size());
    tensor(sink, key + ITERATIONS, DType.INT32, iterations.size(), ints);
    tensor(sink, key + SCORES, DType.FLOAT64, scores.size(), doubles);
  }

  private static void tensor(StateSink sink, String name, DType type, int size, ByteBuffer from) {
    sink.tensor(
        TensorSpec.of(name, type, Shape.of(size)),
        (offset, into) -> {
          int length = into.remaining();
          into.put(into.position(), from, Math.toIntExact(offset), length);
          into.position(into.position() + length);
        },
        Stability.COPY_NOW);
  }

  private static ByteBuffer buffer(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public void restore(StateView view) {
    numbered(trainee.get())
        .forEach(
            (key, listener) -> {
              if (listener instanceof CollectScoresListener
                  && view.names().contains(key + ITERATIONS)) {
                ByteBuffer ints = read(view, key + ITERATIONS);
                ByteBuffer doubles = read(view, key + SCORES);
                IntArrayList iterations = Dl4jInternals.COLLECTED_ITERATIONS.get(listener);
                DoubleArrayList scores = Dl4jInternals.COLLECTED_SCORES.get(listener);
                iterations.clear();
                scores.clear();
                while (ints.hasRemaining()) {
                  iterations.add(ints.getInt());
                }
                while (doubles.hasRemaining()) {
                  scores.add(doubles.getDouble());
                }
              } else if (listener instanceof EvaluativeListener) {
                Long count = number(view, key + COUNT);
                if (count != null) {
                  Dl4jInternals.EVALUATIONS.get(listener).set(count);
                  long waiting = view.value(key + WAITING, Long.class);
                  Dl4jInternals.EVALUATED_ITERATIONS.get(listener).set(new AtomicLong(waiting));
                }
              } else if (listener instanceof TimeIterationListener) {
                Long count = number(view, key + COUNT);
                if (count != null) {
                  Dl4jInternals.TIMED_ITERATIONS.get(listener).set(count);
                }
              }
            });
  }

  private static @Nullable Long number(StateView view, String name) {
    return view.values().contains(name) ? view.value(name, Long.class) : null;
  }

  private static ByteBuffer read(StateView view, String name) {
    ByteBuffer bytes = buffer(Math.toIntExact(view.spec(name).bytes()));
    view.read(name, 0, bytes);
    return bytes.flip();
  }
}
