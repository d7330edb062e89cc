package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Verification;
import java.io.IOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checkpoints that lost their manifest, or cannot read it, and what still tells of them. */
class LostManifestTest {

  private MaintainedStore at = new MaintainedStore();
  private TreeMap<String, byte[]> before = new TreeMap<>();

  @BeforeEach
  void twoBranches() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
    at.repair(); // left-overs
    before = at.objects();
  }

  @Test
  void aPinnedIdWhoseManifestIsGoneIsCommittedAgainOrLeftToAPerson() throws IOException {
    String manifest = KEYS.manifest(parsed(id(1, 1)));
    at.store.delete(List.of(manifest));
    at.mends(Kind.RESTORE, manifest);
    at.isAsBefore(before);
    at.store.delete(List.of(manifest, KEYS.vote(parsed(id(1, 1)), 0)));
    at.mends(Kind.LEAVE, id(1, 1));
    assertThat(at.bytes(at.shard(id(1, 1)))).isEqualTo(before.get(at.shard(id(1, 1))));
  }

  @Test
  void anyLostManifestThatSomethingProvesIsMadeAgainByteForByte() throws IOException {
    for (String id : List.of(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6))) {
      String manifest = KEYS.manifest(parsed(id));
      at.store.delete(List.of(manifest));
      Verification found = Checkpoints.read(at.store, "toy").verify(id);
      assertThat(found.problems()).singleElement().asString().contains("manifest is missing");
      at.mends(Kind.RESTORE, manifest);
      at.isAsBefore(before);
    }
  }

  @Test
  void aLostManifestWhoseShardIsDamagedIsLeftAndNothingOfItGoes() throws IOException {
    at.store.delete(List.of(KEYS.manifest(parsed(id(2, 4)))));
    at.flip(at.shard(id(2, 4)), 900);
    at.clock.pass(java.time.Duration.ofHours(1));
    before = at.objects();
    at.mends(Kind.LEAVE, id(2, 4));
    at.isAsBefore(before);
    assertThat(at.start()).isEqualTo(id(3, 6));
    assertThat(at.objects()).containsKey(at.shard(id(2, 4)));
  }

  @Test
  void ofARunThatLostAllManifestsNoStartIsFreshAndARepairBringsThemBack() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3, 4, 5);
    TreeMap<String, byte[]> whole = made.objects();
    TreeMap<String, byte[]> lost = new TreeMap<>(whole);
    lost.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
    at = MaintainedStore.of(lost);
    assertThat(Checkpoints.read(at.store, "toy").all())
        .hasSize(5)
        .allMatch(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED);
    assertThat(at.start()).isEqualTo("error");
    assertThat(at.start()).as("after the sweep of a start").isEqualTo("error");
    at.clock.pass(java.time.Duration.ofHours(1));
    assertThat(Maintenance.of(at.store).clock(at.clock).collect("toy", Retention.latest(1), false))
        .allMatch(action -> action.kind() == Kind.LEAVE);
    assertThat(at.repair()).hasSize(5).allMatch(action -> action.kind() == Kind.RESTORE);
    whole.forEach(
        (key, bytes) -> {
          try {
            assertThat(at.bytes(key)).as(key).isEqualTo(bytes);
          } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
          }
        });
    assertThat(at.start()).isEqualTo(id(1, 5));
  }

  @Test
  void theNewestOfAnAttemptWithoutManifestIsUndecidedUnlessTheRunWasCompletedWithIt()
      throws IOException {
    for (boolean completes : new boolean[] {false, true}) {
      MaintainedStore made = new MaintainedStore();
      ToyState state = MaintainedStore.fresh();
      try (CheckpointManager ckpt = made.builder("toy", state).open()) {
        ckpt.resume();
        for (int step = 1; step <= 2; step++) {
          state.advance(1);
          ckpt.save(Progress.step(step), Map.of()).join();
        }
        if (completes) {
          ckpt.complete(Map.of("steps", 2L));
        }
      }
      made.store.delete(List.of(KEYS.manifest(parsed(id(1, 2)))));
      at = MaintainedStore.of(made.objects());
      at.mends(
          completes ? Kind.RESTORE : Kind.GIVE_UP,
          completes ? KEYS.manifest(parsed(id(1, 2))) : id(1, 2));
    }
  }

  @Test
  void aStartThatGoesOnFromBeforeALostCheckpointSaysSo() throws IOException {
    // 7 holds a NaN, and was the last: 6 is known by it
    at.store.delete(List.of(KEYS.manifest(parsed(id(3, 6)))));
    try (CheckpointManager ckpt = at.builder("toy", MaintainedStore.fresh()).open()) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo(id(2, 5));
      assertThat(restored.skipped())
          .anyMatch(each -> each.startsWith(id(3, 6)) && each.contains("its manifest is gone"));
    }
    at.run("toy", new Resume.Auto(), 8);
    assertThat(at.objects()).as("swept").containsKey(at.shard(id(3, 6)));
  }

  @Test
  void ofABranchWhoseOnlyCheckpointLostItsManifestNoStartIsFreshAndNothingIsGivenUp()
      throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1);
    made.run("toy", new Resume.Auto());
    made.store.delete(List.of(KEYS.manifest(parsed(id(1, 1))), KEYS.vote(parsed(id(1, 1)), 0)));
    MaintainedStore at = MaintainedStore.of(made.objects());
    for (Resume how : List.of(new Resume.Auto(), new Resume.Required())) {
      assertThatThrownBy(() -> at.run("toy", how))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining(id(1, 1))
          .hasMessageContaining("never");
    }
    Maintenance maintenance = Maintenance.of(at.store).clock(at.clock);
    assertThat(maintenance.repair("toy", false)).allMatch(a -> a.kind() == Kind.LEAVE).isNotEmpty();
    assertThat(maintenance.collect("toy", Retention.latest(1), false))
        .allMatch(a -> a.kind() == Kind.LEAVE);
    assertThat(at.objects()).containsKey(at.shard(id(1, 1)));
    assertThat(at.start()).isEqualTo("error");
    at.run("toy", new Resume.Never());
    assertThat(at.start()).as("asked for").isEqualTo("fresh");
    assertThat(at.start()).as("and killed before the first save").isEqualTo("fresh");
  }

  @Test
  void anyDamagedManifestThatSomethingElseProvesIsMadeAgainByteForByte() throws IOException {
    List<String> ids = List.of(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6));
    for (String id : ids) {
      String key = KEYS.manifest(parsed(id));
      byte[] was = at.bytes(key);
      byte[] other = at.bytes(KEYS.manifest(parsed(id.equals(id(1, 1)) ? id(1, 2) : id(1, 1))));
      for (byte[] now :
          List.of(new byte[0], new byte[was.length], Arrays.copyOf(was, was.length / 2), other)) {
        at.put(key, now);
        at.mends(Kind.RESTORE, key);
        at.isAsBefore(before);
      }
    }
  }

  private void losesItsManifestAndABitOf(String id) throws IOException {
    at.store.delete(List.of(KEYS.manifest(parsed(id))));
    at.flip(at.shard(id), 900);
    at.clock.pass(Duration.ofHours(1));
  }

  @Test
  void whatIsAllThatTellsOfALostCheckpointStaysAsLong() throws IOException {
    losesItsManifestAndABitOf(id(2, 4));
    for (int times = 0; times < 3; times++) {
      assertThat(at.collect(Retention.latest(1)))
          .as("time %d", times)
          .filteredOn(action -> action.subject().equals(id(2, 5)))
          .singleElement()
          .satisfies(action -> assertThat(action.kind()).isEqualTo(Kind.LEAVE))
          .satisfies(action -> assertThat(action.reason()).contains(id(2, 4) + " was committed"));
      at.mends(Kind.LEAVE, id(2, 4));
      at.clock.pass(Duration.ofHours(1));
    }
    assertThat(at.objects())
        .containsKeys(at.shard(id(2, 4)), at.shard(id(2, 5)), at.shard(id(3, 6)))
        .doesNotContainKey(at.shard(id(1, 2)));
    assertThat(at.start()).isEqualTo(id(3, 6));
    at.store.delete(List.of(at.shard(id(2, 4)), KEYS.vote(parsed(id(2, 4)), 0)));
    assertThat(at.collect(Retention.latest(1)))
        .as("once a person has let it go")
        .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
        .contains(tuple(Kind.DELETE, id(2, 5)));
  }

  @Test
  void aMarkedOneThatIsAllThatTellsOfALostOneIsNotDeletedToItsEnd() throws IOException {
    losesItsManifestAndABitOf(id(2, 4));
    at.put(KEYS.deleted(parsed(id(2, 5))), text("retention"));
    at.clock.pass(Duration.ofHours(1));
    for (int times = 0; times < 2; times++) {
      assertThat(at.repair())
          .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
          .containsExactlyInAnyOrder(tuple(Kind.LEAVE, id(2, 4)), tuple(Kind.LEAVE, id(2, 5)));
    }
  }

  @Test
  void theRetentionOfATrainingSparesWhatTellsOfALostCheckpoint() throws IOException {
    losesItsManifestAndABitOf(id(2, 4));
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = at.builder("toy", state).keep(Retention.latest(1)).open()) {
      ckpt.resume();
      for (int step = 8; step < 12; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
    assertThat(at.objects()).containsKeys(at.shard(id(2, 4)), KEYS.manifest(parsed(id(2, 5))));
    assertThat(at.whole())
        .contains(id(2, 5), id(4, 11))
        .doesNotContain(id(1, 2), id(3, 6), id(4, 10));
    at.clock.pass(Duration.ofHours(1));
    at.collect(Retention.latest(1));
    assertThat(at.objects()).containsKey(at.shard(id(2, 4)));
  }

  @Test
  void ofAStoppedRunThatLostAllManifestsTheOneThatIsNotWholeGoesAsideAndNotForEver()
      throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3);
    TreeMap<String, byte[]> whole = made.objects();
    TreeMap<String, byte[]> lost = new TreeMap<>(whole);
    lost.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
    at = MaintainedStore.of(lost);
    byte[] cut = Arrays.copyOf(at.bytes(at.shard(id(1, 3))), 900);
    at.put(at.shard(id(1, 3)), cut);
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.repair())
        .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
        .containsExactlyInAnyOrder(
            tuple(Kind.QUARANTINE, id(1, 3)),
            tuple(Kind.RESTORE, KEYS.manifest(parsed(id(1, 1)))),
            tuple(Kind.RESTORE, KEYS.manifest(parsed(id(1, 2)))));
    for (String key : List.of(at.shard(id(1, 3)), KEYS.vote(parsed(id(1, 3)), 0))) {
      byte[] expected = key.equals(at.shard(id(1, 3))) ? cut : whole.get(key);
      assertThat(at.bytes(KEYS.quarantined(Optional.of(parsed(id(1, 3))), key)))
          .isEqualTo(expected);
    }
    assertThat(at.repair()).isEmpty();
    assertThat(at.start()).isEqualTo(id(1, 2));
  }

  @Test
  void whatLiesInAFolderOfSomebodysOwnIsNeitherARecordNorACheckpoint() throws IOException {
    TreeMap<String, byte[]> with = new TreeMap<>(before);
    byte[] manifest = at.bytes(KEYS.manifest(parsed(id(3, 6))));
    with.put(KEYS.manifests() + "bak/" + id(4, 9) + ".json", manifest);
    with.put(KEYS.resumes() + "old/000009.json", text("junk"));
    with.put(KEYS.attempts() + "old/000009.json", text("junk"));
    with.put(KEYS.ends() + "old/000002.json", text("junk"));
    with.put(KEYS.deleted() + "old/" + id(3, 6), text("mine"));
    with.put(KEYS.pins() + "old/" + id(1, 2), text("mine"));
    with.put(KEYS.data() + "old/" + id(4, 9) + "/rank-00000-of-00001.arrow", new byte[9]);
    with.put(KEYS.votes() + "old/" + id(4, 9) + "/rank-00000.json", new byte[9]);
    at = MaintainedStore.of(with);
    Checkpoints checkpoints = Checkpoints.read(at.store, "toy");
    Checkpoints without = Checkpoints.read(MaintainedStore.of(before).store, "toy");
    assertThat(at.repair()).isEmpty();
    at.isAsBefore(with);
    assertThat(checkpoints.list()).isEqualTo(without.list()).isNotEmpty();
    assertThat(checkpoints.all()).hasSameSizeAs(without.all());
    assertThat(checkpoints.verifyRecords().problems()).isEmpty();
    assertThat(at.next()).isEqualTo(id(3, 6));
    MaintainedStore other = MaintainedStore.of(before);
    assertThat(at.collect(Retention.latest(2))).isEqualTo(other.collect(Retention.latest(2)));
    before.keySet().forEach(with::remove);
    assertThat(at.objects()).containsAllEntriesOf(with);
  }

  @Test
  void aManifestThatSomebodyMovedIntoAFolderOfHisIsMissingAndIsMadeAgain() throws IOException {
    String key = KEYS.manifest(parsed(id(3, 6)));
    String bak = KEYS.manifests() + "bak/" + id(3, 6) + ".json";
    at.put(bak, at.bytes(key));
    at.store.delete(List.of(key));
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.collect(Retention.latest(1)))
        .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
        .contains(tuple(Kind.LEAVE, id(3, 6)))
        .doesNotContain(tuple(Kind.GIVE_UP, id(3, 6)));
    at.repair();
    assertThat(at.objects()).containsKey(bak);
    assertThat(at.bytes(key)).isEqualTo(before.get(key));
  }

  @Test
  void theWayOutThatAStrayCopyOfAManifestLeadsToCanBeGone() throws IOException {
    at.put(KEYS.manifest(parsed(id(4, 6))), at.bytes(KEYS.manifest(parsed(id(3, 6)))));
    assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("the newest is " + id(3, 6));
    assertThatThrownBy(() -> at.run("toy", Resume.parse(id(3, 6))))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(KEYS.manifest(parsed(id(4, 6))) + " cannot be read: `ckpt repair`");
    at.mends(Kind.QUARANTINE, id(4, 6));
    assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(id(4, 6) + ", which a repair moved aside")
        .hasMessageContaining("the newest is " + id(3, 6));
    at.run("toy", Resume.parse(id(3, 6)), 8);
    assertThat(at.start()).isEqualTo(id(5, 8));
  }
}
