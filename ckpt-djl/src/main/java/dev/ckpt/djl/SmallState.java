package dev.ckpt.djl;

import dev.ckpt.Checkpointable;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * State of a few values. It can be frozen: while an epoch is being validated and its listeners run,
 * a save still writes the values as they were when the epoch's last batch was done.
 */
abstract class SmallState implements Checkpointable {
  private static final String NAME = "state";

  private @Nullable Map<String, ?> frozen;

  /** The state as JSON values, as {@link StateSink#value} takes them. */
  abstract Map<String, ?> read();

  /** Takes over what {@link #read} gave. */
  abstract void write(Map<String, ?> state);

  final void freeze() {
    freeze(read());
  }

  /** A save holds these values until it thaws. */
  final void freeze(Map<String, ?> values) {
    frozen = values;
  }

  final void thaw() {
    frozen = null;
  }

  /** Back to the values as they were frozen; does nothing if they are not. */
  final void rollBack() {
    Map<String, ?> values = frozen;
    if (values != null) {
      goBack(values);
      thaw();
    }
  }

  /** As {@link #write}, in the process that wrote them; what came since is undone, too. */
  void goBack(Map<String, ?> values) {
    write(values);
  }

  @Override
  public final void capture(StateSink sink) {
    Map<String, ?> values = frozen;
    sink.value(NAME, values == null ? read() : values);
  }

  @Override
  @SuppressWarnings("unchecked") // keys of a JSON object are strings
  public final void restore(StateView view) {
    frozen = null;
    write((Map<String, ?>) view.value(NAME, Map.class));
  }

  static long number(Map<String, ?> state, String name) {
    if (state.get(name) instanceof Number number) {
      return number.longValue();
    }
    throw new IllegalArgumentException("the checkpoint holds no number " + name + ": " + state);
  }
}
