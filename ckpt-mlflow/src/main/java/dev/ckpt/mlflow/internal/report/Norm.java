package dev.ckpt.mlflow.internal.report;

/** A Euclidean norm, summed up so that nothing overflows on the way. NaN makes it NaN. */
final class Norm {
  private static final double ONE = 1.0;

  private double scale;
  private double sum = ONE;

  /** LAPACK's way: {@code scale² · sum} is the sum of squares, and {@code scale} the largest. */
  void add(double value) {
    double size = Math.abs(value);
    if (size == 0 || Double.isNaN(scale)) {
      return;
    }
    if (Double.isNaN(size)) {
      scale = Double.NaN;
    } else if (Double.isInfinite(size) || Double.isInfinite(scale)) {
      scale = Double.POSITIVE_INFINITY;
      sum = ONE;
    } else if (scale < size) {
      double ratio = scale / size;
      sum = scale == 0 ? ONE : ONE + sum * ratio * ratio;
      scale = size;
    } else {
      double ratio = size / scale;
      sum += ratio * ratio;
    }
  }

  double value() {
    return scale == 0 ? 0 : scale * Math.sqrt(sum);
  }
}
