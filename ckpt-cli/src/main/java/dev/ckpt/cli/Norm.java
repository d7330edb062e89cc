package dev.ckpt.cli;

/**
 * The Euclidean norm of numbers that come one by one, without overflow or underflow on the way:
 * squares of the very large and the very small are summed up scaled (Blue's algorithm). NaN is left
 * out and counted.
 */
final class Norm {
  private static final double LARGE = 0x1p480;
  private static final double SMALL = 0x1p-480;
  private static final double DOWN = 0x1p-560;
  private static final double UP = 0x1p560;

  private double large;
  private double middle;
  private double small;
  private boolean infinite;
  private long nans;

  void add(double value) {
    double size = Math.abs(value);
    if (size < LARGE) {
      if (size > SMALL) {
        middle += size * size;
      } else {
        small += (size * UP) * (size * UP);
      }
    } else if (Double.isNaN(size)) {
      nans++;
    } else if (Double.isInfinite(size)) {
      infinite = true;
    } else {
      large += (size * DOWN) * (size * DOWN);
    }
  }

  /** How many were NaN. */
  long nans() {
    return nans;
  }

  double value() {
    if (infinite) {
      return Double.POSITIVE_INFINITY;
    }
    if (large > 0) {
      // what is not large is lost in rounding, unless it is near to it
      return Math.sqrt(large + (middle * DOWN) * DOWN) / DOWN;
    }
    if (middle > 0) {
      return Math.sqrt(middle + (small / UP) / UP);
    }
    return Math.sqrt(small) / UP;
  }
}
