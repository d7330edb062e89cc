package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One kill for each way to train. {@code -Dckpt.kill.seed=N} as in {@link KillTest}. */
class CombinationKillTest {

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);

  static List<Combination> pairwise() {
    return Combination.pairwise(Combination.FORMATS);
  }

  static List<Combination> product() {
    return Combination.product(Combination.FORMATS);
  }

  @ParameterizedTest
  @MethodSource("pairwise")
  void aKillLeavesNoTraceInAnyPairOfChoices(Combination combination)
      throws IOException, InterruptedException {
    killOnce(combination);
  }

  @Tag("nightly")
  @ParameterizedTest
  @MethodSource("product")
  void aKillLeavesNoTraceInAnyCombination(Combination combination)
      throws IOException, InterruptedException {
    killOnce(combination);
  }

  private void killOnce(Combination combination) throws IOException, InterruptedException {
    KilledRun run = new KilledRun(folder, new Training(combination, 2));
    int batches = 10 + random.nextInt(Training.BATCHES_PER_EPOCH);
    // However slow the disk is: the end of the first epoch waits until its commit is there.
    run.killAt(
        process -> process.trained().size() >= batches && run.committed() > 0,
        random.nextInt(3_000_000));
    run.finish();
    Attempt second = run.attempts().get(1);
    System.out.printf(
        "%s killed after %d batches, went on after %d (seed %d)%n",
        combination, run.attempts().get(0).trained(), second.before(), seed);
    assertThat(second.before()).as("it resumed").isPositive();
  }
}
