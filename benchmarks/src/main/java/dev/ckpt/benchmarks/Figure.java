package dev.ckpt.benchmarks;

import java.util.List;
import java.util.Locale;

/**
 * One line of the table.
 *
 * @param what is measured
 * @param goal the bound, in the same unit; NaN where there is none
 * @param atMost whether the goal is an upper bound
 * @param unit appended to numbers; empty for ratios
 * @param pairs how many measurements
 * @param value median and interval
 */
record Figure(String what, double goal, boolean atMost, String unit, int pairs, Interval value) {

  static Figure atMost(String what, double goal, String unit, List<Double> sample) {
    return new Figure(what, goal, true, unit, sample.size(), interval(sample));
  }

  static Figure atLeast(String what, double goal, List<Double> sample) {
    return new Figure(what, goal, false, "", sample.size(), interval(sample));
  }

  /** For information: no goal. */
  static Figure plain(String what, String unit, List<Double> sample) {
    return atMost(what, Double.NaN, unit, sample);
  }

  private static Interval interval(List<Double> sample) {
    return Interval.of(sample.stream().mapToDouble(Double::doubleValue).toArray());
  }

  private String verdict() {
    if (Double.isNaN(goal)) {
      return "";
    }
    return (atMost ? value.median() <= goal : value.median() >= goal) ? "met" : "missed";
  }

  private String number(double x) {
    return Double.isNaN(x) ? "-" : String.format(Locale.ROOT, x < 10 ? "%.3f" : "%.1f", x);
  }

  /** A Markdown table, which reads as plain text too. */
  static String table(List<Figure> figures) {
    StringBuilder table = new StringBuilder();
    String line = "| %-52s | %10s | %12s | %17s | %5s | %-6s |%n";
    table.append(
        String.format(line, "figure", "goal", "median", "95 % interval", "pairs", "goal is"));
    table.append(
        String.format(
            line,
            "-".repeat(52),
            "-".repeat(9) + ":",
            "-".repeat(11) + ":",
            "-".repeat(16) + ":",
            "----:",
            "------"));
    for (Figure figure : figures) {
      Interval value = figure.value;
      table.append(
          String.format(
              line,
              figure.what,
              Double.isNaN(figure.goal)
                  ? ""
                  : (figure.atMost ? "<= " : ">= ") + figure.number(figure.goal),
              (figure.number(value.median()) + " " + figure.unit).strip(),
              Double.isNaN(value.low())
                  ? "too few pairs"
                  : figure.number(value.low()) + " to " + figure.number(value.high()),
              figure.pairs,
              figure.verdict()));
    }
    return table.toString();
  }
}
