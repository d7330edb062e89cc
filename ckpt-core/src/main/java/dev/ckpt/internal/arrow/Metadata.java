package dev.ckpt.internal.arrow;

import dev.ckpt.CheckpointException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.apache.arrow.flatbuf.KeyValue;
import org.jspecify.annotations.Nullable;

/**
 * Reads flatbuffers that somebody else may have made. Their classes check next to nothing: offsets
 * may lead out of the buffer, which throws all kinds of exceptions, or many of them to the same
 * bytes, so that a small file describes gigabytes. Hence {@link #guarded}, and hence a budget: what
 * is read as text can, in an honest file, not exceed the footer.
 */
final class Metadata {

  private final String file;
  private long budget;

  Metadata(String file, long budget) {
    this.file = file;
    this.budget = budget;
  }

  /** Runs code that reads flatbuffers; whatever goes wrong in them means a corrupt file. */
  static <T> T guarded(String file, Supplier<T> read) {
    try {
      return read.get();
    } catch (CheckpointException e) {
      throw e;
    } catch (RuntimeException e) {
      throw new CheckpointException.Corrupt(
          file + " is no shard: its Arrow metadata is damaged", e);
    }
  }

  CheckpointException.Corrupt corrupt(String problem) {
    return new CheckpointException.Corrupt(file + " is no shard: " + problem);
  }

  /** For values that must be there. */
  <T> T present(@Nullable T value, String what) {
    if (value == null) {
      throw corrupt(what + " is missing");
    }
    return value;
  }

  /** Key-values whose text counts against the budget. */
  SortedMap<String, String> keyValues(int count, IntFunction<@Nullable KeyValue> entries) {
    SortedMap<String, String> all = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      KeyValue entry = present(entries.apply(i), "a metadata entry");
      String key = text(entry.keyAsByteBuffer());
      if (all.put(key, text(entry.valueAsByteBuffer())) != null) {
        throw corrupt("metadata key '" + key + "' is there twice");
      }
    }
    return all;
  }

  /** Key-values of a field: many fields share them, so not the sum is bounded, but each. */
  SortedMap<String, String> shared(int count, IntFunction<@Nullable KeyValue> entries) {
    if (count > 16) {
      throw corrupt("a column has " + count + " metadata entries");
    }
    Metadata bounded = new Metadata(file, 8192);
    return bounded.keyValues(count, entries);
  }

  String text(@Nullable ByteBuffer utf8) {
    ByteBuffer bytes = present(utf8, "a text");
    budget -= bytes.remaining();
    if (budget < 0) {
      throw corrupt("its metadata describes more text than it holds");
    }
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new CheckpointException.Corrupt(file + " is no shard: a text is not UTF-8", e);
    }
  }
}
