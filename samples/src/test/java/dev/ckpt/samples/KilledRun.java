package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * A run that is killed and started again. Each start must take up exactly the batches that follow
 * the newest commit on disk; that is checked by the contents of the batches, against the run that
 * nobody killed.
 */
final class KilledRun {

  /**
   * One process.
   *
   * @param before batches that the newest commit held when it started
   * @param trained how many batches it took up
   * @param validating whether it was killed in a validation
   * @param after batches that the newest commit held when it had ended
   */
  record Attempt(int before, int trained, boolean validating, int after) {
    /** Batches that must be trained on again. */
    int lost() {
      return before + trained - after;
    }

    boolean resumedMidEpoch() {
      return before % Training.BATCHES_PER_EPOCH != 0;
    }
  }

  private final Path folder;
  private final Path store;
  private final Training training;
  private final Training.Uninterrupted reference;
  private final List<Attempt> attempts = new ArrayList<>();
  private final SortedMap<Integer, String> epochLines = new TreeMap<>();

  KilledRun(Path folder, Training training) throws IOException, InterruptedException {
    this.folder = folder;
    this.store = folder.resolve("store");
    this.training = training;
    this.reference = training.uninterrupted();
  }

  List<Attempt> attempts() {
    return Collections.unmodifiableList(attempts);
  }

  Path store() {
    return store;
  }

  /** Batches that the newest commit holds; 0 without any. */
  int committed() {
    return training.batchesAfter(Commits.newestStep(store));
  }

  /** Starts it and kills it at {@code moment}, {@code delay} nanoseconds late. */
  Attempt killAt(Predicate<SampleProcess> moment, int delay)
      throws IOException, InterruptedException {
    int before = committed();
    try (SampleProcess process = start()) {
      boolean reached = process.await(() -> moment.test(process));
      Thread.sleep(delay / 1_000_000, delay % 1_000_000);
      process.kill();
      assertThat(reached).as("it ended before it could be killed: %s", process).isTrue();
      return ended(before, process);
    }
  }

  /** Stops it by SIGTERM at {@code moment}; it must end by itself, with the signal's exit code. */
  Attempt terminateAt(Predicate<SampleProcess> moment) throws IOException, InterruptedException {
    int before = committed();
    try (SampleProcess process = start()) {
      assertThat(process.await(() -> moment.test(process))).as(process.toString()).isTrue();
      process.terminate();
      assertThat(process.exitCode()).as(process.toString()).isEqualTo(143);
      return ended(before, process);
    }
  }

  /** Lets it run to its end, and compares what the whole run did with the one nobody killed. */
  void finish() throws IOException, InterruptedException {
    int before = committed();
    try (SampleProcess process = start()) {
      assertThat(process.exitCode()).as(process.toString()).isZero();
      ended(before, process);
      assertThat(process.sha()).as(process.toString()).isEqualTo(reference.sha());
    }
    assertThat(List.copyOf(epochLines.values())).isEqualTo(reference.epochLines());
    int executed = attempts.stream().mapToInt(Attempt::trained).sum();
    int lost = attempts.stream().mapToInt(Attempt::lost).sum();
    assertThat(executed - training.batches()).isEqualTo(lost);
  }

  private SampleProcess start() throws IOException {
    return SampleProcess.start(
        folder.resolve("attempt-" + attempts.size()), DigitsDjl.class, training.arguments(store));
  }

  private Attempt ended(int before, SampleProcess process) {
    List<String> trained = process.trained();
    int end = before + trained.size();
    assertThat(end)
        .as("batches up to the goal, not more: %s", process)
        .isLessThanOrEqualTo(training.batches());
    assertThat(trained)
        .as("the batches that follow number %d: %s", before, process)
        .isEqualTo(reference.batches().subList(before, end));
    for (String line : process.epochLines()) {
      int epoch =
          Integer.parseInt(line.substring("epoch ".length(), line.indexOf("  loss")).trim());
      String other = epochLines.putIfAbsent(epoch, line);
      assertThat(other == null ? line : other).isEqualTo(line);
    }
    List<String> journal = process.journal();
    boolean validating = !journal.isEmpty() && journal.get(journal.size() - 1).startsWith("V ");
    Attempt attempt = new Attempt(before, trained.size(), validating, committed());
    attempts.add(attempt);
    return attempt;
  }
}
