package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CollectTest {

  private static final Retention ALL = Set::copyOf;

  private MaintainedStore at = new MaintainedStore();

  @BeforeEach
  void twoBranches() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
  }

  @Test
  void whatNobodyNeedsGoesAndEachActionSaysWhyAndHowMuch() throws IOException {
    assertThat(at.collect(ALL))
        .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
        .containsExactlyInAnyOrder(
            tuple(Kind.REMOVE, id(1, 9)),
            tuple(Kind.REMOVE, id(3, 8)),
            tuple(Kind.GIVE_UP, id(3, 9)),
            tuple(Kind.REMOVE, KEYS.deleted(parsed(id(1, 9)))),
            tuple(Kind.REMOVE, KEYS.shard(parsed(id(2, 5)), 0, 1, 1, "arrow")),
            tuple(Kind.DELETE, id(1, 3)));
    assertThat(at.collect(ALL)).as("nothing is left to do").isEmpty();
    assertThat(at.whole())
        .containsExactly(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6), id(3, 7));
    assertThat(at.objects().keySet())
        .as("an ABORT stays for ever")
        .contains(KEYS.manifest(parsed(id(3, 8))), KEYS.manifest(parsed(id(3, 9))))
        .noneMatch(key -> key.contains("/data/" + id(3, 8)) || key.contains("/data/" + id(3, 9)));
    assertThat(at.next()).isEqualTo(id(3, 6));
  }

  @Test
  void bytesAreThoseOfTheFilesThatGo() throws IOException {
    long dead = at.bytes(at.shard(id(1, 3))).length;
    assertThat(at.collect(ALL).stream().mapToLong(MaintenanceAction::bytes).sum())
        .isEqualTo(300 + 400 + 500 + 600 + dead);
  }

  @Test
  void onAFullDiskACollectionMakesRoom() throws IOException {
    CrashingFileSystem disk = CrashingFileSystem.create();
    List<String> ids = new ArrayList<>();
    try (CheckpointStore store = Stores.local(disk.getPath("/store"))) {
      ToyState state = fresh();
      try (CheckpointManager ckpt =
          CheckpointManager.in(store).run("toy").part("toy", state).keep(ALL).open()) {
        ckpt.resume();
        for (int step = 1; step <= 3; step++) {
          state.advance(1);
          ids.add(ckpt.save(Progress.step(step), Map.of()).join().id());
        }
      }
      disk.on(CrashingFileSystem.Operation.WRITE).isFull();
      List<MaintenanceAction> told = new ArrayList<>();
      List<MaintenanceAction> done =
          Maintenance.of(store).telling(told::add).collect("toy", Retention.latest(1), false);
      assertThat(done)
          .extracting(MaintenanceAction::kind, MaintenanceAction::subject)
          .containsExactly(tuple(Kind.DELETE, ids.get(0)), tuple(Kind.DELETE, ids.get(1)));
      assertThat(told).isEqualTo(done);
      assertThat(Checkpoints.read(store, "toy").list())
          .extracting(Checkpoint::id)
          .containsExactly(ids.get(2));
      assertThat(Checkpoints.read(store, "toy").verify(ids.get(2)).ok()).isTrue();
    }
  }

  @Test
  void whatWasDoneIsToldThoughALaterActionFails() throws IOException {
    FaultyStore faulty = FaultyStore.around(at.store);
    faulty.on(FaultyStore.Operation.DELETE).from(4).fails();
    List<MaintenanceAction> told = new ArrayList<>();
    assertThatThrownBy(
            () ->
                Maintenance.of(faulty)
                    .clock(at.clock)
                    .telling(told::add)
                    .collect("toy", ALL, false))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("start it again");
    assertThat(told).isNotEmpty();
    List<MaintenanceAction> rest = at.collect(ALL);
    assertThat(rest).isNotEmpty().doesNotContainAnyElementsOf(told);
  }

  /** Each call that deletes or marks fails once: what is gone is told, and nothing else. */
  @Test
  void aDeletionThatFailsIsToldOnlyIfSomethingIsGone() throws IOException {
    TreeMap<String, byte[]> before = at.objects();
    int cutShort = 0;
    for (FaultyStore.Operation operation :
        List.of(FaultyStore.Operation.PUT_IF_ABSENT, FaultyStore.Operation.DELETE)) {
      for (int call = 1; ; call++) {
        at = MaintainedStore.of(before);
        FaultyStore faulty = FaultyStore.around(at.store);
        faulty.on(operation).from(call).fails();
        List<MaintenanceAction> told = new ArrayList<>();
        boolean failed = false;
        try {
          Maintenance.of(faulty)
              .clock(at.clock)
              .telling(told::add)
              .collect("toy", Retention.latest(1), false);
        } catch (UncheckedIOException | CheckpointException e) {
          failed = true;
        }
        Set<String> left = at.objects().keySet();
        Set<String> gone = new TreeSet<>();
        for (String key : before.keySet()) {
          if (key.startsWith(KEYS.manifests()) && !left.contains(key)) {
            gone.add(KEYS.idOf(key).orElseThrow().toString());
          }
        }
        Set<String> said = new TreeSet<>();
        for (MaintenanceAction each : told) {
          boolean half = each.kind() == Kind.CUT_SHORT && each.reason().startsWith("delete: ");
          if (each.kind() == Kind.DELETE || half) {
            said.add(each.subject());
            cutShort += half ? 1 : 0;
          }
        }
        String what = operation + " " + call;
        assertThat(said).as(what).containsAll(gone);
        for (String id : said) {
          assertThat(left).as(what).doesNotContain(KEYS.manifest(parsed(id)));
        }
        if (!failed) {
          assertThat(call).as("%s failed before", operation).isGreaterThan(3);
          break;
        }
      }
    }
    assertThat(cutShort).isPositive();
  }

  @Test
  void whatIsYoungerThanTheGraceStays() throws IOException {
    Maintenance day = Maintenance.of(at.store).clock(at.clock).grace(Duration.ofDays(1));
    assertThat(day.collect("toy", ALL, false))
        .allMatch(each -> each.kind() == MaintenanceAction.Kind.LEAVE)
        .singleElement()
        .satisfies(each -> assertThat(each.reason()).contains("1 checkpoint", "grace"));
    at.clock.pass(Duration.ofDays(1));
    assertThat(day.collect("toy", ALL, false)).isNotEmpty();
  }

  @Test
  void thePolicyIsAppliedToTheLiveBranchButForTheNewestAndPins() throws IOException {
    at.collect(Retention.latest(1));
    assertThat(at.whole()).containsExactly(id(1, 1), id(3, 6), id(3, 7));
    assertThat(at.next()).isEqualTo(id(3, 6));
    at.collect(committed -> Set.of());
    assertThat(at.whole()).containsExactly(id(1, 1), id(3, 6), id(3, 7));
  }

  @Test
  void aMetricThatNoCheckpointHasLetsNothingGo() throws IOException {
    Retention typo = Retention.best("acuracy", Retention.Mode.MAX, 1);
    for (Retention keep : List.of(typo, Retention.anyOf(Retention.latest(1), typo))) {
      twoBranches();
      assertThat(at.collect(keep))
          .filteredOn(action -> action.kind() == Kind.LEAVE)
          .singleElement()
          .satisfies(action -> assertThat(action.subject()).isEqualTo("acuracy"))
          .satisfies(
              action -> assertThat(action.reason()).contains("'toy'", "'acuracy'", "[loss]"));
      assertThat(at.whole())
          .containsExactly(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6), id(3, 7));
    }
  }

  @Test
  void aPinnedCheckpointOfADeadBranchStays() throws IOException {
    Checkpoints.read(at.store, "toy").pin(id(1, 3));
    at.collect(ALL);
    assertThat(at.whole()).contains(id(1, 3));
  }

  @Test
  void nothingThatIsCommittedGoesIfTheNewestCannotBeReadBack() throws IOException {
    at.flip(at.shard(id(3, 6)), 700);
    Set<String> whole = at.whole();
    assertThat(at.collect(Retention.latest(1)))
        .filteredOn(action -> action.kind() == Kind.LEAVE)
        .isNotEmpty()
        .allMatch(action -> action.reason().contains("repair"));
    assertThat(at.whole()).isEqualTo(whole);
  }

  @Test
  void nothingThatIsCommittedGoesIfNobodyCanTellWhatIsLive() throws IOException {
    for (boolean gone : List.of(true, false)) {
      twoBranches();
      Set<String> whole = at.whole();
      lose(3, gone);
      assertThat(at.collect(Retention.latest(1)))
          .extracting(MaintenanceAction::kind)
          .contains(Kind.LEAVE)
          .doesNotContain(Kind.DELETE);
      assertThat(at.whole()).isEqualTo(whole);
    }
  }

  private void lose(int attempt, boolean gone) throws IOException {
    at.put(KEYS.resume(attempt), text("x"));
    if (gone) {
      at.store.delete(List.of(KEYS.resume(attempt)));
    }
  }

  @Test
  void ofWhatIsOlderThanALostRecordNothingGoesAndThatIsSaid() throws IOException {
    for (boolean gone : List.of(true, false)) {
      twoBranches();
      lose(2, gone);
      assertThat(at.collect(Retention.latest(1)))
          .filteredOn(action -> action.kind() == Kind.LEAVE)
          .singleElement()
          .satisfies(
              action ->
                  assertThat(action.reason())
                      .startsWith("3 checkpoint(s) of attempts before 2 are not deleted")
                      .contains("resume/000002.json"));
      assertThat(at.whole()).containsExactly(id(1, 1), id(1, 2), id(1, 3), id(3, 6), id(3, 7));
      twoBranches();
      lose(1, gone);
      assertThat(at.collect(Retention.latest(1)))
          .as("it can only have been a fresh start")
          .extracting(MaintenanceAction::kind)
          .doesNotContain(Kind.LEAVE);
      assertThat(at.whole()).containsExactly(id(1, 1), id(3, 6), id(3, 7));
    }
  }

  @Test
  void eitherWayOutOfALostHeadThatItsMessageNamesLetsACollectionGoOn() throws IOException {
    for (Resume out : List.of(Resume.parse(id(3, 6)), new Resume.Never())) {
      twoBranches();
      lose(3, false);
      assertThat(at.collect(Retention.latest(1)))
          .anyMatch(
              action ->
                  action.reason().contains("resume from a checkpoint by its id, or start over"));
      at.run("toy", out, 8);
      at.clock.pass(Duration.ofHours(1));
      at.collect(Retention.latest(1));
      if (out instanceof Resume.Never) {
        assertThat(at.whole()).containsExactly(id(1, 1), id(4, 8));
      } else {
        assertThat(at.whole()).contains(id(1, 2), id(2, 5), id(4, 8)).doesNotContain(id(3, 6));
      }
    }
  }

  @Test
  void aBranchIsNotDeadBeforeTheNewOneHasSaved() throws IOException {
    try (CheckpointManager ckpt = at.builder("toy", fresh()).resume(new Resume.Never()).open()) {
      ckpt.resume();
    }
    Set<String> whole = at.whole();
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.collect(Retention.latest(1)))
        .extracting(MaintenanceAction::kind)
        .doesNotContain(Kind.DELETE);
    assertThat(at.whole()).isEqualTo(whole);
    at.run("toy", new Resume.Auto(), 1);
    at.collect(ALL);
    assertThat(at.whole()).containsExactly(id(1, 1), id(5, 1));
  }

  @Test
  void aPinThatComesWhileItsCheckpointIsBeingDeletedWins() throws IOException {
    CheckpointStore racing =
        new OtherUri(at.store) {
          @Override
          public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
            if (key.equals(KEYS.deleted(parsed(id(2, 4))))) {
              super.putIfAbsent(KEYS.pin(parsed(id(2, 4))), ByteBuffer.wrap(text("now")));
            }
            return super.putIfAbsent(key, small);
          }
        };
    assertThat(Maintenance.of(racing).takeOver(true).collect("toy", Retention.latest(1), false))
        .filteredOn(action -> action.subject().equals(id(2, 4)))
        .singleElement()
        .satisfies(action -> assertThat(action.kind()).isEqualTo(Kind.LEAVE))
        .satisfies(action -> assertThat(action.reason()).contains("pinned"));
    assertThat(at.whole()).contains(id(2, 4));
    assertThat(at.objects()).doesNotContainKey(KEYS.deleted(parsed(id(2, 4))));
  }

  @Test
  void aCommitThatWinsAgainstTheClaimThatItDiedStays() throws IOException {
    byte[] manifest = at.bytes(KEYS.manifest(parsed(id(3, 7))));
    at.store.delete(List.of(KEYS.manifest(parsed(id(3, 7)))));
    CheckpointStore late =
        new OtherUri(at.store) {
          @Override
          public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
            if (key.equals(KEYS.manifest(parsed(id(3, 7))))) {
              super.putIfAbsent(key, ByteBuffer.wrap(manifest));
            }
            return super.putIfAbsent(key, small);
          }
        };
    assertThat(Maintenance.of(late).takeOver(true).collect("toy", ALL, false))
        .filteredOn(action -> action.subject().equals(id(3, 7)))
        .extracting(MaintenanceAction::kind)
        .containsExactly(Kind.LEAVE);
    assertThat(at.whole()).contains(id(3, 7));
  }

  @Test
  void whatARepairWasCutShortInIsLeftToTheRepair() throws IOException {
    String key = KEYS.manifest(parsed(id(2, 5)));
    at.put(KEYS.quarantined(Optional.of(parsed(id(2, 5))), key), at.bytes(key));
    at.store.delete(List.of(key));
    at.collect(Retention.latest(1));
    assertThat(at.start()).isEqualTo(id(3, 6));
    assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false))
        .extracting(MaintenanceAction::kind)
        .contains(Kind.RESTORE);
    assertThat(at.whole()).contains(id(2, 5));
  }
}
