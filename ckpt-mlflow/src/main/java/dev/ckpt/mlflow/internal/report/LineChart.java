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
  private static final int LEFT = 64;
  private static final int RIGHT = 16;
  private static final int TOP = 14;
  private static final int BOTTOM = 34;
  private static final int TICKS = 4;
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
    double step = niceStep((maxY - minY) / TICKS);
    minY = Math.floor(minY / step) * step;
    maxY = Math.max(Math.ceil(maxY / step) * step, minY + step);
    if (maxX == minX) {
      minX -= 1;
      maxX += 1;
    }
    StringBuilder svg = new StringBuilder();
    svg.append(
        format(
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">",
            width, HEIGHT, Html.text(title)));
    for (double y = minY; y <= maxY + step / 2; y += step) {
      double at = place(y, minY, maxY, HEIGHT - BOTTOM, TOP);
      svg.append(
          format(
              "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
              LEFT, width - RIGHT, at, at));
      svg.append(
          format(
              "<text class=\"tick\" text-anchor=\"end\" x=\"%d\" y=\"%.1f\">%s</text>",
              LEFT - 8, at + 4, Html.text(unit.apply(Math.abs(y) < step / 1e6 ? 0 : y))));
    }
    double stepX = Math.max(1, niceStep((maxX - minX) / TICKS));
    for (double x = Math.ceil(minX / stepX) * stepX; x <= maxX; x += stepX) {
      svg.append(
          format(
              "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%d\">%s</text>",
              place(x, minX, maxX, LEFT, width - RIGHT),
              HEIGHT - BOTTOM + 18,
              Html.text(Html.number(x))));
    }
    svg.append(
        format(
            "<text class=\"axis\" text-anchor=\"end\" x=\"%d\" y=\"%d\">%s</text>",
            width - RIGHT, HEIGHT - 2, Html.text(axis)));
    for (int i = 0; i < drawn.size(); i++) {
      draw(svg, drawn.get(i), i % Html.COLOURS, new Frame(minX, maxX, minY, maxY, width));
    }
    return svg.append("</svg>").toString();
  }

  /** Which values the picture spans. */
  private record Frame(double minX, double maxX, double minY, double maxY, int width) {
    double x(double value) {
      return place(value, minX, maxX, LEFT, width - RIGHT);
    }

    double y(double value) {
      return place(value, minY, maxY, HEIGHT - BOTTOM, TOP);
    }
  }

  private static void draw(StringBuilder svg, Line line, int colour, Frame frame) {
    StringBuilder points = new StringBuilder();
    StringBuilder dots = new StringBuilder();
    for (int i = 0; i < line.x().length; i++) {
      double x = frame.x(line.x()[i]);
      double y = frame.y(line.y()[i]);
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

  private static double niceStep(double raw) {
    if (!(raw > 0) || Double.isInfinite(raw)) {
      return 1;
    }
    double power = Math.pow(10, Math.floor(Math.log10(raw)));
    double lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  }

  private static double place(double value, double min, double max, double from, double to) {
    return from + (value - min) / (max - min) * (to - from);
  }

  private static String format(String form, Object... values) {
    return String.format(Locale.ROOT, form, values);
  }
}
