package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nights that go wrong: each kind of signal in each phase of a real process, at random moments.
 * After each, the next process must take up exactly the batch behind the newest commit, and in the
 * end lines and digest must be those of a run that nobody touched. {@code -Dckpt.night.seed=N}
 * repeats the moments of an earlier night as far as a machine's timing lets it.
 */
class NightTest {

  private static final int EPOCHS = 6;

  /** Behind it a process could come to its end before its signal. */
  private static final int LAST_BATCH = (EPOCHS - 2) * Training.BATCHES_PER_EPOCH;

  /** From nothing to a training that resumes, on a machine that is busy. */
  private static final int START_MILLIS = 2_000;

  @TempDir Path folder;

  private final long seed = Long.getLong("ckpt.night.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final Map<String, int[]> table = new TreeMap<>();

  @Test
  void tenSignalsLeaveNoTrace() throws IOException, InterruptedException {
    night(10);
  }

  @Tag("nightly")
  @Test
  void twoHundredSignalsLeaveNoTrace() throws IOException, InterruptedException {
    night(200);
    for (Signal signal : Signal.values()) {
      assertThat(table.keySet()).as("phases hit by %s", signal).anyMatch(hit(signal, Phase.RESUME));
      assertThat(table.keySet()).as("phases hit by %s", signal).anyMatch(hit(signal, Phase.WRITE));
      assertThat(table.keySet()).anyMatch(hit(signal, Phase.VALIDATION));
    }
    assertThat(table.keySet()).anyMatch(key -> key.endsWith(Phase.RETENTION.name()));
  }

  private static Predicate<String> hit(Signal signal, Phase phase) {
    return row(signal, phase)::equals;
  }

  private static String row(Signal signal, Phase phase) {
    return String.format("%-16s %s", signal, phase);
  }

  private void night(int signals) throws IOException, InterruptedException {
    System.out.println("ckpt.night.seed=" + seed);
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < signals; i++) {
      order.add(i);
    }
    Collections.shuffle(order, random);
    int runs = 0;
    KilledRun run =
        new KilledRun(folder.resolve("run" + runs++), new Training(Combination.PLAIN, EPOCHS));
    for (int number : order) {
      if (run.committed() >= LAST_BATCH) {
        run.finish();
        run =
            new KilledRun(folder.resolve("run" + runs++), new Training(Combination.PLAIN, EPOCHS));
      }
      // shifted after each round of twelve: 24 in a row are all pairs
      Signal signal = Signal.values()[(number + number / 12) % Signal.values().length];
      Phase wanted = Phase.values()[number % Phase.values().length];
      int known = run.attempts().size();
      Phase phase = run.strike(signal, moment(wanted, run), delay(wanted));
      int lost =
          run.attempts().subList(known, run.attempts().size()).stream()
              .mapToInt(KilledRun.Attempt::lost)
              .sum();
      int[] counts = table.computeIfAbsent(row(signal, phase), key -> new int[4]);
      counts[0]++;
      counts[1] += run.committed() > 0 ? 1 : 0;
      counts[2] += lost;
      counts[3] = Math.max(counts[3], lost);
    }
    run.finish();
    print(signals, runs);
  }

  private void print(int signals, int runs) {
    System.out.printf(
        "%-16s %-10s %6s %8s %10s %8s %10s%n",
        "signal", "phase hit", "count", "resumed", "lost steps", "at most", "violations");
    table.forEach(
        (row, counts) -> {
          String[] cells = row.split(" +");
          System.out.printf(
              "%-16s %-10s %6d %8d %10d %8d %10d%n",
              cells[0], cells[1], counts[0], counts[1], counts[2], counts[3], 0);
        });
    System.out.printf("%d signals in %d runs, each run to its end%n", signals, runs);
  }

  private Predicate<SampleProcess> moment(Phase wanted, KilledRun run) {
    if (wanted == Phase.START) {
      long at = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(random.nextInt(START_MILLIS));
      return process -> System.nanoTime() > at || !process.trained().isEmpty();
    }
    int taken = Commits.newestAttempt(run.store());
    if (wanted == Phase.RESUME) {
      return process -> Commits.newestAttempt(run.store()) > taken || !process.trained().isEmpty();
    }
    int batches = 3 + random.nextInt(25);
    Predicate<SampleProcess> trained = process -> process.trained().size() >= batches;
    Phase.Traces before = Phase.Traces.in(run.store());
    return switch (wanted) {
      case VALIDATION ->
          process -> {
            List<String> journal = process.journal();
            return !journal.isEmpty() && journal.get(journal.size() - 1).startsWith("V ");
          };
      case WRITE ->
          process ->
              trained.test(process)
                  && !before.uncommitted().containsAll(Phase.Traces.in(run.store()).uncommitted());
      case RETENTION -> {
        Set<String> marks = new HashSet<>();
        yield process -> {
          List<String> now = Commits.names(run.store(), "deleted").toList();
          if (!trained.test(process)) {
            marks.addAll(now);
            return false;
          }
          return !marks.containsAll(now); // also a mark that is about to be made
        };
      }
      default -> trained;
    };
  }

  private int delay(Phase wanted) {
    return switch (wanted) {
      case VALIDATION -> random.nextInt(300_000);
      case RESUME -> random.nextInt(200_000_000);
      case RETENTION, WRITE -> random.nextInt(1_000_000);
      default -> random.nextInt(3_000_000);
    };
  }
}
