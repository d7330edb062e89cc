package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.Gate;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A process falls asleep at a call, each in turn, a second one takes the run over and saves, and
 * the first one wakes up: after the second has ended, or while it still trains. And the other way
 * round: the second falls asleep at a call of its start while the first trains on.
 */
class TwoProcessesTest {

  private static final Duration NO_HURRY = Duration.ofSeconds(20);

  /** What is broken everywhere has no last call. */
  private static final int ENOUGH = 8;

  private final MatrixTable table = new MatrixTable("a second process and a zombie, in a folder");

  @Test
  void aZombieThatWakesUpAtAnyCallHarmsNothingOfItsSuccessor() throws Exception {
    run(List.of(CrashScenario.SAVE_AFTER_SAVES), "two-processes.txt");
  }

  @Test
  @Tag("full")
  void aZombieThatWakesUpAtAnyCallOfAnyScenarioHarmsNothingOfItsSuccessor() throws Exception {
    run(
        List.of(
            CrashScenario.FIRST_SAVE,
            CrashScenario.RETENTION,
            CrashScenario.COMPLETE,
            CrashScenario.CLEAN_UP),
        "two-processes-all.txt");
  }

  @Test
  void whatIsSavedWhileASecondProcessBeginsIsGoneOnFromOrRefused() throws Exception {
    CrashRun found = new CrashRun(CrashMedium.Disk.empty("arrow"));
    CrashScenario.SAVE_AFTER_SAVES.before(found);
    MatrixTable.Row row = table.row("a start, at each of its calls");
    boolean struck = true;
    for (int k = 1; struck && table.violationCount() < ENOUGH; k++) {
      CrashRun first = found.copy().trainsOn(NO_HURRY);
      row.count("first process");
      row.distinct++;
      try {
        struck = beginsAsleep(first, k);
      } catch (IOException | RuntimeException | AssertionError e) {
        table.violated(row, "the start asleep at " + k, e, first.medium().calls());
      }
      row.calls += struck ? 1 : 0;
    }
    table.print("two-processes-starts.txt");
    assertThat(table.violations()).isEmpty();
    assertThat(row.calls).as("the calls of a start").isGreaterThan(10);
  }

  /** Whether the second one came to its call. */
  private static boolean beginsAsleep(CrashRun first, int k) throws Exception {
    ToyTraining older = first.start();
    older.save();
    CrashRun second = first.on(first.medium());
    second.ledger().takenOver();
    FaultyStore store = FaultyStore.around(first.medium().open());
    Gate gate = store.on().nth(k).hangs();
    FutureTask<ToyTraining> start =
        new FutureTask<>(() -> second.start(store, how -> how.takeOver(true)));
    new Thread(start, "second process").start();
    while (gate.held() == 0 && !start.isDone()) {
      Thread.onSpinWait();
    }
    boolean struck = !start.isDone();
    try {
      ToyState kept = older.state.copy();
      int taken = new RunLog(first.medium().open(), new Keys(ToyTraining.RUN)).newestAttempt();
      boolean fenced = isFenced(older);
      if (fenced != taken > first.ledger().attempt()) {
        throw new AssertionError(
            (fenced ? "fenced" : "saved") + " although the newest attempt was " + taken);
      }
      gate.release();
      try (ToyTraining newer = start.get()) {
        Optional<ToyState> newest = Optional.of(fenced ? kept : older.state);
        if (!second.ledger().restored().equals(newest)) {
          throw new AssertionError(
              "goes on from "
                  + second.ledger().restored().map(ToyState::describe)
                  + ", although was committed before its attempt: "
                  + newest.map(ToyState::describe));
        }
        newer.save();
        if (!isFenced(older)) {
          throw new AssertionError("saves, although it was taken over");
        }
        newer.save();
      }
    } finally {
      gate.release();
      closed(older);
    }
    Aftermath.check(first.medium().copy(), second.ledger());
    return struck;
  }

  /** Whether a save is refused because somebody else has the run. */
  private static boolean isFenced(ToyTraining training) {
    try {
      training.save();
      return false;
    } catch (CheckpointException.Fenced e) {
      return true;
    }
  }

  private static void closed(ToyTraining fenced) {
    try {
      fenced.close();
    } catch (CheckpointException.Fenced e) {
      // it says so once more
    }
  }

  private void run(List<CrashScenario> scenarios, String file) throws Exception {
    for (CrashScenario scenario : scenarios) {
      run(scenario, "zombie", false);
      run(scenario, "second process", true);
    }
    table.print(file);
    assertThat(table.violations()).isEmpty();
  }

  private void run(CrashScenario scenario, String kind, boolean atOnce) throws Exception {
    CrashRun found = new CrashRun(CrashMedium.Disk.empty("arrow"));
    scenario.before(found);
    MatrixTable.Row row = table.row(scenario.title());
    int missed = 0; // threads race: one run may make a call less
    for (int k = 1; missed < 2; k++) {
      CrashRun first = found.copy().trainsOn(NO_HURRY);
      CrashingFileSystem disk = ((CrashMedium.Disk) first.medium()).disk();
      Gate gate = disk.on().nth(k).hangs();
      row.count(kind);
      row.distinct++;
      boolean struck = true;
      try {
        struck = takenOver(scenario, first, gate, atOnce);
      } catch (IOException | RuntimeException | AssertionError e) {
        table.violated(row, scenario.title() + ", " + kind + " at " + k, e, first.medium().calls());
        gate.release();
      }
      row.calls += struck ? 1 : 0;
      missed = struck ? 0 : missed + 1;
    }
  }

  /** Whether the first one came to its call. */
  private static boolean takenOver(
      CrashScenario scenario, CrashRun first, Gate gate, boolean atOnce) throws Exception {
    FutureTask<Boolean> asleep =
        new FutureTask<>(
            () -> {
              scenario.act(first);
              return true;
            });
    Thread thread = new Thread(asleep, "first process");
    thread.start();
    while (gate.held() == 0 && !isDone(asleep)) {
      Thread.onSpinWait();
    }
    if (gate.held() == 0) {
      return false;
    }
    CrashRun second = first.on(first.medium());
    CrashLedger promised = first.ledger().copy();
    first.ledger().takenOver();
    second.ledger().takenOver();
    try (ToyTraining training = second.start(how -> how.takeOver(true))) {
      Optional<ToyState> restored = second.ledger().restored();
      // a thread of the first that does not sleep may have saved since
      if (!first.ledger().knows(restored)) {
        promised.require(restored);
      }
      if (atOnce) {
        gate.release();
      }
      training.save();
      training.save();
    } catch (CheckpointException.Fenced e) {
      if (!atOnce) {
        throw e;
      }
    }
    gate.release();
    end(asleep);
    boolean firstIsNewer = first.ledger().attempt() > second.ledger().attempt();
    if (firstIsNewer && !atOnce) {
      second.ledger().require(first.ledger().restored());
    }
    Aftermath.check(first.medium().copy(), firstIsNewer ? first.ledger() : second.ledger());
    return true;
  }

  private static boolean isDone(FutureTask<?> task) throws InterruptedException {
    try {
      task.get(1, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    } catch (ExecutionException e) {
      return true;
    }
  }

  private static void end(FutureTask<?> first) throws InterruptedException {
    try {
      first.get();
    } catch (ExecutionException e) {
      if (!FaultMatrix.isClear(e.getCause())) {
        throw new AssertionError("no error that says what to do", e.getCause());
      }
    }
  }
}
