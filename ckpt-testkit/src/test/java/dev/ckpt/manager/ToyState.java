package dev.ckpt.manager;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A small state that changes with every step, as a training does. */
final class ToyState implements Checkpointable {
  final Map<String, float[]> tensors = new LinkedHashMap<>();
  long counter;

  static ToyState random(long seed, int tensors, int elements) {
    ToyState state = new ToyState();
    Random random = new Random(seed);
    for (int i = 0; i < tensors; i++) {
      float[] values = new float[elements];
      for (int j = 0; j < elements; j++) {
        values[j] = random.nextFloat();
      }
      state.tensors.put("layer" + i + "/weight", values);
    }
    return state;
  }

  /** As many steps as that, each depending on the one before. */
  void advance(int steps) {
    for (int i = 0; i < steps; i++) {
      counter++;
      for (float[] values : tensors.values()) {
        for (int j = 0; j < values.length; j++) {
          values[j] = values[j] * 0.75f + (counter * 31 + j) % 17;
        }
      }
    }
  }

  ToyState copy() {
    ToyState copy = new ToyState();
    copy.counter = counter;
    tensors.forEach((name, values) -> copy.tensors.put(name, values.clone()));
    return copy;
  }

  /** Makes it differ from a state of the same step that somebody else computed. */
  void salt(float value) {
    tensors.values().forEach(values -> values[0] = value);
  }

  /** Enough to see a mix of two states. */
  String describe() {
    StringBuilder text = new StringBuilder(toString());
    tensors.forEach((name, values) -> text.append(' ').append(values[0]));
    return text.toString();
  }

  @Override
  public void capture(StateSink sink) {
    sink.value("counter", counter);
    tensors.forEach(
        (name, values) ->
            sink.tensor(
                TensorSpec.of(name, DType.FLOAT32, Shape.of(values.length)),
                (offset, into) -> fill(into, values, (int) offset / 4),
                name.startsWith("layer0") ? Stability.COPY_NOW : Stability.STABLE_UNTIL_UPDATE));
    ByteBuffer opaque = ByteBuffer.allocate(8).putLong(0, counter * 3);
    sink.bytes("rng", opaque);
  }

  private static void fill(ByteBuffer into, float[] values, int from) {
    into.asFloatBuffer().put(values, from, into.remaining() / 4);
    into.position(into.limit());
  }

  @Override
  public void check(StateView view) {
    if (!view.names().equals(tensors.keySet())) {
      throw new CheckpointException.Incompatible(
          "tensors " + view.names() + " instead of " + tensors.keySet());
    }
  }

  @Override
  public void restore(StateView view) {
    counter = view.value("counter", Long.class);
    if (view.bytes("rng").getLong() != counter * 3) {
      throw new AssertionError("opaque bytes differ");
    }
    tensors.forEach(
        (name, values) -> {
          ByteBuffer bytes =
              ByteBuffer.allocateDirect(values.length * 4).order(ByteOrder.LITTLE_ENDIAN);
          view.read(name, 0, bytes);
          bytes.flip().asFloatBuffer().get(values);
        });
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof ToyState that
        && counter == that.counter
        && tensors.keySet().equals(that.tensors.keySet())
        && tensors.entrySet().stream()
            .allMatch(
                each -> java.util.Arrays.equals(each.getValue(), that.tensors.get(each.getKey())));
  }

  @Override
  public int hashCode() {
    return Long.hashCode(counter);
  }

  @Override
  public String toString() {
    return "state after " + counter + " steps";
  }
}
