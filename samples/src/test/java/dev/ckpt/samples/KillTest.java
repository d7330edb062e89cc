package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills the sample's JVM and starts it again. {@code -Dckpt.kill.seed=N} repeats the moments of an
 * earlier run as far as a machine's timing lets it.
 */
class KillTest {

  private static final int KILLS = 20;
  private static final int EPOCHS = 8;

  /** A JVM that has loaded neither the natives nor the store. */
  private static final int LOADING_MILLIS = 300;

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @Test
  void twentyKillsLeaveNoTrace() throws IOException, InterruptedException {
    System.out.println("ckpt.kill.seed=" + seed);
    Training training = new Training(Combination.PLAIN, EPOCHS);
    KilledRun run = new KilledRun(folder, training);
    for (int kill = 0; kill < KILLS; kill++) {
      run.savesInTheNextFormat();
      run.killAt(moment(run, kill), random.nextInt(3_000_000));
    }
    run.finish();

    List<Attempt> killed = run.attempts().subList(0, KILLS);
    List<Attempt> resumed = run.attempts().stream().filter(a -> a.before() > 0).toList();
    System.out.printf(
        "%d kills, %d in validation, %d before the first commit; %d of %d resumes mid-epoch;"
            + " %d batches executed, %d planned, %d lost by the kills%n",
        KILLS,
        killed.stream().filter(Attempt::validating).count(),
        killed.stream().filter(a -> a.after() == 0).count(),
        resumed.stream().filter(Attempt::resumedMidEpoch).count(),
        resumed.size(),
        run.attempts().stream().mapToInt(Attempt::trained).sum(),
        training.batches(),
        run.attempts().stream().mapToInt(Attempt::lost).sum());
    assertThat(killed).filteredOn(Attempt::validating).hasSizeGreaterThanOrEqualTo(2);
    assertThat(killed).filteredOn(a -> a.after() == 0).hasSizeGreaterThanOrEqualTo(2);
    assertThat(resumed)
        .filteredOn(Attempt::resumedMidEpoch)
        .hasSizeGreaterThanOrEqualTo((resumed.size() + 1) / 2);
  }

  /** The first two before the first commit, some in a validation, the others anywhere. */
  private Predicate<SampleProcess> moment(KilledRun run, int kill) {
    if (kill == 0) {
      long at = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(random.nextInt(LOADING_MILLIS));
      return process -> System.nanoTime() > at;
    }
    if (kill == 1) {
      return process -> !process.trained().isEmpty();
    }
    long hits = run.attempts().stream().filter(Attempt::validating).count();
    int killsLeft = KILLS - kill;
    if (kill % 5 == 3 || (hits < 2 && killsLeft < 4)) {
      return process -> {
        List<String> journal = process.journal();
        return !journal.isEmpty() && journal.get(journal.size() - 1).startsWith("V ");
      };
    }
    // Half as much again as an even share, so that the end is near but not reached.
    int left = (EPOCHS - 1) * Training.BATCHES_PER_EPOCH - run.committed();
    int batches = 1 + random.nextInt(Math.max(2, left * 3 / 2 / (killsLeft + 2)));
    // On a disk so slow that hardly more than the ends of epochs are committed, wait for more.
    long midEpoch = run.attempts().stream().filter(a -> midEpoch(a.after())).count();
    boolean behind = midEpoch * 3 < run.attempts().size() * 2;
    return process -> process.trained().size() >= batches && (!behind || midEpoch(run.committed()));
  }

  private static boolean midEpoch(int batches) {
    return batches % Training.BATCHES_PER_EPOCH != 0;
  }
}
