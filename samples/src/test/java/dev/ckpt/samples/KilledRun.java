package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

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

  private static final Pattern RESUMED = Pattern.compile("resumed from \\S+ \\(step (\\d+),");

  /** What a process that is frozen waits for at most; it is frozen for longer. */
  private static final int DEADLINE_MILLIS = 800;

  private final Path folder;
  private final Path store;
  private final Training training;
  private final Training.Uninterrupted reference;
  private final List<Attempt> attempts = new ArrayList<>();
  private int started;
  private DjlRelease release;
  private Training starting;
  private final SortedMap<Integer, String> epochLines = new TreeMap<>();

  KilledRun(Path folder, Training training) throws IOException, InterruptedException {
    this.folder = folder;
    this.store = folder.resolve("store");
    this.training = training;
    this.reference = training.uninterrupted();
    this.release = training.release();
    this.starting = training;
  }

  List<Attempt> attempts() {
    return Collections.unmodifiableList(attempts);
  }

  Path store() {
    return store;
  }

  /** What is started from now on has another DJL. */
  void upgrade(DjlRelease to) {
    release = to;
  }

  /** The next start resumes from whatever format there is, and saves in one after the other. */
  void savesInTheNextFormat() {
    List<String> formats = Combination.FORMATS;
    starting = training.in(formats.get(started % formats.size()));
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

  /**
   * Sends a signal at {@code moment}, sees what comes of it, and leaves no process behind.
   *
   * @param delay nanoseconds after the moment
   * @return what it hit
   */
  Phase strike(Signal signal, Predicate<SampleProcess> moment, int delay)
      throws IOException, InterruptedException {
    int before = committed();
    Phase.Traces traces = Phase.Traces.in(store);
    boolean stops = signal == Signal.STOP || signal == Signal.STOP_TAKEN_OVER;
    Map<String, String> environment =
        stops ? Map.of("CKPT_DEADLINE", DEADLINE_MILLIS + "ms") : Map.of();
    try (SampleProcess process = start(environment)) {
      boolean reached = process.await(() -> moment.test(process));
      Thread.sleep(delay / 1_000_000, delay % 1_000_000);
      Phase phase = Phase.of(process, traces, store);
      switch (signal) {
        case KILL -> process.kill();
        case TERM -> process.terminate();
        case STOP, STOP_TAKEN_OVER -> process.freeze();
      }
      assertThat(reached).as("it ended before the signal: %s", process).isTrue();
      if (signal != Signal.TERM) {
        phase = Phase.of(process, traces, store); // nothing moves any more
      }
      switch (signal) {
        case KILL -> ended(before, process);
        case TERM -> terminated(before, process);
        case STOP -> goesOn(before, process);
        case STOP_TAKEN_OVER -> isTakenOver(before, process);
      }
      return phase;
    }
  }

  private void terminated(int before, SampleProcess process) throws InterruptedException {
    assertThat(process.exitCode()).as(process.toString()).isEqualTo(143);
    assertThat(ended(before, process).lost()).as("stopped at a cut: %s", process).isZero();
  }

  /** A process that stood still for longer than any wait trains and commits as before. */
  private void goesOn(int before, SampleProcess process) throws IOException, InterruptedException {
    Thread.sleep(DEADLINE_MILLIS * 3 / 2);
    int trained = process.trained().size();
    int commits = committed();
    process.thaw();
    assertThat(
            process.await(() -> process.trained().size() >= trained + 3 && committed() > commits))
        .as("it goes on: %s", process)
        .isTrue();
    process.kill();
    ended(before, process);
  }

  /**
   * Another process takes the run over, commits, and then the first one wakes up. It is told that
   * it was fenced, or, if it had not taken its attempt yet, fences the other. Whoever is left is
   * killed once it has committed.
   */
  private void isTakenOver(int before, SampleProcess first)
      throws IOException, InterruptedException {
    Thread.sleep(DEADLINE_MILLIS * 3 / 2);
    int attemptsBefore = Commits.newestAttempt(store);
    int handedOver = committed();
    try (SampleProcess second = start(Map.of("CKPT_TAKE_OVER", "true"))) {
      assertThat(second.await(() -> Commits.newestCommitter(store) > attemptsBefore))
          .as("it commits: %s", second)
          .isTrue();
      int secondAttempt = Commits.newestAttempt(store);
      first.thaw();
      assertThat(await(() -> first.ended() || second.ended()))
          .as("one of two gives way: %s, %s", first, second)
          .isTrue();
      boolean firstGaveWay = !second.ended();
      SampleProcess left = firstGaveWay ? second : first;
      int attempt = firstGaveWay ? secondAttempt : secondAttempt + 1;
      left.await(() -> Commits.newestCommitter(store) >= attempt);
      left.kill();
      first.kill();
      if (firstGaveWay) {
        assertThat(first.exitCode()).as(first.toString()).isIn(2, 3);
        assertThat(first.err()).contains("digits-djl: run 'digits-djl'").doesNotContain("\tat ");
        ended(before, handedOver, first);
        ended(handedOver, committed(), second);
      } else {
        assertThat(second.exitCode()).as(second.toString()).isEqualTo(2);
        assertThat(second.err()).contains("was taken over by").doesNotContain("\tat ");
        int handedBack = resumedFrom(first);
        ended(handedOver, handedBack, second);
        ended(handedBack, committed(), first);
      }
    }
  }

  /** What the other one had committed when it took its attempt, as it says. */
  private int resumedFrom(SampleProcess process) {
    Matcher step = RESUMED.matcher(process.err());
    assertThat(step.find()).as("%s", process).isTrue();
    return (int) training.batchesAfter(Long.parseLong(step.group(1)));
  }

  private static boolean await(BooleanSupplier there) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
    while (!there.getAsBoolean() && System.nanoTime() < deadline) {
      Thread.sleep(1);
    }
    return there.getAsBoolean();
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
    return start(Map.of());
  }

  private SampleProcess start(Map<String, String> environment) throws IOException {
    return SampleProcess.start(
        folder.resolve("attempt-" + started++),
        training.program(),
        starting.arguments(store),
        environment,
        release);
  }

  private Attempt ended(int before, SampleProcess process) {
    return ended(before, committed(), process);
  }

  private Attempt ended(int before, int after, SampleProcess process) {
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
    Attempt attempt = new Attempt(before, trained.size(), validating, after);
    attempts.add(attempt);
    return attempt;
  }
}
