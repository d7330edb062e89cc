package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * States of the golden store: functions of a number, so that whoever reads knows what must be
 * there. Never change what they give: the files that hold it cannot change.
 */
final class GoldenState implements Checkpointable {

  final Map<TensorSpec, byte[]> tensors = new LinkedHashMap<>();
  final Map<String, Object> values = new LinkedHashMap<>();
  final Map<String, byte[]> opaque = new LinkedHashMap<>();

  /** A small model after {@code step} updates. */
  static GoldenState after(long step) {
    GoldenState state = new GoldenState();
    ByteBuffer weight = ByteBuffer.allocate(6 * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < 6; i++) {
      weight.putFloat(step + i / 8f);
    }
    state.tensors.put(
        TensorSpec.of("fc.weight", DType.FLOAT32, Shape.of(2, 3)), weight.array().clone());
    state.values.put("updates", step);
    state.values.put("schedule", "cosine");
    state.opaque.put("rng", ("rng after " + step).getBytes(StandardCharsets.US_ASCII));
    return state;
  }

  /** The same with a NaN among its weights. */
  static GoldenState diverged(long step) {
    GoldenState state = after(step);
    ByteBuffer.wrap(state.tensors.values().iterator().next())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putFloat(4, Float.NaN);
    return state;
  }

  /** Every element type, shape, placement and kind of value and name. */
  static GoldenState ofAllKinds() {
    GoldenState state = new GoldenState();
    for (DType type : DType.values()) {
      state.add(TensorSpec.of("types/" + type.id(), type, Shape.of(2, 3)));
    }
    state.add(TensorSpec.of("scalar", DType.FLOAT64, Shape.of()));
    state.add(TensorSpec.of("empty/first", DType.FLOAT32, Shape.of(0, 4)));
    state.add(TensorSpec.of("odd 50% #1\u0001\u0085/\u00fc\ud83d\ude00", DType.INT8, Shape.of(3)));
    state.add(TensorSpec.of("lone\ud800", DType.INT8, Shape.of(1)));
    state.add(TensorSpec.of("rows", DType.INT16, Shape.of(40)));
    state.add(new TensorSpec("everywhere", DType.FLOAT32, Shape.of(2), Placement.REPLICATED));
    state.add(
        new TensorSpec(
            "part",
            DType.FLOAT32,
            Shape.of(1, 4),
            new Placement.Slice(Shape.of(8, 4), Shape.of(2, 0))));
    state.add(TensorSpec.of("empty/last", DType.BOOL, Shape.of(3, 0)));
    state.values.put("text", "line\n\"quoted\" \u00fc \ud83d\ude00 \u0001");
    state.values.put("flag", true);
    state.values.put("smallest", Long.MIN_VALUE);
    state.values.put(
        "numbers",
        new Double[] {
          0.0,
          -0.0,
          1.0,
          0.1,
          1e300,
          -2.5e-7,
          1234567890123456.0,
          1e16,
          Double.MIN_VALUE,
          Math.PI,
          Double.NaN,
          Double.POSITIVE_INFINITY,
          Double.NEGATIVE_INFINITY
        });
    state.values.put("nested", Map.of("b", List.of(), "a", Map.of("\u00fc", List.of(true, "x"))));
    state.opaque.put("none", new byte[0]);
    state.opaque.put("some", new byte[] {0, 1, (byte) 0xff});
    return state;
  }

  /** Finite contents that differ for each tensor and byte. */
  private void add(TensorSpec spec) {
    byte[] bytes = new byte[(int) spec.bytes()];
    for (int i = 0; i < bytes.length; i++) {
      int value = (i * 7 + tensors.size() * 13 + 5) % 0x38;
      bytes[i] = (byte) (spec.type() == DType.BOOL ? value % 2 : value);
    }
    tensors.put(spec, bytes);
  }

  @Override
  public void capture(StateSink sink) {
    tensors.forEach(
        (spec, bytes) ->
            sink.tensor(
                spec,
                (offset, into) -> into.put(bytes, (int) offset, into.remaining()),
                Stability.STABLE_UNTIL_UPDATE));
    values.forEach(
        (name, value) -> sink.value(name, value instanceof Double[] list ? List.of(list) : value));
    opaque.forEach((name, bytes) -> sink.bytes(name, ByteBuffer.wrap(bytes)));
  }

  /** Fails unless the view is of exactly this state. */
  void assertIs(StateView view) {
    assertThat(view.names()).containsExactlyElementsOf(names());
    tensors.forEach(
        (spec, bytes) -> {
          assertThat(view.spec(spec.name())).isEqualTo(spec);
          ByteBuffer read = ByteBuffer.allocate(bytes.length);
          view.read(spec.name(), 0, read);
          assertThat(read.array()).as(spec.name()).isEqualTo(bytes);
        });
    assertThat(view.opaque()).containsExactlyInAnyOrderElementsOf(opaque.keySet());
    opaque.forEach(
        (name, bytes) -> {
          ByteBuffer read = view.bytes(name);
          byte[] contents = new byte[read.remaining()];
          read.get(contents);
          assertThat(contents).as(name).isEqualTo(bytes);
        });
    assertThat(view.values()).containsExactlyInAnyOrderElementsOf(values.keySet());
    values.forEach(
        (name, value) -> {
          Class<?> type =
              value instanceof Double[] || value instanceof Long ? value.getClass() : Object.class;
          assertThat((Object) view.value(name, type)).as(name).isEqualTo(value);
        });
  }

  private List<String> names() {
    return tensors.keySet().stream().map(TensorSpec::name).toList();
  }

  /** Takes over a state of {@link #after} or {@link #diverged}, whichever it is. */
  @Override
  public void restore(StateView view) {
    ByteBuffer second = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    view.read("fc.weight", 4, second);
    long step = view.value("updates", Long.class);
    GoldenState there = Float.isNaN(second.getFloat(0)) ? diverged(step) : after(step);
    there.assertIs(view);
    tensors.clear();
    tensors.putAll(there.tensors);
    values.putAll(there.values);
    opaque.putAll(there.opaque);
  }

  long updates() {
    return (Long) values.getOrDefault("updates", 0L);
  }
}
