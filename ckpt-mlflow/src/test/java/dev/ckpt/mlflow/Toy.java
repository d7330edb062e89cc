package dev.ckpt.mlflow;

import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A small state that changes in a way that one can compute: tensor {@code i} holds step + i. */
final class Toy implements Checkpointable {
  private final List<TensorSpec> specs = new ArrayList<>();
  private final List<String> losses = new ArrayList<>();
  long step;

  /** Whether its numbers are none. */
  boolean diverged;

  Toy(String... names) {
    for (String name : names) {
      specs.add(TensorSpec.of(name, DType.FLOAT32, Shape.of(2, 2)));
    }
  }

  /** One with tensors of usual names. */
  static Toy usual() {
    return new Toy("weight", "bias", "frozen");
  }

  void advance() {
    step++;
    losses.add(Double.toString(1.0 / step));
  }

  float value(int tensor) {
    if (diverged) {
      return Float.NaN;
    }
    return specs.get(tensor).name().equals("frozen") ? 7 : step + tensor;
  }

  @Override
  public void capture(StateSink sink) {
    for (int i = 0; i < specs.size(); i++) {
      float value = value(i);
      sink.tensor(
          specs.get(i),
          (offset, into) -> {
            into.order(ByteOrder.LITTLE_ENDIAN);
            while (into.remaining() >= 4) {
              into.putFloat(value);
            }
          },
          Stability.COPY_NOW);
    }
    sink.value("state", Map.of("train_loss", List.copyOf(losses), "step", step));
  }

  @Override
  public void restore(StateView view) {
    step =
        ((Number) Objects.requireNonNull(view.value("state", Map.class).get("step"))).longValue();
    ByteBuffer first = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    view.read(specs.get(0).name(), 0, first);
  }
}
