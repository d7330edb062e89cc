package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * What retention keeps far behind the newest, as the best or as the last finite one, and loses its
 * manifest: nothing names it as its parent any more.
 */
class LostBestTest {

  private static final double NAN = Double.NaN;

  /** The best of these, and the newest two; a loss of NaN comes with weights that hold NaN. */
  private static MaintainedStore trained(Retention keep, double... losses) throws IOException {
    MaintainedStore at = new MaintainedStore();
    ToyState state = fresh();
    try (CheckpointManager ckpt = at.builder("toy", state).keep(keep).open()) {
      ckpt.resume();
      for (int step = 1; step <= losses.length; step++) {
        state.advance(1);
        if (Double.isNaN(losses[step - 1])) {
          requireNonNull(state.tensors.get("layer1/weight"))[3] = Float.NaN;
        }
        ckpt.save(Progress.step(step), Map.of("loss", losses[step - 1])).join();
      }
    }
    at.clock.pass(Duration.ofHours(1));
    return at;
  }

  private static MaintainedStore bestIsTwo() throws IOException {
    return trained(
        Retention.anyOf(Retention.best("loss", Retention.Mode.MIN, 1), Retention.latest(2)),
        5,
        1,
        6,
        6,
        6,
        6,
        6,
        6);
  }

  private static void lose(MaintainedStore at, String... ids) throws IOException {
    for (String each : ids) {
      at.store.delete(List.of(KEYS.manifest(parsed(each))));
    }
  }

  @Test
  void theBestIsNamedAndNobodyTakesItForALeftOver() throws IOException {
    MaintainedStore at = bestIsTwo();
    lose(at, id(1, 2));
    TreeMap<String, byte[]> lost = at.objects();
    assertThat(Checkpoints.read(at.store, "toy").verify(id(1, 2)).problems())
        .singleElement()
        .asString()
        .contains("its manifest is missing, and it was committed");
    assertThat(at.start()).isEqualTo(id(1, 8));
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.start()).as("behind the sweep of a start").isEqualTo(id(1, 8));
    at.collect(Retention.latest(1));
    assertThat(at.objects()).containsKeys(at.shard(id(1, 2)), KEYS.vote(parsed(id(1, 2)), 0));
    at.repair();
    assertThat(at.whole()).contains(id(1, 2));
    MaintainedStore first = MaintainedStore.of(lost);
    first.repair();
    assertThat(first.whole()).containsExactlyInAnyOrder(id(1, 2), id(1, 7), id(1, 8));
  }

  /** What tells of it then is what the next attempt began with. */
  @Test
  void theBestOfAnAttemptWhoseOthersAreAllDeletedIsNoLeftOverEither() throws IOException {
    MaintainedStore at = bestIsTwo();
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        at.builder("toy", state)
            .keep(
                Retention.anyOf(Retention.best("loss", Retention.Mode.MIN, 1), Retention.latest(1)))
            .open()) {
      ckpt.resume();
      for (int step = 9; step <= 11; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of("loss", 7.0)).join();
      }
    }
    for (int times = 0; times < 2; times++) {
      at.clock.pass(Duration.ofHours(1));
      at.collect(Set::copyOf);
    }
    assertThat(at.whole()).containsExactlyInAnyOrder(id(1, 2), id(2, 11));
    lose(at, id(1, 2));
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.start()).isEqualTo(id(2, 11));
    at.repair();
    assertThat(at.whole()).contains(id(1, 2));
  }

  /** That is no mistake in what was asked. */
  @Test
  void whoAsksForALostOneIsToldThatARepairMayBringItBack() throws IOException {
    MaintainedStore at = bestIsTwo();
    lose(at, id(1, 2));
    assertThatThrownBy(() -> at.builder("toy", fresh()).resume(Resume.parse(id(1, 2))).open())
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("has no checkpoint " + id(1, 2))
        .hasMessageContaining("its manifest is missing, and it was committed")
        .hasMessageContaining("ckpt repair");
    assertThatThrownBy(() -> at.builder("toy", fresh()).resume(Resume.parse(id(1, 3))).open())
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageNotContaining("ckpt repair");
  }

  /** Of what was deleted, or never there, a file that somebody copied makes no lost one. */
  @Test
  void theVoteOfAnotherOneIsNoCheckpointThatWasLost() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1, 3);
    at.put(KEYS.vote(parsed(id(1, 2)), 0), at.bytes(KEYS.vote(parsed(id(1, 3)), 0)));
    at.clock.pass(Duration.ofHours(1));
    assertThat(Checkpoints.read(at.store, "toy").all())
        .noneMatch(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED);
    at.mends(Kind.GIVE_UP, id(1, 2));
    assertThat(at.whole()).containsExactlyInAnyOrder(id(1, 1), id(1, 3));
  }

  /** An end that does not say at which step it was means the last one that has a vote. */
  @Test
  void theLastOfACompletedRunIsNamedThoughItsVoteCannotBeRead() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1, 2);
    EndRecord end =
        new EndRecord(1, EndRecord.COMPLETED, Map.of("steps", 2L), Instant.now().plusSeconds(60));
    at.put(KEYS.end(1), end.encode());
    lose(at, id(1, 2));
    at.flip(KEYS.vote(parsed(id(1, 2)), 0), -9);
    at.clock.pass(Duration.ofHours(1));
    assertThat(Checkpoints.read(at.store, "toy").all())
        .filteredOn(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED)
        .extracting(ListedCheckpoint::id)
        .containsExactly(id(1, 2));
    at.collect(Set::copyOf);
    assertThat(at.objects()).containsKey(at.shard(id(1, 2)));
  }

  @Test
  void gcBeforeTheRepairCostsNothing() throws IOException {
    MaintainedStore at = bestIsTwo();
    lose(at, id(1, 2), id(1, 7));
    assertThat(Maintenance.of(at.store).clock(at.clock).collect("toy", Set::copyOf, false))
        .noneMatch(action -> action.kind() == Kind.GIVE_UP);
    at.repair();
    assertThat(at.whole()).containsExactlyInAnyOrder(id(1, 2), id(1, 7), id(1, 8));
  }

  @Test
  void aRepairOfARunThatLostAllManifestsMayBeCutShortAnywhere() throws IOException {
    int cuts = 0;
    for (boolean nan : new boolean[] {false, true}) {
      MaintainedStore made = nan ? trained(Retention.latest(1), 1, NAN, NAN) : bestIsTwo();
      Set<String> whole = made.whole();
      String next = made.next();
      TreeMap<String, byte[]> lost = made.objects();
      lost.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
      for (int call = 1; isCut(lost, call, whole, next); call++) {
        cuts++;
      }
    }
    System.out.printf("a repair that brings back the best was cut short in %d places%n", cuts);
    assertThat(cuts).isGreaterThan(8);
  }

  /** Whether it was; checks what a start and a repair make of it, in both orders. */
  private static boolean isCut(
      TreeMap<String, byte[]> lost, int call, Set<String> whole, String next) throws IOException {
    MaintainedStore at = MaintainedStore.of(lost);
    FaultyStore store = FaultyStore.around(at.store);
    store.on(Operation.PUT_IF_ABSENT, Operation.COMPLETE, Operation.DELETE).nth(call).stops();
    try {
      Maintenance.of(store).clock(at.clock).repair("toy", false);
    } catch (UncheckedIOException | CheckpointException e) {
      assertThat(store.isStopped()).isTrue();
    }
    boolean cut = store.isStopped();
    store.heal();
    at.clock.pass(Duration.ofHours(1));
    MaintainedStore started = MaintainedStore.of(at.objects());
    assertThat(started.start()).as("a start behind the cut at %s", call).isIn(next, "error");
    started.clock.pass(Duration.ofHours(1));
    for (MaintainedStore each : List.of(at, started)) {
      each.repair();
      assertThat(each.whole()).as("cut at %s", call).containsExactlyInAnyOrderElementsOf(whole);
    }
    return cut;
  }

  @Test
  void noStartGoesOnFromNaNWhileALostOneThatIsFiniteMayComeBack() throws IOException {
    for (int steps : new int[] {2, 4}) {
      double[] losses = new double[steps];
      losses[steps - 1] = NAN;
      MaintainedStore at = trained(Set::copyOf, losses);
      String last = id(1, steps);
      for (int step = 1; step < steps; step++) {
        lose(at, id(1, step));
      }
      assertThat(at.next()).isEqualTo("error");
      at.repair();
      assertThat(at.next()).isEqualTo(id(1, steps - 1)).isNotEqualTo(last);
    }
  }

  /** Whose manifest is whole, and whose shard is not, is not what a start takes. */
  @Test
  void aLostOneBehindADamagedOneIsSaidAndKeepsAStartFromNaN() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1, 2, 3, -4);
    lose(at, id(1, 2));
    at.flip(at.shard(id(1, 3)), 900);
    at.clock.pass(Duration.ofHours(1));
    TreeMap<String, byte[]> left = at.objects();
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo(id(1, 1));
      assertThat(restored.skipped()).anyMatch(why -> why.startsWith(id(1, 2) + ": "));
    }
    at = MaintainedStore.of(left);
    lose(at, id(1, 1));
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).as("two finite ones may come back").isEqualTo("error");
    at.repair();
    assertThat(at.next()).isEqualTo(id(1, 2));
  }

  /** So nobody goes back before something of which nobody can tell what it was. */
  @Test
  void noStartFallsBackBehindWhatIsUntold() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), 1, 2, 3, 4);
    for (int step = 2; step <= 3; step++) {
      lose(at, id(1, step));
      at.store.delete(List.of(KEYS.vote(parsed(id(1, step)), 0)));
    }
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).isEqualTo(id(1, 4));
    at.flip(at.shard(id(1, 4)), 900);
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).isEqualTo("error");
    at.repair();
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).isEqualTo("error");
  }

  /** Also behind a restart, whose record names what retention has deleted since. */
  @Test
  void whatRetentionDeletedKeepsNoStartFromNaNIfNothingElseIsLeft() throws IOException {
    for (boolean restarted : new boolean[] {false, true}) {
      for (boolean repaired : new boolean[] {false, true}) {
        MaintainedStore at = new MaintainedStore();
        if (restarted) {
          trains(at, 1);
        }
        trains(at, restarted ? new int[] {2, -3, -4} : new int[] {1, 2, -3, -4});
        for (int times = 0; times < 2; times++) {
          at.clock.pass(Duration.ofHours(1));
          at.collect(Set::copyOf);
        }
        String finite = id(restarted ? 2 : 1, 2);
        String last = id(restarted ? 2 : 1, 4);
        assertThat(at.whole()).contains(finite, last).doesNotContain(id(1, 1));
        assertThat(at.next()).isEqualTo(finite);
        at.flip(at.shard(finite), 900);
        at.clock.pass(Duration.ofHours(1));
        if (repaired) {
          at.repair();
          at.clock.pass(Duration.ofHours(1));
        }
        try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
          Restored restored = ckpt.resume().orElseThrow();
          assertThat(restored.checkpoint().id()).isEqualTo(last);
          assertThat(restored.skipped()).noneMatch(why -> why.contains(id(1, 1)));
        }
      }
    }
  }

  /** A restart with what it keeps: the newest one, and the newest that is finite. */
  private static void trains(MaintainedStore at, int... steps) {
    ToyState state = fresh();
    try (CheckpointManager ckpt = at.builder("toy", state).keep(Retention.latest(1)).open()) {
      ckpt.resume();
      for (int step : steps) {
        state.advance(1);
        if (step < 0) {
          requireNonNull(state.tensors.get("layer1/weight"))[3] = Float.NaN;
        }
        ckpt.save(Progress.step(Math.abs(step)), Map.of()).join();
      }
    }
  }

  /** What somebody took away with all its files, no repair brings back. */
  @Test
  void aRunOfNothingButNaNGoesOnThoughWhatItBeganWithWasTakenAway() throws IOException {
    MaintainedStore at = new MaintainedStore();
    at.run("toy", new Resume.Auto(), -1, -2);
    at.run("toy", new Resume.Auto(), -3, -4);
    at.store.delete(
        at.objects().keySet().stream()
            .filter(key -> key.contains(id(1, 1)) || key.contains(id(1, 2)))
            .toList());
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).isEqualTo(id(2, 4));
  }

  /** Its vote says that what it would bring back is none. */
  @Test
  void aLostOneThatHoldsNaNItselfKeepsNoStartFromNewerNaN() throws IOException {
    MaintainedStore at = trained(Set::copyOf, NAN, NAN, NAN);
    lose(at, id(1, 1), id(1, 2));
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.next()).isEqualTo(id(1, 3));
  }
}
