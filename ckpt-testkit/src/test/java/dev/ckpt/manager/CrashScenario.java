package dev.ckpt.manager;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** What processes do before the crash, and what the one does that crashes. */
enum CrashScenario {
  FIRST_SAVE("first save") {
    @Override
    void before(CrashRun run) {}

    @Override
    void act(CrashRun run) throws IOException {
      try (ToyTraining training = run.start()) {
        training.save();
      }
    }
  },
  SAVE_AFTER_SAVES("save after saves") {
    @Override
    void act(CrashRun run) throws IOException {
      try (ToyTraining training = run.start()) {
        training.save();
        training.save();
      }
    }
  },
  STALE_ATTEMPT("save over a stale attempt") {
    @Override
    void before(CrashRun run) throws IOException {
      saves(run, 1);
      diesWithOrphans(run);
    }

    @Override
    void act(CrashRun run) throws IOException {
      SAVE_AFTER_SAVES.act(run);
    }
  },
  ABORT_AGAINST_COMMIT("ABORT against COMMIT") {
    @Override
    void act(CrashRun run) throws IOException {
      FaultyStore store = FaultyStore.around(run.medium().open());
      Gate gate = store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").nth(1).hangs();
      try (ToyTraining training = run.trainsOn(GIVES_UP).start(store, how -> how)) {
        SaveHandle sleeping = training.begin();
        whileRunning(run, () -> gate.held() == 0 && !isDone(sleeping));
        training.save();
        gate.release();
        whileRunning(run, () -> gate.held() > 0);
        training.save();
      } finally {
        gate.release();
      }
    }
  },
  RETENTION("retention, keep 1") {
    @Override
    void act(CrashRun run) throws IOException {
      try (ToyTraining training = run.start(how -> how.keep(Retention.latest(1)))) {
        training.save();
        training.save();
      }
    }
  },
  RESUME("resume") {
    @Override
    void act(CrashRun run) throws IOException {
      run.start().close();
    }
  },
  GOING_BACK("resume of an older one") {
    @Override
    void act(CrashRun run) throws IOException {
      String oldest = Checkpoints.read(run.medium().open(), ToyTraining.RUN).list().get(0).id();
      // from its record on the old branch is dead, whether the process heard of that or not
      run.ledger().maySwitchTo(0);
      try (ToyTraining training = run.start(how -> how.resume(new Resume.From(oldest)))) {
        training.save();
      }
    }
  },
  CLEAN_UP("clean-up of earlier attempts") {
    @Override
    void before(CrashRun run) throws IOException {
      saves(run, 2);
      diesWithOrphans(run);
      diesInADeletion(run);
      diesWithOrphans(run);
      run.medium().later(Duration.ofHours(1));
    }

    @Override
    void act(CrashRun run) throws IOException {
      FIRST_SAVE.act(run);
    }
  },
  COMPLETE("complete and close") {
    @Override
    void act(CrashRun run) throws IOException {
      try (ToyTraining training = run.start()) {
        training.save();
        training.complete();
      }
    }
  },
  COLLECT("gc") {
    @Override
    void before(CrashRun run) throws IOException {
      saves(run, 2);
      diesWithOrphans(run);
      diesInADeletion(run);
      run.medium().later(Duration.ofHours(1));
    }

    @Override
    void act(CrashRun run) throws IOException {
      maintained(run).collect(ToyTraining.RUN, Retention.latest(1), false);
    }
  },
  REPAIR("repair") {
    @Override
    void before(CrashRun run) throws IOException {
      saves(run, 3);
      diesWithOrphans(run);
      CheckpointStore store = run.medium().open();
      List<Checkpoint> all = Checkpoints.read(store, ToyTraining.RUN).list();
      String root = "runs/" + ToyTraining.RUN + "/";
      damaged(store, root + "manifests/" + all.get(2).id() + ".json");
      damaged(store, root + "resume/000001.json");
      damaged(
          store,
          root + "data/" + all.get(0).id() + "/rank-00000-of-00001." + run.medium().format());
      run.medium().later(Duration.ofHours(1));
    }

    @Override
    void act(CrashRun run) throws IOException {
      maintained(run).repair(ToyTraining.RUN, false);
    }

    @Override
    void mend(CrashRun run) throws IOException {
      act(run);
    }
  };

  private static final Duration GIVES_UP = Duration.ofMillis(20);

  private final String title;

  CrashScenario(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }

  /**
   * What is tried before each commit: all with Arrow, and with another format those that reach into
   * a shard. The nightly run has all with both.
   */
  static List<CrashScenario> of(String format) {
    return format.equals("arrow")
        ? List.of(values())
        : List.of(SAVE_AFTER_SAVES, RETENTION, REPAIR);
  }

  /** Puts the medium into the state that the process finds; what is unsynced then stays so. */
  void before(CrashRun run) throws IOException {
    saves(run, 2);
  }

  /** What the process does that dies. */
  abstract void act(CrashRun run) throws IOException;

  /** What a person does about what is left, before anything is promised again. */
  void mend(CrashRun run) throws IOException {}

  /** The processes before are known to be dead, whatever the lock says. */
  private static Maintenance maintained(CrashRun run) throws IOException {
    return Maintenance.of(run.medium().open()).takeOver(true);
  }

  /** The same object with one bit flipped in its middle. */
  private static void damaged(CheckpointStore store, String key) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
    store.read(key, 0, bytes);
    bytes.flip();
    int middle = bytes.limit() / 2;
    bytes.put(middle, (byte) (bytes.get(middle) ^ 1));
    store.delete(List.of(key));
    store.putIfAbsent(key, bytes);
  }

  private static void saves(CrashRun run, int times) throws IOException {
    try (ToyTraining training = run.start()) {
      for (int i = 0; i < times; i++) {
        training.save();
      }
    }
  }

  /** Leaves a shard and a vote without a decision, by a kill before the manifest. */
  private static void diesWithOrphans(CrashRun run) throws IOException {
    FaultyStore dying = FaultyStore.around(run.medium().open());
    dying.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").stops();
    diesSaving(run, dying, Retention.latest(3));
  }

  /** Leaves a mark, data and a vote without a manifest. */
  private static void diesInADeletion(CrashRun run) throws IOException {
    FaultyStore dying = FaultyStore.around(run.medium().open());
    dying.on(Operation.DELETE).key("**/data/**").stops();
    diesSaving(run, dying, Retention.latest(1));
  }

  private static void diesSaving(CrashRun run, FaultyStore dying, Retention keep) {
    try (ToyTraining training = run.start(dying, how -> how.keep(keep))) {
      SaveHandle last = training.begin();
      last.join();
      run.ledger().committed(training.state);
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
  private static void whileRunning(CrashRun run, BooleanSupplier condition) {
    while (condition.getAsBoolean() && !run.medium().isStopped()) {
      LockSupport.parkNanos(100_000);
    }
  }
}
