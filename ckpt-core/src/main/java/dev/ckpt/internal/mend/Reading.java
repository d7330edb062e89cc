package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Records;
import java.io.IOException;
import java.util.Optional;
import java.util.function.BiFunction;

/** What stands under the key of a record. */
sealed interface Reading<T> {

  /** The record, as it was written. */
  record Whole<T>(T value) implements Reading<T> {}

  /** Something else. */
  record Damaged<T>(byte[] remains, String why) implements Reading<T> {}

  /** A record of a newer version: whole, and nothing for this one to touch. */
  record Newer<T>(String why) implements Reading<T> {}

  /** Nothing. */
  record Gone<T>() implements Reading<T> {}

  /**
   * Reads a record.
   *
   * @param decode throws {@link CheckpointException.Corrupt} also for a record that belongs
   *     elsewhere
   */
  static <T> Reading<T> of(Records records, String key, BiFunction<String, byte[], T> decode)
      throws IOException {
    byte[] remains = {};
    try {
      Optional<byte[]> bytes = records.read(key);
      if (bytes.isEmpty()) {
        return new Gone<>();
      }
      remains = bytes.get();
      return new Whole<>(decode.apply(key, remains));
    } catch (CheckpointException.Corrupt e) {
      return new Damaged<>(remains, String.valueOf(e.getMessage()));
    } catch (CheckpointException.Incompatible e) {
      return new Newer<>(String.valueOf(e.getMessage()));
    }
  }
}
