package dev.ckpt.internal.shard;

import dev.ckpt.DType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Looks for NaN and infinity at the speed of memory, eight bytes at a time.
 *
 * <p>A floating-point number is finite unless all bits of its exponent are set. Each 64-bit word
 * holds one, two or four numbers (lanes). Masked to the exponents and with the exponent's lowest
 * bit added, exactly the lanes whose exponent was all ones carry into the place of their sign,
 * which the mask had cleared: the carry cannot leave the lane. The words are OR-ed and the signs
 * tested once at the end, without a branch per word.
 */
public final class FiniteScan {

  private static final int BLOCK = 64;

  private FiniteScan() {}

  /**
   * Whether all elements are finite; true for every type that is not floating-point.
   *
   * @param data its remaining bytes are little-endian elements, whatever its byte order says; not
   *     changed
   * @throws IllegalArgumentException if they are no whole number of elements
   */
  public static boolean allFinite(ByteBuffer data, DType type) {
    if (data.remaining() % type.bytes() != 0) {
      throw new IllegalArgumentException(
          data.remaining() + " bytes are no whole number of " + type.id());
    }
    return switch (type) {
      case FLOAT64 -> scan(data, 0x7FF0000000000000L, 0x0010000000000000L, 0x8000000000000000L);
      case FLOAT32 -> scan(data, 0x7F8000007F800000L, 0x0080000000800000L, 0x8000000080000000L);
      case FLOAT16 -> scan(data, 0x7C007C007C007C00L, 0x0400040004000400L, 0x8000800080008000L);
      case BFLOAT16 -> scan(data, 0x7F807F807F807F80L, 0x0080008000800080L, 0x8000800080008000L);
      default -> true;
    };
  }

  private static boolean scan(ByteBuffer data, long exponent, long one, long sign) {
    ByteBuffer words = data.slice().order(ByteOrder.LITTLE_ENDIAN);
    int end = words.limit();
    int at = 0;
    long seen = 0;
    for (; at <= end - BLOCK; at += BLOCK) {
      seen |=
          ((words.getLong(at) & exponent) + one)
              | ((words.getLong(at + 8) & exponent) + one)
              | ((words.getLong(at + 16) & exponent) + one)
              | ((words.getLong(at + 24) & exponent) + one)
              | ((words.getLong(at + 32) & exponent) + one)
              | ((words.getLong(at + 40) & exponent) + one)
              | ((words.getLong(at + 48) & exponent) + one)
              | ((words.getLong(at + 56) & exponent) + one);
    }
    for (; at <= end - 8; at += 8) {
      seen |= (words.getLong(at) & exponent) + one;
    }
    long rest = 0;
    for (int i = at; i < end; i++) {
      rest |= (words.get(i) & 0xFFL) << (8 * (i - at));
    }
    seen |= (rest & exponent) + one;
    return (seen & sign) == 0;
  }
}
