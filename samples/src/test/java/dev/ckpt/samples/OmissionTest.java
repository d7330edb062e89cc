package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Negative controls: each part of a checkpoint is needed, and the digest sees when one is not. */
class OmissionTest {

  private static final Training TRAINING = new Training(Combination.PLAIN, 2);

  @TempDir static Path folder;

  private static Path stopped;

  /** A run that stopped in the middle of its second epoch. */
  @BeforeAll
  static void stop() throws IOException, InterruptedException {
    KilledRun run = new KilledRun(folder, TRAINING);
    int early = Training.BATCHES_PER_EPOCH * 5 / 4;
    int after = run.terminateAt(process -> process.trained().size() >= early).after();
    assertThat(after).isBetween(early, 2 * Training.BATCHES_PER_EPOCH - 1);
    stopped = run.store();
  }

  @Test
  void withEveryPartItEndsInTheSameBytes() throws IOException, InterruptedException {
    assertThat(resumeWithout("nothing")).isEqualTo(TRAINING.uninterrupted().sha());
  }

  @ParameterizedTest
  @ValueSource(strings = {"weights", "slots", "counters", "statistics", "position", "rng"})
  void withoutOneItDoesNot(String part) throws IOException, InterruptedException {
    assertThat(resumeWithout(part)).isNotEqualTo(TRAINING.uninterrupted().sha());
  }

  private static String resumeWithout(String part) throws IOException, InterruptedException {
    Path copy = folder.resolve("store-" + part);
    try (Stream<Path> files = Files.walk(stopped)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.resolve(stopped.relativize(file)));
      }
    }
    List<String> arguments = new ArrayList<>(List.of(part));
    arguments.addAll(TRAINING.arguments(copy));
    SampleProcess process =
        SampleProcess.start(folder.resolve(part), ForgetfulDigits.class, arguments);
    assertThat(process.exitCode()).as(process.toString()).isZero();
    return process.sha();
  }
}
