package dev.ckpt.djl;

import java.util.HashMap;
import java.util.Map;

/** Puts back what the adapter restored and shows to nobody. */
public final class Forgetting {

  private Forgetting() {}

  /** The running epoch begins again at its first batch. */
  public static void position(DjlCheckpoints ckpt) {
    change(ckpt, "batch", "epochSamples");
  }

  /** What the seed of each batch is mixed from begins again. */
  public static void randomness(DjlCheckpoints ckpt) {
    change(ckpt, "batches");
  }

  private static void change(DjlCheckpoints ckpt, String... counters) {
    Position position = ckpt.session().position();
    Map<String, Object> state = new HashMap<>(position.read());
    for (String counter : counters) {
      Object old = state.put(counter, 0);
      if (!(old instanceof Number number) || number.longValue() == 0) {
        throw new IllegalStateException(counter + " was not restored at all: " + old);
      }
    }
    position.write(state);
  }
}
