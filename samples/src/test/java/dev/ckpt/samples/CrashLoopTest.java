package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A restarter that starts a program over and over into the same exception. */
class CrashLoopTest {

  @TempDir Path folder;

  private final Training training = new Training(Combination.PLAIN, 1);
  private int started;

  private SampleProcess run(Class<?> program, Map<String, String> environment, String... first)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(List.of(first));
    arguments.addAll(training.arguments(folder.resolve("store")));
    SampleProcess process =
        SampleProcess.start(folder.resolve("run" + started++), program, arguments, environment);
    process.exitCode();
    return process;
  }

  @Test
  void aRestarterCanTellACrashLoopAndWhoMendsItGoesOn() throws IOException, InterruptedException {
    for (int i = 0; i < 3; i++) {
      SampleProcess failed = run(TroubledDigits.class, Map.of(), "throws", "12");
      assertThat(failed.exitCode()).as(failed.toString()).isEqualTo(1);
      assertThat(failed.err()).contains("this batch is bad");
    }
    for (int i = 0; i < 2; i++) {
      SampleProcess refused = run(TroubledDigits.class, Map.of(), "throws", "12");
      assertThat(refused.exitCode()).as(refused.toString()).isEqualTo(5);
      assertThat(refused.trained()).isEmpty();
      assertThat(refused.err())
          .startsWith(
              "digits-djl: run 'digits-djl' failed at step 12 in 3 attempts in a row (1, 2, 3)")
          .contains("java.lang.IllegalStateException: this batch is bad")
          .contains("CKPT_CRASH_LOOP=0")
          .doesNotContain("\tat ");
    }
    try (Stream<Path> attempts = Files.list(folder.resolve("store/runs/digits-djl/attempts"))) {
      assertThat(attempts.filter(file -> file.toString().endsWith(".json")))
          .as("a refused start takes no attempt")
          .hasSize(3);
    }
    SampleProcess mended = run(DigitsDjl.class, Map.of("CKPT_CRASH_LOOP", "0"));
    assertThat(mended.exitCode()).as(mended.toString()).isZero();
    assertThat(mended.sha()).isEqualTo(training.uninterrupted().sha());
  }
}
