package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointStore;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What the golden store holds: every type, whole, as a scalar and empty, names that must be
 * escaped, more tensors than a node of the index has children, values and opaque bytes. What is in
 * it follows from the step.
 */
final class GoldenState implements Checkpointable {

  static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v1");
  static final String RUN = "golden";
  static final List<Long> STEPS = List.of(3L, 7L);

  private final long step;

  private GoldenState(long step) {
    this.step = step;
  }

  static String id(long step) {
    return String.format("000001-%012d-0", step);
  }

  /** Saves all of it into an empty store; only times and the attempt's nonce differ each time. */
  static void write(CheckpointStore store) {
    GoldenState[] now = {new GoldenState(0)};
    Checkpointable part =
        new Checkpointable() {
          @Override
          public void capture(StateSink sink) {
            now[0].capture(sink);
          }

          @Override
          public void restore(StateView view) {
            throw new AssertionError("a fresh start");
          }
        };
    try (CheckpointManager ckpt =
        CheckpointManager.in(store).run(RUN).format("hdf5").part("all", part).seed(42).open()) {
      ckpt.resume();
      for (long step : STEPS) {
        now[0] = new GoldenState(step);
        ckpt.save(Progress.step(step), Map.of("loss", 1.0 / step)).join();
      }
    }
  }

  static GoldenState after(long step) {
    return new GoldenState(step);
  }

  private static List<TensorSpec> specs() {
    List<TensorSpec> specs = new ArrayList<>();
    for (DType type : DType.values()) {
      specs.add(TensorSpec.of(type.id(), type, Shape.of(3, 5)));
      specs.add(TensorSpec.of("scalar/" + type.id(), type, Shape.of()));
      specs.add(TensorSpec.of("empty/" + type.id(), type, Shape.of(2, 0)));
    }
    for (String name : List.of(".", "..", "a//b", "100%", "#1", "\u00e9\u4e2d\ud83d\ude00", "\n")) {
      specs.add(TensorSpec.of(name, DType.INT8, Shape.of(1)));
    }
    for (int i = 0; i < 270; i++) {
      specs.add(TensorSpec.of("layer." + i, DType.INT8, Shape.of(1)));
    }
    return specs;
  }

  /** Finite numbers, whatever the type. */
  private byte element(DType type, long at) {
    return (byte) (type == DType.BOOL ? (at + step) % 2 : (at * 7 + step) % 60);
  }

  private void fill(DType type, long offset, ByteBuffer into) {
    for (long at = offset; into.hasRemaining(); at++) {
      into.put(element(type, at));
    }
  }

  @Override
  public void capture(StateSink sink) {
    for (TensorSpec spec : specs()) {
      sink.tensor(spec, (offset, into) -> fill(spec.type(), offset, into), Stability.COPY_NOW);
    }
    sink.value("step", step);
    sink.value("text", "\u00e9\u4e2d\ud83d\ude00");
    sink.bytes("opaque", ByteBuffer.wrap(new byte[] {1, 2, (byte) step}));
  }

  @Override
  public void restore(StateView view) {
    assertIs(view);
  }

  void assertIs(StateView view) {
    for (TensorSpec spec : specs()) {
      assertThat(view.spec(spec.name())).isEqualTo(spec);
      ByteBuffer found = ByteBuffer.allocate((int) spec.bytes());
      view.read(spec.name(), 0, found);
      ByteBuffer expected = ByteBuffer.allocate((int) spec.bytes());
      fill(spec.type(), 0, expected);
      assertThat(found.array()).as(spec.name()).isEqualTo(expected.array());
    }
    assertThat(view.names()).hasSize(specs().size());
    assertThat(view.value("step", Long.class)).isEqualTo(step);
    assertThat(view.value("text", String.class)).isEqualTo("\u00e9\u4e2d\ud83d\ude00");
    assertThat(view.bytes("opaque")).isEqualTo(ByteBuffer.wrap(new byte[] {1, 2, (byte) step}));
  }
}
