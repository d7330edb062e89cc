package dev.ckpt.djl;

import static java.nio.charset.StandardCharsets.UTF_8;

import ai.djl.training.dataset.RandomAccessDataset;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What can be told of a dataset from outside. */
final class DataFacts {
  private DataFacts() {}

  /**
   * A digest of which samples a sub-dataset holds; empty for a whole dataset, or one of a class
   * that keeps its indices in another way than DJL does.
   */
  static Optional<String> subset(RandomAccessDataset dataset) {
    MessageDigest digest = sha256();
    boolean found = false;
    Object level = dataset;
    while (level != null) {
      if (field(level, "indices") instanceof int[] indices
          && field(level, "from") instanceof Integer from
          && field(level, "to") instanceof Integer to) {
        ByteBuffer bytes = ByteBuffer.allocate((to - from) * Integer.BYTES);
        for (int i = from; i < to; i++) {
          bytes.putInt(indices[i]);
        }
        digest.update(bytes.array());
        found = true;
      } else if (field(level, "subIndices") instanceof List<?> indices) {
        indices.forEach(index -> digest.update((index + ",").getBytes(UTF_8)));
        found = true;
      }
      level = field(level, "dataset");
    }
    return found ? Optional.of(HexFormat.of().formatHex(digest.digest(), 0, 16)) : Optional.empty();
  }

  private static @Nullable Object field(Object owner, String name) {
    if (!owner.getClass().getName().startsWith("ai.djl.")) {
      return null;
    }
    try {
      Field field = owner.getClass().getDeclaredField(name);
      return PrivateField.<@Nullable Object>of(field).get(owner);
    } catch (NoSuchFieldException e) {
      return null;
    }
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError("every JDK has SHA-256", e);
    }
  }
}
