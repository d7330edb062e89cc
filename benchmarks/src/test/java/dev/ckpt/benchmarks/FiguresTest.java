package dev.ckpt.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FiguresTest {

  @Test
  void theTableIsCompleteAndNothingIsLeftBehind(@TempDir Path dir) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      Figures.run(dir, 4, 2, out);
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    assertThat(text).contains("in 150 tensors");
    assertThat(text.lines().filter(line -> line.startsWith("| ")).skip(2))
        .hasSize(14)
        .allMatch(
            line -> line.matches("\\| .+ \\| +\\S.* \\| .+ \\| +\\d+ \\| .*\\|"), "has a median");
    for (String figure :
        new String[] {
          "stall / memcpy",
          "durable save speed",
          "CPU of writing",
          "heap garbage per save",
          "off-heap peak",
          "restore speed / memcpy, one thread",
          "restore speed / memcpy, two threads",
          "verify speed / reading and CRC32C alone",
          "list of 1,000 in a fresh JVM"
        }) {
      assertThat(text.lines().filter(line -> line.contains(figure)))
          .as(figure)
          .anyMatch(line -> line.matches(".*\\| +[<>]= [0-9.]+ \\| +-?[0-9.]+.*(met|missed) +\\|"));
    }
    try (Stream<Path> left = Files.list(dir)) {
      assertThat(left).isEmpty();
    }
  }

  @Test
  void theIntervalOfFifteenRunsFromTheFourthToTheTwelfth() {
    double[] shuffled = {9, 2, 15, 4, 7, 1, 12, 3, 10, 5, 14, 6, 13, 8, 11};
    assertThat(Interval.of(shuffled)).isEqualTo(new Interval(8, 4, 12));
  }

  @Test
  void fiveMeasurementsAreTooFewForAnIntervalAndSixAreEnough() {
    assertThat(Interval.of(1, 2, 3, 4, 5)).isEqualTo(new Interval(3, Double.NaN, Double.NaN));
    assertThat(Interval.of(DoubleStream.of(6, 5, 4, 3, 2, 1).toArray()))
        .isEqualTo(new Interval(3.5, 1, 6));
  }
}
