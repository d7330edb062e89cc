package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Kills a training that stops early and gives back its best weights. {@code -Dckpt.kill.seed=N}
 * repeats the moments of an earlier run as far as a machine's timing lets it.
 */
class EarlyStopKillTest {

  private static final int KILLS = 10;
  private static final int GOAL = 12;

  /** The best by this is an early epoch's, so that it is seen which weights are there. */
  private static final Map<String, String> BEST = Map.of("CKPT_RESTORE_BEST", "validate_loss, max");

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.kill.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final Training training = new Training(Combination.PLAIN, GOAL);
  private int started;

  private SampleProcess start(Path store) throws IOException {
    return SampleProcess.start(
        folder.resolve("attempt-" + started++),
        StoppingDigits.class,
        training.arguments(store),
        BEST);
  }

  @Test
  @Tag("full")
  void tenKillsAndItStopsInTheSameEpochWithTheSameBestWeights()
      throws IOException, InterruptedException {
    System.out.println("ckpt.kill.seed=" + seed);
    SampleProcess whole = start(folder.resolve("whole"));
    assertThat(whole.exitCode()).as(whole.toString()).isZero();
    int epochs = whole.epochLines().size();
    assertThat(epochs).as("it stops early, and not at once").isBetween(3, GOAL - 1);
    assertThat(whole.trained()).hasSize(epochs * Training.BATCHES_PER_EPOCH);

    Path store = folder.resolve("killed");
    SortedMap<String, String> lines = new TreeMap<>();
    int trained = 0;
    int inValidation = 0;
    for (int kill = 0; kill < KILLS; kill++) {
      int committed = training.batchesAfter(Commits.newestStep(store));
      int left = epochs * Training.BATCHES_PER_EPOCH - committed;
      // the last one in the validation behind which it stops
      boolean last = kill == KILLS - 1;
      int batches =
          last ? left : 1 + random.nextInt(Math.max(1, left * 3 / 2 / (KILLS - kill) - 1));
      try (SampleProcess process = start(store)) {
        BooleanSupplier there =
            () ->
                process.trained().size() >= batches
                    && (!last || process.journal().stream().anyMatch(l -> l.startsWith("V ")));
        assertThat(process.await(there))
            .as("it ended before it could be killed: %s", process)
            .isTrue();
        TimeUnit.NANOSECONDS.sleep(random.nextInt(3_000_000));
        process.kill();
        trained += process.trained().size();
        List<String> journal = process.journal();
        inValidation += journal.get(journal.size() - 1).startsWith("V ") ? 1 : 0;
        same(lines, process.epochLines());
      }
    }
    try (SampleProcess process = start(store)) {
      assertThat(process.exitCode()).as(process.toString()).isZero();
      trained += process.trained().size();
      same(lines, process.epochLines());
      assertThat(process.sha()).as(process.toString()).isEqualTo(whole.sha());
    }
    assertThat(lines.values()).containsExactlyInAnyOrderElementsOf(whole.epochLines());
    try (SampleProcess again = start(store)) {
      assertThat(again.exitCode()).as(again.toString()).isZero();
      assertThat(again.trained()).as("what has stopped early trains nothing more").isEmpty();
      assertThat(again.sha()).isEqualTo(whole.sha());
    }
    System.out.printf(
        "%d kills, %d in validation; stopped behind epoch %d of %d each time; %d batches executed, %d planned%n",
        KILLS, inValidation, epochs, GOAL, trained, epochs * Training.BATCHES_PER_EPOCH);
  }

  private static void same(SortedMap<String, String> known, List<String> lines) {
    for (String line : lines) {
      String epoch = line.substring(0, line.indexOf("  loss"));
      assertThat(known.getOrDefault(epoch, line)).isEqualTo(line);
      known.put(epoch, line);
    }
  }
}
