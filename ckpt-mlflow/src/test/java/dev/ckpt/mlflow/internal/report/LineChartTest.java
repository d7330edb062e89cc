package dev.ckpt.mlflow.internal.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A chart whatever the numbers: it is drawn in the JVM of a training. */
class LineChartTest {
  private static final Pattern NUMBER = Pattern.compile(" (?:cx|cy|x1|x2|y1|y2|x|y)=\"([^\"]*)\"");
  private static final double[] ODD = {
    0,
    -0.0,
    1,
    -1,
    -1.0000000000000002,
    1e18,
    1e18 + 128,
    Double.MIN_VALUE,
    -Double.MIN_VALUE,
    Double.MIN_NORMAL,
    Double.MAX_VALUE,
    -Double.MAX_VALUE,
    Double.NaN,
    Double.POSITIVE_INFINITY,
    Double.NEGATIVE_INFINITY
  };

  private static void draw(double[] x, double[] y) {
    String svg =
        LineChart.of("t", List.of(new LineChart.Line("l", x, y)), "step", Html::number, 470);
    assertThat(svg.length()).isLessThan(20_000);
    assertThat(svg).doesNotContain("NaN", "Infinity");
    if (!svg.isEmpty()) {
      assertThat(svg.split("class=\"tick\"", -1)).hasSizeBetween(3, 26);
    }
    Matcher number = NUMBER.matcher(svg);
    while (number.find()) {
      assertThat(Double.parseDouble(number.group(1))).as(svg).isBetween(-60.0, 520.0);
    }
  }

  @Test
  void everyPairOfOddNumbersHasAnAxis() {
    for (double a : ODD) {
      for (double b : ODD) {
        draw(new double[] {1, 2}, new double[] {a, b});
        draw(new double[] {a, b}, new double[] {1, 2});
        draw(new double[] {a, b}, new double[] {b, a});
      }
    }
  }

  @Test
  void randomBitsHaveAnAxis() {
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int i = 0; i < 20_000; i++) {
      double[] y = {
        Double.longBitsToDouble(random.nextLong()), Double.longBitsToDouble(random.nextLong())
      };
      draw(new double[] {1, 2}, y);
      draw(new double[] {i, i + 1}, new double[] {y[0], Math.nextUp(y[0])});
    }
  }
}
