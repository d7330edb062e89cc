package dev.ckpt.dl4j;

import dev.ckpt.Checkpointable;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.util.Map;

/** State of a few values. A checkpoint that does not hold them leaves them as they are. */
abstract class SmallState implements Checkpointable {
  private static final String NAME = "state";

  /** The state as JSON values, as {@link StateSink#value} takes them. */
  abstract Map<String, ?> read();

  /** Takes over what {@link #read} gave. */
  abstract void write(Map<String, ?> state);

  @Override
  public final void capture(StateSink sink) {
    sink.value(NAME, read());
  }

  @Override
  @SuppressWarnings("unchecked") // keys of a JSON object are strings
  public final void restore(StateView view) {
    if (view.values().contains(NAME)) {
      write((Map<String, ?>) view.value(NAME, Map.class));
    }
  }

  static long number(Map<String, ?> state, String name) {
    if (state.get(name) instanceof Number number) {
      return number.longValue();
    }
    throw new IllegalArgumentException("the checkpoint holds no number " + name + ": " + state);
  }

  /** A double that JSON need not be able to say: NaN, infinity. */
  static double real(Map<String, ?> state, String name) {
    if (state.get(name) instanceof String text) {
      return Double.parseDouble(text);
    }
    throw new IllegalArgumentException("the checkpoint holds no number " + name + ": " + state);
  }
}
