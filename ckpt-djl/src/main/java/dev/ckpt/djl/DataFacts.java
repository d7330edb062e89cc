package dev.ckpt.djl;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What can be told of a dataset from outside. */
final class DataFacts {
  private DataFacts() {}

  /**
   * Which samples of a whole a sub-dataset holds.
   *
   * @param whole the dataset that was cut
   * @param members indices there
   * @param digest of the set of indices, by which a later process knows the part
   * @param order digest of their order
   */
  record Part(Object whole, BitSet members, String digest, String order) {}

  /**
   * The part that a dataset is; empty for a whole one, or one of a class that keeps its indices in
   * another way than DJL does.
   */
  static Optional<Part> part(Object dataset) {
    MessageDigest order = sha256();
    long[] members = null;
    Object whole = dataset;
    for (Object level = dataset; level != null; level = field(level, "dataset")) {
      long[] own = indices(level, order);
      if (own != null) {
        members = members == null ? own : Arrays.stream(members).map(i -> own[(int) i]).toArray();
      }
      whole = level;
    }
    if (members == null) {
      return Optional.empty();
    }
    BitSet set = new BitSet();
    Arrays.stream(members).forEach(index -> set.set((int) index));
    byte[] digest = sha256().digest(set.toByteArray());
    return Optional.of(new Part(whole, set, hex(digest), hex(order.digest())));
  }

  private static String hex(byte[] digest) {
    return HexFormat.of().formatHex(digest, 0, 16);
  }

  /** Into the next level; null if this is no part of it. */
  private static long @Nullable [] indices(Object level, MessageDigest digest) {
    if (field(level, "indices") instanceof int[] indices
        && field(level, "from") instanceof Integer from
        && field(level, "to") instanceof Integer to) {
      ByteBuffer bytes = ByteBuffer.allocate((to - from) * Integer.BYTES);
      for (int i = from; i < to; i++) {
        bytes.putInt(indices[i]);
      }
      digest.update(bytes.array());
      return Arrays.stream(indices, from, to).asLongStream().toArray();
    }
    if (field(level, "subIndices") instanceof List<?> indices) {
      indices.forEach(index -> digest.update((index + ",").getBytes(UTF_8)));
      return indices.stream().mapToLong(index -> ((Number) index).longValue()).toArray();
    }
    return null;
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
