package dev.ckpt.cli;

import dev.ckpt.DType;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.LongConsumer;

/**
 * How two tensors of one type and shape differ. An element has changed if its bits have: a NaN
 * equals itself, and 0.0 and -0.0 differ, by nothing.
 *
 * @param elements how many there are
 * @param changed how many of them differ
 * @param normA the Euclidean norm of the first, NaN left out
 * @param normB of the second
 * @param nansA how many of the first are NaN
 * @param nansB of the second
 * @param largest the largest difference of two that are no NaN: a {@link Double}, for integers an
 *     exact {@link BigInteger}
 */
record TensorDiff(
    long elements,
    long changed,
    double normA,
    double normB,
    long nansA,
    long nansB,
    Number largest) {

  /** A multiple of the chunks that are verified, so that none is read twice. */
  private static final int WINDOW = 4 << 20;

  boolean equal() {
    return changed == 0;
  }

  /**
   * Compares, window by window.
   *
   * @param onBytes told of bytes of each side as they are read
   */
  static TensorDiff between(
      StateView a, StateView b, String name, TensorSpec spec, LongConsumer onBytes) {
    long bytes = spec.bytes();
    int window = (int) Math.min(WINDOW, Math.max(1, bytes));
    Comparison comparison = new Comparison(spec.type());
    ByteBuffer left = ByteBuffer.allocate(window).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer right = ByteBuffer.allocate(window).order(ByteOrder.LITTLE_ENDIAN);
    for (long at = 0; at < bytes; at += window) {
      int length = (int) Math.min(window, bytes - at);
      a.read(name, at, left.clear().limit(length));
      b.read(name, at, right.clear().limit(length));
      comparison.add(left.flip(), right.flip());
      onBytes.accept(2L * length);
    }
    return comparison.result(spec.shape().elements());
  }

  /** What is summed up over the windows. */
  private static final class Comparison {
    private final DType type;
    private final Norm a = new Norm();
    private final Norm b = new Norm();
    private long changed;
    private long largestWhole;
    private double largest;

    Comparison(DType type) {
      this.type = type;
    }

    void add(ByteBuffer left, ByteBuffer right) {
      boolean same = left.mismatch(right) < 0;
      for (int at = 0; at < left.limit(); at += type.bytes()) {
        long bitsA = Elements.bits(type, left, at);
        double valueA = Elements.number(type, bitsA);
        a.add(valueA);
        if (!same) {
          long bitsB = Elements.bits(type, right, at);
          double valueB = Elements.number(type, bitsB);
          b.add(valueB);
          if (bitsA != bitsB) {
            differ(bitsA, bitsB, valueA, valueB);
          }
        } else {
          b.add(valueA);
        }
      }
    }

    private void differ(long bitsA, long bitsB, double valueA, double valueB) {
      changed++;
      if (!type.isFloating()) {
        long distance = Elements.distance(type, bitsA, bitsB);
        largestWhole = Long.compareUnsigned(distance, largestWhole) > 0 ? distance : largestWhole;
      } else if (!Double.isNaN(valueA) && !Double.isNaN(valueB)) {
        largest = Math.max(largest, Math.abs(valueA - valueB));
      }
    }

    private Number largest() {
      if (type.isFloating()) {
        return largest;
      }
      return new BigInteger(Long.toUnsignedString(largestWhole));
    }

    TensorDiff result(long elements) {
      return new TensorDiff(elements, changed, a.value(), b.value(), a.nans(), b.nans(), largest());
    }
  }
}
