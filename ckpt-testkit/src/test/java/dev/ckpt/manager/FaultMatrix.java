package dev.ckpt.manager;

import dev.ckpt.CheckpointException;
import dev.ckpt.manager.CrashMedium.Left;
import dev.ckpt.testkit.Gate;
import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Lets one call go wrong, each in turn, in a process that lives on: it trains on or ends with an
 * error that says what is wrong. Then the next process starts, on the medium as it is, and as it is
 * after a loss of power.
 */
final class FaultMatrix {
  private static final Duration NO_HURRY = Duration.ofSeconds(20);
  private static final Duration HURRY = Duration.ofMillis(60);

  private final Supplier<CrashMedium> media;
  private final List<PowerLoss> losses;
  private final MatrixTable table;

  FaultMatrix(String title, Supplier<CrashMedium> media, List<PowerLoss> losses) {
    this.table = new MatrixTable(title);
    this.media = media;
    this.losses = losses;
  }

  MatrixTable table() {
    return table;
  }

  /** Runs a scenario with a fault, once for each call. */
  void run(CrashScenario scenario, Fault fault) throws IOException {
    CrashRun found = new CrashRun(media.get());
    scenario.before(found);
    MatrixTable.Row row = table.row(scenario.title());
    int missed = 0; // threads race: one run may make a call less
    for (int k = 1; missed < 2; k++) {
      CrashMedium medium = found.medium().copy();
      Fault.Armed armed = fault.at(k, medium);
      CrashRun run =
          found.copy().on(armed.medium()).trainsOn(armed.gate() == null ? NO_HURRY : HURRY);
      String where = scenario.title() + ", " + fault.kind() + " at " + k;
      try {
        act(scenario, run, armed.gate());
      } catch (IOException | RuntimeException | AssertionError e) {
        table.violated(row, where, e, run.medium().calls());
      }
      boolean struck = armed.struck().getAsBoolean();
      row.calls += struck ? 1 : 0;
      missed = struck ? 0 : missed + 1;
      look(scenario, run, fault.kind(), where, row);
    }
  }

  /** Whoever waits for ever for what hangs may wait: then it goes on, as stores do. */
  private static void act(CrashScenario scenario, CrashRun run, @Nullable Gate gate)
      throws IOException {
    FutureTask<Boolean> training =
        new FutureTask<>(
            () -> {
              scenario.act(run);
              return true;
            });
    Thread thread = new Thread(training, "training");
    thread.start();
    try {
      while (gate != null && !training.isDone() && gate.held() == 0) {
        await(training, 1);
      }
      if (gate != null) {
        await(training, 3 * HURRY.toMillis());
        gate.release();
      }
      training.get();
    } catch (ExecutionException e) {
      if (!isClear(e.getCause())) {
        throw new AssertionError("no error that says what to do", e.getCause());
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    awaitEnd(run.medium());
  }

  /** Whether it is an error that the managers promise. */
  static boolean isClear(Throwable failure) {
    return failure instanceof CheckpointException || failure instanceof UncheckedIOException;
  }

  private static void await(FutureTask<?> task, long millis)
      throws InterruptedException, ExecutionException {
    try {
      task.get(millis, TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      // it goes on
    }
  }

  /** A writer that was given up ends when it wakes up. */
  private static void awaitEnd(CrashMedium medium) {
    long start = System.nanoTime();
    while (true) {
      try {
        medium.assertNothingIsOpen();
        return;
      } catch (AssertionError e) {
        if (System.nanoTime() - start > NO_HURRY.toNanos()) {
          throw e;
        }
        LockSupport.parkNanos(1_000_000);
      }
    }
  }

  private void look(
      CrashScenario scenario, CrashRun run, String kind, String where, MatrixTable.Row row)
      throws IOException {
    Set<Long> seen = new HashSet<>();
    for (Left left : run.medium().left(losses)) {
      row.count(kind);
      if (seen.add(left.fingerprint())) {
        row.distinct++;
        try {
          scenario.mend(new CrashRun(left.medium()));
          Aftermath.check(left.medium(), run.ledger());
        } catch (IOException | RuntimeException | AssertionError e) {
          table.violated(row, where + ", " + left.how(), e, run.medium().calls());
        }
      }
    }
  }
}
