package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** Runs that a test looks at, made by the manager as a training makes them. */
final class Trained {

  private Trained() {}

  /** A state of tensors given as bytes, little-endian. */
  static final class State implements Checkpointable {
    final Map<TensorSpec, byte[]> tensors = new LinkedHashMap<>();
    final Map<String, Object> values = new LinkedHashMap<>();
    final Map<String, byte[]> opaque = new LinkedHashMap<>();

    State tensor(String name, DType type, byte[] contents, long... shape) {
      tensors.put(TensorSpec.of(name, type, Shape.of(shape)), contents);
      return this;
    }

    State floats(String name, float... contents) {
      ByteBuffer bytes = ByteBuffer.allocate(contents.length * 4).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(contents);
      return tensor(name, DType.FLOAT32, bytes.array(), contents.length);
    }

    State value(String name, Object value) {
      values.put(name, value);
      return this;
    }

    State opaque(String name, int... contents) {
      byte[] bytes = new byte[contents.length];
      for (int i = 0; i < bytes.length; i++) {
        bytes[i] = (byte) contents[i];
      }
      opaque.put(name, bytes);
      return this;
    }

    @Override
    public void capture(StateSink sink) {
      tensors.forEach(
          (spec, bytes) ->
              sink.tensor(
                  spec,
                  (offset, into) -> into.put(bytes, (int) offset, into.remaining()),
                  Stability.COPY_NOW));
      values.forEach(sink::value);
      opaque.forEach((name, bytes) -> sink.bytes(name, ByteBuffer.wrap(bytes)));
    }

    @Override
    public void restore(StateView view) {
      // what it is restored to does not matter to who only saves
    }
  }

  /** After that many steps: all of it changes but the bias. */
  static State after(long step) {
    return new State()
        .floats("fc.weight", (float) step, step + 0.5f, -1, 2)
        .floats("fc.bias", 0.25f, 0.5f)
        .value("rate", 0.1 / (1 + step))
        .value("schedule", "cosine")
        .opaque("rng", (int) step, 7);
  }

  static CheckpointManagerBuilder in(CheckpointStore store, String run) {
    return CheckpointManager.in(store).run(run).keep(all -> Set.copyOf(all)).seed(1);
  }

  /** Saves states as one attempt and closes it; those of the same step at the end of an epoch. */
  static List<String> save(CheckpointStore store, String run, Resume resume, long... steps) {
    State now = new State();
    try (CheckpointManager ckpt = in(store, run).resume(resume).part("model", now).open()) {
      ckpt.resume();
      return java.util.Arrays.stream(steps).mapToObj(step -> save(ckpt, now, step)).toList();
    }
  }

  private static String save(CheckpointManager ckpt, State now, long step) {
    State then = after(step);
    now.tensors.putAll(then.tensors);
    now.values.putAll(then.values);
    now.opaque.putAll(then.opaque);
    Progress at =
        new Progress(step, (int) (step / 10), step % 10, step * 32, Progress.Phase.AFTER_STEP);
    Map<String, Double> metrics = Map.of("loss", 1.0 / step, "accuracy", 1 - 1.0 / step);
    return ckpt.save(at, metrics).join().id();
  }

  /** One attempt with one checkpoint of a state. */
  static Checkpoint one(CheckpointStore store, String run, long step, State state) {
    try (CheckpointManager ckpt =
        in(store, run).resume(new Resume.Never()).part("model", state).open()) {
      ckpt.resume();
      return ckpt.save(Progress.step(step), Map.of()).join();
    }
  }

  /** Three steps, then a completed attempt of two more. */
  static void completed(CheckpointStore store, String run) {
    save(store, run, new Resume.Auto(), 10, 20, 30);
    State state = after(40);
    try (CheckpointManager ckpt = in(store, run).part("model", state).open()) {
      ckpt.resume();
      ckpt.save(new Progress(40, 4, 0, 1280, Progress.Phase.AFTER_EPOCH), Map.of("loss", 0.01))
          .join();
      ckpt.complete(Map.of("epochs", 4L));
    }
  }

  /** Flips a bit of a file below a folder, in the middle. */
  static void damage(Path below) throws IOException {
    Path file;
    try (Stream<Path> files = Files.walk(below)) {
      file = files.filter(Files::isRegularFile).sorted().findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }
}
