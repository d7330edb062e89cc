package dev.ckpt.mlflow.internal.report;

import java.util.ArrayList;
import java.util.List;

/**
 * What an axis spans, and where its marks stand. Whatever the numbers: values that differ in their
 * last bit, and values whose difference no number holds, have an axis with a few marks, too.
 *
 * @param scale by which {@code low} and {@code high} are smaller than the values
 * @param step between two marks, scaled
 */
record Axis(double low, double high, double step, double scale) {
  private static final int MARKS = 4;

  /** Beyond that, a difference of two might be infinite. */
  private static final double MOST = Double.MAX_VALUE / 16;

  /** Below that, a share of a difference might be zero. */
  private static final double LEAST = 0x1p-900;

  /** Below that share of the values, their difference is noise. */
  private static final double FLAT = 1e-9;

  /** An axis that begins and ends with a mark. */
  static Axis round(double min, double max) {
    Axis exact = exact(min, max);
    double low = Math.floor(exact.low / exact.step) * exact.step;
    double high = Math.ceil(exact.high / exact.step) * exact.step;
    return new Axis(low, high > low ? high : low + exact.step, exact.step, exact.scale);
  }

  /** An axis that ends where the values do. */
  static Axis exact(double min, double max) {
    double size = Math.max(Math.abs(min), Math.abs(max));
    // powers of two, so that no value loses a bit
    double scale = size > MOST ? 0x1p10 : size < LEAST && size > 0 ? 0x1p-200 : 1;
    double low = min / scale;
    double high = max / scale;
    if (high - low <= size / scale * FLAT) {
      double around = size == 0 ? 1 : size / scale * 0.1;
      low -= around;
      high += around;
    }
    return new Axis(low, high, niceStep((high - low) / MARKS), scale);
  }

  /** The same with marks at whole numbers. */
  Axis whole() {
    return new Axis(low, high, Math.max(step, 1 / scale), scale);
  }

  /** Values at which there are marks. */
  List<Double> marks() {
    List<Double> marks = new ArrayList<>();
    double first = Math.ceil(low / step - 1e-6);
    // counted, because a sum might never get beyond the end
    for (int i = 0; i <= 2 * MARKS + 2; i++) {
      double mark = (first + i) * step;
      if (mark > high + step * 1e-6) {
        break;
      }
      double value = Math.abs(mark) < step * 1e-6 ? 0 : mark * scale;
      if (Double.isFinite(value)) {
        marks.add(value);
      }
    }
    return marks;
  }

  /** Where a value lies between two places. */
  double place(double value, double from, double to) {
    return from + (value / scale - low) / (high - low) * (to - from);
  }

  private static double niceStep(double raw) {
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  }
}
