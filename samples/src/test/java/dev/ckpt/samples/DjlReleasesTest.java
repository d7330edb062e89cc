package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * ckpt as it was compiled, with the jars of another release of DJL: 0.34.0 and 0.35.0, which Maven
 * Central serves whole, and the API of 0.33.0, whose {@code pytorch-jni} 2.5.1-0.33.0 is not there.
 * {@code -Dckpt.kill.seed=N} as in {@link KillTest}.
 */
@Tag("nightly")
class DjlReleasesTest {
  private static final int EPOCHS = 3;

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);

  static List<Training> trainings() {
    return List.of("0.34.0", "0.35.0").stream()
        .map(DjlRelease::new)
        .flatMap(
            release ->
                Combination.pairwise(Combination.FORMATS).stream()
                    .map(combination -> new Training(combination, EPOCHS, release)))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("trainings")
  void killedAndResumedOnAnotherReleaseItEndsWithTheSameBytes(Training training)
      throws IOException, InterruptedException {
    KilledRun run = new KilledRun(folder, training);
    kill(run);
    kill(run);
    run.finish();
    said(run, training);
    assertThat(attempts(run))
        .hasSize(3)
        .allMatch(each -> each.equals(training.release().version()));
  }

  /** The bytes are also those of a run that had the newer release from the start. */
  @ParameterizedTest
  @ValueSource(strings = {"0.34.0", "0.35.0"})
  void aRunThatIsUpgradedOnTheWayEndsWithTheSameBytes(String version)
      throws IOException, InterruptedException {
    Training training = new Training(Combination.PLAIN, EPOCHS, new DjlRelease(version));
    KilledRun run = new KilledRun(folder, training);
    kill(run);
    run.upgrade(DjlRelease.BUILT);
    kill(run);
    run.finish();
    said(run, training);
    List<String> versions = attempts(run);
    assertThat(versions.get(0)).isEqualTo(version);
    assertThat(versions.get(1)).isEqualTo(versions.get(2)).isNotEqualTo(version);
    assertThat(Files.readString(folder.resolve("attempt-1/err")))
        .contains("djl was " + version + " in the checkpoint and is " + versions.get(1) + " now");
    assertThat(training.uninterrupted().sha())
        .isEqualTo(new Training(Combination.PLAIN, EPOCHS).uninterrupted().sha());
  }

  /** Where DJL is built in another way, that is said before anything is read or written. */
  @Test
  void anOlderReleaseIsRefusedWithTheTestedOnes() throws IOException, InterruptedException {
    DjlRelease older = new DjlRelease("0.33.0");
    Path store = folder.resolve("store");
    Training training = new Training(Combination.PLAIN, EPOCHS, older);
    SampleProcess process =
        SampleProcess.run(folder.resolve("run"), training.arguments(store), older);
    assertThat(process.exitCode()).as(process.toString()).isEqualTo(1);
    assertThat(process.err())
        .contains(
            "This DJL (0.33.0) is not built as ckpt-djl expects:"
                + " ai.djl.training.listener.EarlyStoppingListener.prevMetricValue does not exist."
                + " Tested with DJL 0.34.0 to 0.35.1 with PyTorch 2.7.1:");
    assertThat(store).doesNotExist();
  }

  /** Anywhere, as soon as something new is committed. */
  private void kill(KilledRun run) throws IOException, InterruptedException {
    int before = run.committed();
    int batches = 5 + random.nextInt(Training.BATCHES_PER_EPOCH);
    run.killAt(
        process -> process.trained().size() >= batches && run.committed() > before,
        random.nextInt(3_000_000));
  }

  private void said(KilledRun run, Training training) {
    System.out.printf(
        "DJL %s, %s: %s (seed %d)%n",
        training.release().version(), training.combination(), run.attempts(), seed);
    assertThat(run.attempts().subList(1, 3)).extracting(Attempt::before).allMatch(each -> each > 0);
  }

  /** The DJL of each attempt, as it says itself. */
  private static List<String> attempts(KilledRun run) {
    return Commits.names(run.store(), "attempts")
        .filter(name -> name.matches("\\d{6}\\.json"))
        .sorted()
        .map(name -> djl(run.store().resolve("runs/digits-djl/attempts").resolve(name)))
        .toList();
  }

  private static String djl(Path attempt) {
    try {
      String text = Files.readString(attempt, StandardCharsets.UTF_8);
      return text.replaceFirst("(?s).*\"djl\":\"([^\"]*)\".*", "$1");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
