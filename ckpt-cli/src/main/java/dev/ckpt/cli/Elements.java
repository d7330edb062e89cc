package dev.ckpt.cli;

import dev.ckpt.DType;
import java.nio.ByteBuffer;

/** Elements of tensors as numbers. */
final class Elements {

  private Elements() {}

  /** The bits of an element, not extended: two are equal if these are. */
  static long bits(DType type, ByteBuffer from, int at) {
    return switch (type.bytes()) {
      case 8 -> from.getLong(at);
      case 4 -> from.getInt(at);
      case 2 -> from.getShort(at);
      default -> from.get(at);
    };
  }

  /** An integer of 64 bits; one of uint64 wraps around. */
  static long whole(DType type, long bits) {
    return switch (type) {
      case UINT32 -> bits & 0xffff_ffffL;
      case UINT16 -> bits & 0xffffL;
      case UINT8, BOOL -> bits & 0xffL;
      case INT64, INT32, INT16, INT8, UINT64 -> bits;
      case FLOAT64, FLOAT32, FLOAT16, BFLOAT16 ->
          throw new IllegalArgumentException(type + " is not whole");
    };
  }

  /** The number, rounded if it does not fit. */
  static double number(DType type, long bits) {
    return switch (type) {
      case FLOAT64 -> Double.longBitsToDouble(bits);
      case FLOAT32 -> Float.intBitsToFloat((int) bits);
      case BFLOAT16 -> Float.intBitsToFloat((int) bits << 16);
      case FLOAT16 -> half((int) bits);
      case UINT64 -> unsigned(bits);
      default -> (double) whole(type, bits);
    };
  }

  /** The distance of two integers, which fits 64 bits without sign. */
  static long distance(DType type, long a, long b) {
    long left = whole(type, a);
    long right = whole(type, b);
    boolean ordered = type == DType.UINT64 ? Long.compareUnsigned(left, right) >= 0 : left >= right;
    return ordered ? left - right : right - left;
  }

  /** A number without sign, rounded once. */
  static double unsigned(long bits) {
    if (bits >= 0) {
      return (double) bits;
    }
    // the lowest bit stays sticky, so that halving does not round twice
    return ((bits >>> 1) | (bits & 1)) * 2.0;
  }

  /** IEEE 754 binary16; the JDK converts it from 20 on. */
  private static double half(int bits) {
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    double size =
        switch (exponent) {
          case 0 -> fraction * 0x1p-24;
          case 0x1f -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
          default -> Math.scalb((double) (fraction | 0x400), exponent - 25);
        };
    return (bits & 0x8000) == 0 ? size : -size;
  }
}
