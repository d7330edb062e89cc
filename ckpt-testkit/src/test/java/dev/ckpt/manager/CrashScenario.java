package dev.ckpt.manager;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/** What processes do before the crash, and what the one does that crashes. */
enum CrashScenario {
  FIRST_SAVE("first save") {
    @Override
    void before(CrashMedium medium, CrashLedger ledger) {}

    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      try (ToyTraining training = ToyTraining.start(medium, ledger, how -> how)) {
        training.save();
      }
    }
  },
  SAVE_AFTER_SAVES("save after saves") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      try (ToyTraining training = ToyTraining.start(medium, ledger, how -> how)) {
        training.save();
        training.save();
      }
    }
  },
  STALE_ATTEMPT("save over a stale attempt") {
    @Override
    void before(CrashMedium medium, CrashLedger ledger) throws IOException {
      saves(medium, ledger, 1);
      diesWithOrphans(medium, ledger);
    }

    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      SAVE_AFTER_SAVES.act(medium, ledger);
    }
  },
  ABORT_AGAINST_COMMIT("ABORT against COMMIT") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      FaultyStore store = FaultyStore.around(medium.open());
      Gate gate = store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").nth(1).hangs();
      try (ToyTraining training =
          ToyTraining.start(store, ledger, how -> how.deadline(Duration.ofMillis(40)))) {
        SaveHandle sleeping = training.begin();
        whileRunning(medium, () -> gate.held() == 0 && !isDone(sleeping));
        training.save();
        gate.release();
        whileRunning(medium, () -> gate.held() > 0);
        training.save();
      } finally {
        gate.release();
      }
    }
  },
  RETENTION("retention, keep 1") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      try (ToyTraining training =
          ToyTraining.start(medium, ledger, how -> how.keep(Retention.latest(1)))) {
        training.save();
        training.save();
      }
    }
  },
  RESUME("resume") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      ToyTraining.start(medium, ledger, how -> how).close();
    }
  },
  GOING_BACK("resume of an older one") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      String oldest = Checkpoints.read(medium.open(), ToyTraining.RUN).list().get(0).id();
      // from its record on the old branch is dead, whether the process heard of that or not
      ledger.maySwitchTo(0);
      try (ToyTraining training =
          ToyTraining.start(medium, ledger, how -> how.resume(new Resume.From(oldest)))) {
        training.save();
      }
    }
  },
  CLEAN_UP("clean-up of earlier attempts") {
    @Override
    void before(CrashMedium medium, CrashLedger ledger) throws IOException {
      saves(medium, ledger, 2);
      diesWithOrphans(medium, ledger);
      diesInADeletion(medium, ledger);
      diesWithOrphans(medium, ledger);
      medium.later(Duration.ofHours(1));
    }

    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      FIRST_SAVE.act(medium, ledger);
    }
  },
  COMPLETE("complete and close") {
    @Override
    void act(CrashMedium medium, CrashLedger ledger) throws IOException {
      try (ToyTraining training = ToyTraining.start(medium, ledger, how -> how)) {
        training.save();
        training.complete();
      }
    }
  };

  private final String title;

  CrashScenario(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }

  /** Puts the medium into the state that the process finds; what is unsynced then stays so. */
  void before(CrashMedium medium, CrashLedger ledger) throws IOException {
    saves(medium, ledger, 2);
  }

  /** What the process does that dies. */
  abstract void act(CrashMedium medium, CrashLedger ledger) throws IOException;

  private static void saves(CrashMedium medium, CrashLedger ledger, int times) throws IOException {
    try (ToyTraining training = ToyTraining.start(medium, ledger, how -> how)) {
      for (int i = 0; i < times; i++) {
        training.save();
      }
    }
  }

  /** Leaves a shard and a vote without a decision, by a kill before the manifest. */
  private static void diesWithOrphans(CrashMedium medium, CrashLedger ledger) throws IOException {
    FaultyStore dying = FaultyStore.around(medium.open());
    dying.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").stops();
    diesSaving(dying, ledger, Retention.latest(3));
  }

  /** Leaves a mark, data and a vote without a manifest. */
  private static void diesInADeletion(CrashMedium medium, CrashLedger ledger) throws IOException {
    FaultyStore dying = FaultyStore.around(medium.open());
    dying.on(Operation.DELETE).key("**/data/**").stops();
    diesSaving(dying, ledger, Retention.latest(1));
  }

  private static void diesSaving(FaultyStore dying, CrashLedger ledger, Retention keep) {
    try (ToyTraining training = ToyTraining.start(dying, ledger, how -> how.keep(keep))) {
      SaveHandle last = training.begin();
      last.join();
      ledger.committed(training.state);
    } catch (CheckpointException e) {
      if (!dying.isStopped()) {
        throw e;
      }
    }
  }

  private static boolean isDone(SaveHandle handle) {
    return handle.committed().toCompletableFuture().isDone();
  }

  /** Waits as long as that holds and the process lives. */
  private static void whileRunning(
      CrashMedium medium, java.util.function.BooleanSupplier condition) {
    while (condition.getAsBoolean() && !medium.isStopped()) {
      Thread.onSpinWait();
      java.util.concurrent.locks.LockSupport.parkNanos(100_000);
    }
  }

  /** All. */
  static List<CrashScenario> all() {
    return List.of(values());
  }
}
