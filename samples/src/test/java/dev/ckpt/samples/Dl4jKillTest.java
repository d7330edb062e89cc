package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.DigitsOptions.Loop;
import dev.ckpt.samples.DigitsOptions.OptimizerKind;
import dev.ckpt.samples.DigitsOptions.Place;
import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Predicate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** As {@link KillTest}, with DL4J. {@code -Dckpt.kill.seed=N} repeats the moments. */
class Dl4jKillTest {
  private static final int EPOCHS = 3;

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @Test
  void fiveKillsLeaveNoTrace() throws IOException, InterruptedException {
    killedOftenItLeavesNoTrace(Combination.PLAIN, EPOCHS, 5);
  }

  @Test
  void aKillLeavesNoTraceInAnotherCombination() throws IOException, InterruptedException {
    killedOftenItLeavesNoTrace(
        new Combination(
            OptimizerKind.SGD,
            Loop.EASYTRAIN,
            Place.FIRST,
            true,
            false,
            Combination.FORMATS.get(Combination.FORMATS.size() - 1)),
        2,
        1);
  }

  @Test
  void aStopIsACheckpointAtTheNextBoundary() throws IOException, InterruptedException {
    KilledRun run =
        new KilledRun(
            folder, new Training(Combination.PLAIN, 2, DjlRelease.BUILT, DigitsDl4j.class));
    int batches = 5 + random.nextInt(Training.BATCHES_PER_EPOCH);
    Attempt stopped = run.terminateAt(process -> process.trained().size() >= batches);
    assertThat(stopped.lost()).as("ckpt.kill.seed=%d", seed).isZero();
    run.finish();
  }

  @Tag("nightly")
  @Test
  void twentyKillsLeaveNoTrace() throws IOException, InterruptedException {
    killedOftenItLeavesNoTrace(Combination.PLAIN, 8, 20);
  }

  static List<Combination> product() {
    return Combination.product(Combination.FORMATS).stream()
        .filter(each -> !each.accumulate())
        .toList();
  }

  @Tag("nightly")
  @ParameterizedTest
  @MethodSource("product")
  void aKillLeavesNoTraceInAnyCombination(Combination combination)
      throws IOException, InterruptedException {
    killedOftenItLeavesNoTrace(combination, 2, 1);
  }

  private void killedOftenItLeavesNoTrace(Combination combination, int epochs, int kills)
      throws IOException, InterruptedException {
    System.out.println("ckpt.kill.seed=" + seed);
    Training training = new Training(combination, epochs, DjlRelease.BUILT, DigitsDl4j.class);
    KilledRun run = new KilledRun(folder, training);
    for (int kill = 0; kill < kills; kill++) {
      if (kills > 1) {
        run.savesInTheNextFormat();
      }
      run.killAt(moment(run, training, kill, kills), random.nextInt(3_000_000));
    }
    run.finish();

    List<Attempt> resumed = new ArrayList<>(run.attempts());
    resumed.removeIf(attempt -> attempt.before() == 0);
    System.out.printf(
        "%s: %d kills; %d of %d resumes mid-epoch; %d batches executed, %d planned, %d lost%n",
        combination,
        kills,
        resumed.stream().filter(Attempt::resumedMidEpoch).count(),
        resumed.size(),
        run.attempts().stream().mapToInt(Attempt::trained).sum(),
        training.batches(),
        run.attempts().stream().mapToInt(Attempt::lost).sum());
    assertThat(resumed).as("it resumed").isNotEmpty().anyMatch(Attempt::resumedMidEpoch);
  }

  /** The first of many before a commit, the others anywhere behind one. */
  private Predicate<SampleProcess> moment(KilledRun run, Training training, int kill, int kills) {
    if (kill == 0 && kills > 1) {
      return process -> !process.trained().isEmpty();
    }
    int left = training.batches() - Training.BATCHES_PER_EPOCH / 2 - run.committed();
    int batches = 1 + random.nextInt(Math.max(2, left / (kills - kill + 1)));
    int before = run.committed();
    return process ->
        process.trained().size() >= batches
            && run.committed() > before
            && run.committed() % Training.BATCHES_PER_EPOCH != 0;
  }
}
