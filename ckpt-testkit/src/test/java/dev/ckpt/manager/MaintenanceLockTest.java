package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Maintenance;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class MaintenanceLockTest {

  private static MaintainedStore damaged() throws IOException {
    MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
    at.flip(at.shard(id(3, 6)), 700);
    return at;
  }

  @Test
  void aRunInUseIsLeftAloneAndSaidByWhom() throws IOException {
    MaintainedStore at = damaged();
    Maintenance maintenance = Maintenance.of(at.store).clock(at.clock);
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      assertThat(ckpt.attempt()).isEqualTo(4);
      var before = at.objects().keySet();
      assertThatThrownBy(() -> maintenance.repair("toy", false))
          .isInstanceOf(CheckpointException.Fenced.class)
          .hasMessageContaining("process " + ProcessHandle.current().pid());
      assertThatThrownBy(() -> maintenance.collect("toy", Retention.latest(1), false))
          .isInstanceOf(CheckpointException.Fenced.class);
      assertThat(maintenance.repair("toy", true)).as("a dry run takes nothing").isNotEmpty();
      assertThat(at.objects().keySet()).isEqualTo(before);
    }
    assertThat(maintenance.repair("toy", false)).isNotEmpty();
  }

  @Test
  void whoTakesARunOverFencesItsProcessAndLeavesNoTraceForTheNextStart() throws IOException {
    MaintainedStore at = damaged();
    CheckpointManager ckpt = at.builder("toy", fresh()).open();
    ckpt.resume();
    long seed = ckpt.seed();
    assertThat(Maintenance.of(at.store).clock(at.clock).takeOver(true).repair("toy", false))
        .isNotEmpty();
    assertThatThrownBy(() -> ckpt.save(Progress.step(20), Map.of()).join())
        .isInstanceOf(CheckpointException.Fenced.class)
        .hasMessageContaining("attempts/000005");
    assertThatThrownBy(ckpt::close).isInstanceOf(CheckpointException.Fenced.class);
    try (CheckpointManager next = at.builder("toy", fresh()).open()) {
      assertThat(next.attempt()).isEqualTo(6);
      assertThat(next.seed()).isEqualTo(seed);
      assertThat(next.resume().orElseThrow().checkpoint().id()).isEqualTo(id(2, 5));
      next.save(Progress.step(6), Map.of()).join();
    }
    assertThat(at.start()).isEqualTo(id(6, 6));
  }

  @Test
  void theSeedOfARunThatHasSavedNothingOutlivesAMaintenance() throws IOException {
    MaintainedStore at = new MaintainedStore();
    long seed;
    try (CheckpointManager ckpt =
        CheckpointManager.in(at.store).run("toy").part("toy", fresh()).open()) {
      seed = ckpt.seed();
    }
    Maintenance.of(at.store)
        .clock(at.clock)
        .takeOver(true)
        .collect("toy", Retention.latest(1), false);
    try (CheckpointManager ckpt =
        CheckpointManager.in(at.store).run("toy").part("toy", fresh()).open()) {
      assertThat(ckpt.attempt()).isEqualTo(3);
      assertThat(ckpt.seed()).isEqualTo(seed);
      assertThat(ckpt.resume()).isEmpty();
    }
  }

  @Test
  void locksThatGuardNothingGuardNoMaintenance() throws IOException {
    MaintainedStore at = damaged();
    CheckpointStore lockless =
        new OtherUri(at.store) {
          @Override
          public Closeable lock(String key, String holder) {
            return () -> {};
          }
        };
    assertThatThrownBy(() -> Maintenance.of(lockless).repair("toy", false))
        .isInstanceOf(CheckpointException.Fenced.class)
        .hasMessageContaining("guard nothing");
    assertThat(Maintenance.of(lockless).takeOver(true).repair("toy", false)).isNotEmpty();
  }

  @Test
  void aRunThatIsNotThereIsNotFoundAndNotMade() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1);
    for (boolean dry : List.of(true, false)) {
      assertThatThrownBy(() -> Maintenance.of(at.store).clock(at.clock).repair("tyo", dry))
          .isInstanceOf(CheckpointException.NotFound.class)
          .hasMessageContaining("tyo");
    }
    assertThat(at.objects().keySet()).allMatch(key -> key.startsWith(KEYS.root()));
  }

  @Test
  void aStartDoesNotWaitForACleanUp() throws Exception {
    MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
    AtomicInteger looks = new AtomicInteger();
    CheckpointStore watched =
        new Locking(at.store) {
          @Override
          public Closeable lock(String key, String holder) throws IOException {
            looks.incrementAndGet();
            return super.lock(key, holder);
          }
        };
    try (Closeable cleaning = Admission.lockToClean(at.store, KEYS, false);
        CheckpointManager ckpt =
            CheckpointManager.in(watched).run("toy").part("toy", fresh()).open()) {
      assertThat(cleaning).isNotNull();
      assertThat(looks).hasValue(1);
      assertThat(ckpt.resume()).isPresent();
      ckpt.save(Progress.step(20), Map.of()).join();
    }
  }

  @Test
  void twoMaintenancesExcludeEachOther() throws IOException {
    MaintainedStore at = damaged();
    try (Closeable cleaning = Admission.lockToClean(at.store, KEYS, false)) {
      assertThat(cleaning).isNotNull();
      assertThatThrownBy(() -> Maintenance.of(at.store).clock(at.clock).repair("toy", false))
          .isInstanceOf(CheckpointException.Fenced.class)
          .hasMessageContaining("the clean-up of process " + ProcessHandle.current().pid());
    }
    assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false)).isNotEmpty();
  }

  /**
   * A maintenance looks whether the lock is free by taking it; so it may be suspended just then.
   */
  @Test
  void aStartThatMeetsTheLockInTheHandOfACleanUpGoesOnAndTakesItLater() throws Exception {
    MaintainedStore at = damaged();
    Closeable looking = at.store.lock(KEYS.lock(), "the clean-up of process 1");
    try (CheckpointManager ckpt =
        CheckpointManager.in(new Locking(at.store)).run("toy").part("toy", fresh()).open()) {
      assertThat(ckpt.resume()).isPresent();
      looking.close();
      awaitInUse(at);
      ckpt.save(Progress.step(20), Map.of()).join();
    }
    assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false)).isNotEmpty();
  }

  @Test
  void whoTookTheRunOverTakesItsLockWhenItIsFreeSoThatAMaintenanceSeesIt() throws Exception {
    MaintainedStore at = damaged();
    Closeable beyondReach = at.store.lock(KEYS.lock(), "process 1");
    try (CheckpointManager ckpt =
        CheckpointManager.in(new Locking(at.store))
            .run("toy")
            .part("toy", fresh())
            .takeOver(true)
            .open()) {
      assertThat(ckpt.resume()).isPresent();
      beyondReach.close();
      awaitInUse(at);
    }
    at.store.lock(KEYS.lock(), "who comes later").close();
  }

  private static void awaitInUse(MaintainedStore at) throws IOException {
    while (Admission.held(at.store, KEYS).isEmpty()) {
      Thread.onSpinWait();
    }
    assertThatThrownBy(() -> Maintenance.of(at.store).clock(at.clock).repair("toy", false))
        .isInstanceOf(CheckpointException.Fenced.class)
        .hasMessageContaining("process " + ProcessHandle.current().pid());
  }

  @Test
  void aHolderWhoseNameIsNotThereYetIsLookedAtAgain() throws Exception {
    MaintainedStore at = damaged();
    AtomicInteger looks = new AtomicInteger();
    CheckpointStore passing =
        new OtherUri(at.store) {
          @Override
          public Closeable lock(String key, String holder) throws IOException {
            if (looks.incrementAndGet() < 3) {
              throw new LockHeldException(key + " is locked by another process: it left no name");
            }
            return at.store.lock(key, holder);
          }
        };
    try (CheckpointManager ckpt =
        CheckpointManager.in(passing).run("toy").part("toy", fresh()).open()) {
      assertThat(ckpt.resume()).isPresent();
    }
  }

  /** A start that has its lock, and no attempt yet, is seen. */
  @Test
  void aMaintenanceStopsAsSoonAsAStartHasTheLock() throws IOException {
    MaintainedStore at = damaged();
    var before = at.objects().keySet();
    OtherUri store =
        new OtherUri(at.store) {
          private int free;

          @Override
          public Closeable lock(String key, String holder) throws IOException {
            if (key.equals(KEYS.lock()) && free++ > 0) {
              throw new LockHeldException(key + " is locked by process 1");
            }
            return at.store.lock(key, holder);
          }
        };
    assertThatThrownBy(() -> Maintenance.of(store).repair("toy", false))
        .isInstanceOf(CheckpointException.Fenced.class)
        .hasMessageContaining("locked by process 1");
    assertThat(at.objects().keySet()).isEqualTo(before);
  }

  @Test
  void aDryRunWritesNothingAndTakesNoLock() throws IOException {
    MaintainedStore at = damaged();
    CheckpointStore readOnly =
        new OtherUri(at.store) {
          @Override
          public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
            throw new IOException("read-only");
          }

          @Override
          public Sink create(String key) throws IOException {
            throw new IOException("read-only");
          }

          @Override
          public void delete(Collection<String> keys) throws IOException {
            throw new IOException("read-only");
          }

          @Override
          public Closeable lock(String key, String holder) throws IOException {
            throw new IOException("read-only");
          }

          @Override
          public Instant now() throws IOException {
            throw new IOException("read-only: a folder's clock is that of a file just made");
          }
        };
    Maintenance dry = Maintenance.of(readOnly).clock(at.clock);
    Maintenance real = Maintenance.of(at.store).clock(at.clock);
    assertThat(dry.limit(1, Map.of(), true)).isNotEmpty();
    assertThat(dry.repair("toy", true)).isNotEmpty();
    var collected = dry.collect("toy", Retention.latest(1), true);
    assertThat(collected).isNotEmpty().isEqualTo(real.collect("toy", Retention.latest(1), false));
  }

  /** At each delete and each mark of a clean-up another process goes on from what it deletes. */
  @Test
  void aStartDuringACleanUpKeepsWhatItGoesOnFrom() throws Exception {
    String last = id(1, 8);
    int stopped = 0;
    for (int at = 1; at <= 30; at++) {
      MaintainedStore made = new MaintainedStore();
      made.run("toy", new Resume.Auto(), 1, 2, 3, 4, 5, 6, 7, 8);
      made.run("toy", new Resume.Never(), 1, 2);
      MaintainedStore run = MaintainedStore.of(made.objects());
      StartsAt store = new StartsAt(run, last, at);
      try {
        Maintenance.of(store).collect("toy", Retention.latest(9), false);
      } catch (CheckpointException.Fenced e) {
        assertThat(e).hasMessageContaining("attempts/000003");
        stopped++;
      }
      if (store.started == null) {
        continue; // the clean-up was over before, or its checkpoint was deleted in time
      }
      assertThat(run.start()).as("call %s", at).isEqualTo(last);
    }
    assertThat(stopped).isGreaterThan(5);
  }

  @Test
  void aLimitLeavesARunThatWasStartedMeanwhile() throws Exception {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3, 4, 5, 6, 7, 8);
    made.run("toy", new Resume.Never(), 1, 2);
    MaintainedStore run = MaintainedStore.of(made.objects());
    StartsAt store = new StartsAt(run, id(1, 8), 3);
    var actions = Maintenance.of(store).limit(1, Map.of(), false);
    assertThat(store.started).isEqualTo(id(1, 8));
    assertThat(actions).anyMatch(a -> a.reason().contains("attempts/000003"));
    assertThat(run.start()).isEqualTo(id(1, 8));
  }

  /** The same medium, with its locks; at one call another process starts. */
  private static final class StartsAt extends Locking {
    private final MaintainedStore run;
    private final String from;
    private int left;
    private @Nullable String started;

    StartsAt(MaintainedStore run, String from, int at) {
      super(run.store);
      this.run = run;
      this.from = from;
      this.left = at;
    }

    @Override
    public void delete(Collection<String> keys) throws IOException {
      call();
      super.delete(keys);
    }

    @Override
    public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
      call();
      Decision decision = super.putIfAbsent(key, small);
      call();
      return decision;
    }

    private void call() {
      left--;
      if (left != 0) {
        return;
      }
      try (CheckpointManager ckpt =
          CheckpointManager.in(new Locking(run.store))
              .run("toy")
              .part("toy", fresh())
              .keep(Set::copyOf)
              .resume(Resume.parse(from))
              .open()) {
        started = ckpt.resume().orElseThrow().checkpoint().id();
      } catch (CheckpointException.NotFound e) {
        started = null;
      }
    }
  }
}
