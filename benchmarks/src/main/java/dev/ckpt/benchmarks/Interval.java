package dev.ckpt.benchmarks;

import java.util.Arrays;

/**
 * The median of measurements and where the true median lies with 95 % confidence, by order
 * statistics: no distribution is assumed, and no random numbers are needed.
 *
 * @param median of the sample
 * @param low lower end; NaN if there are too few measurements for 95 %
 * @param high upper end; NaN likewise
 */
record Interval(double median, double low, double high) {

  static Interval of(double... sample) {
    double[] sorted = sample.clone();
    Arrays.sort(sorted);
    int n = sorted.length;
    double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    int outside = outside(n);
    return outside == 0
        ? new Interval(median, Double.NaN, Double.NaN)
        : new Interval(median, sorted[outside - 1], sorted[n - outside]);
  }

  /**
   * The rank of the end of the interval: the largest r for which fewer than r of n fair coins show
   * heads with a probability of at most 2.5 %. 0 if there is none.
   */
  private static int outside(int n) {
    double point = Math.pow(0.5, n);
    double below = 0;
    int rank = 0;
    while (below + point <= 0.025) {
      below += point;
      point = point * (n - rank) / (rank + 1);
      rank++;
    }
    return rank;
  }
}
