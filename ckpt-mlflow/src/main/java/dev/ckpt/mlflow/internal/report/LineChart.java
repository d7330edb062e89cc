package dev.ckpt.mlflow.internal.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;

/**
 * Lines over a common axis, as SVG that needs nothing from outside. What is not finite is left out.
 */
final class LineChart {
  private static final int HEIGHT = 240;
  private static final int RIGHT = 16;
  private static final int TOP = 14;
  private static final int BOTTOM = 34;
  private static final int MOST_DOTS = 60;

  /**
   * A line.
   *
   * @param x and {@code y} of equal length
   */
  record Line(String name, double[] x, double[] y) {}

  private LineChart() {}

  /**
   * The chart; empty if there is nothing to draw.
   *
   * @param axis what x is
   * @param unit writes a value of y
   * @param width in the page's pixels
   */
  static String of(
      String title, List<Line> lines, String axis, DoubleFunction<String> unit, int width) {
    List<Line> drawn = new ArrayList<>();
    double minX = Double.POSITIVE_INFINITY;
    double maxX = Double.NEGATIVE_INFINITY;
    double minY = Double.POSITIVE_INFINITY;
    double maxY = Double.NEGATIVE_INFINITY;
    for (Line line : lines) {
      Line finite = finite(line);
      if (finite.x().length == 0) {
        continue;
      }
      drawn.add(finite);
      for (int i = 0; i < finite.x().length; i++) {
        minX = Math.min(minX, finite.x()[i]);
        maxX = Math.max(maxX, finite.x()[i]);
        minY = Math.min(minY, finite.y()[i]);
        maxY = Math.max(maxY, finite.y()[i]);
      }
    }
    if (drawn.isEmpty()) {
      return "";
    }
    // an axis from zero, unless what differs would not be seen: values that lie close together, but
    // not so close that all marks of the axis would read alike
    if (minY > 0 && (maxY - minY > minY * 0.2 || maxY - minY < minY * 0.01)) {
      minY = 0;
    }
    Axis y = Axis.round(minY, maxY);
    Axis x = (maxX == minX ? Axis.exact(minX - 1, maxX + 1) : Axis.exact(minX, maxX)).whole();
    // room for the longest mark, at the size of letters that report.css gives
    int left =
        12 + y.marks().stream().mapToInt(mark -> unit.apply(mark).length()).max().orElse(0) * 7;
    StringBuilder svg = new StringBuilder();
    svg.append(
        format(
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
            width, HEIGHT, Html.text(title)));
    for (double mark : y.marks()) {
      double at = y.place(mark, HEIGHT - BOTTOM, TOP);
      svg.append(
          format(
              "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
              left, width - RIGHT, at, at));
      svg.append(
          format(
              "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%s</text>",
              left - 8, at + 4, Html.text(unit.apply(mark))));
    }
    for (double mark : x.marks()) {
      svg.append(
          format(
              "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">%s</text>",
              x.place(mark, left, width - RIGHT),
              HEIGHT - BOTTOM + 18,
              Html.text(Html.number(mark))));
    }
    svg.append(
        format(
            "<text class=\"axis\" text-anchor=\"end\" x=\"%d\" y=\"%d\">%s</text>",
            width - RIGHT, HEIGHT - 2, Html.text(axis)));
    for (int i = 0; i < drawn.size(); i++) {
      draw(svg, drawn.get(i), i % Html.COLOURS, x, y, left, width);
    }
    return svg.append("</svg>").toString();
  }

  private static void draw(
      StringBuilder svg,
      Line line,
      int colour,
      Axis horizontal,
      Axis vertical,
      int left,
      int width) {
    StringBuilder points = new StringBuilder();
    StringBuilder dots = new StringBuilder();
    for (int i = 0; i < line.x().length; i++) {
      double x = horizontal.place(line.x()[i], left, width - RIGHT);
      double y = vertical.place(line.y()[i], HEIGHT - BOTTOM, TOP);
      points.append(format(i == 0 ? "%.1f,%.1f" : " %.1f,%.1f", x, y));
      if (line.x().length <= MOST_DOTS) {
        dots.append(
            format("<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\"/>", colour, x, y));
      }
    }
    svg.append(format("<polyline class=\"l%d\" points=\"%s\"/>", colour, points)).append(dots);
  }

  private static Line finite(Line line) {
    int n = 0;
    double[] x = new double[line.x().length];
    double[] y = new double[line.x().length];
    for (int i = 0; i < line.x().length; i++) {
      if (Double.isFinite(line.x()[i]) && Double.isFinite(line.y()[i])) {
        x[n] = line.x()[i];
        y[n++] = line.y()[i];
      }
    }
    return new Line(line.name(), Arrays.copyOf(x, n), Arrays.copyOf(y, n));
  }

  private static String format(String form, Object... values) {
    return String.format(Locale.ROOT, form, values);
  }
}
