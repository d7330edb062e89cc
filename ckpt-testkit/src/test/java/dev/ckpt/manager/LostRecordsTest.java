package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies of runs that were cut short, so that shards are there and records are not. */
@Tag("anyjdk")
class LostRecordsTest {

  private static final List<String> FOLDERS =
      List.of(
          KEYS.attempts(),
          KEYS.resumes(),
          KEYS.ends(),
          KEYS.votes(),
          KEYS.manifests(),
          KEYS.deleted(),
          KEYS.pins());

  private MaintainedStore at = new MaintainedStore();

  /** Two attempts; retention has deleted nothing, so that each id has a shard. */
  private static TreeMap<String, byte[]> whole() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3);
    made.run("toy", new Resume.Auto(), 4, 5);
    Checkpoints.read(made.store, "toy").pin(id(1, 1));
    return made.objects();
  }

  /** Nobody calls it whole, starts fresh in it, or removes a shard. */
  private void nothingIsLostWithoutAWord(String of, String... butThese) throws IOException {
    TreeMap<String, byte[]> before = at.objects();
    Checkpoints checkpoints = Checkpoints.read(at.store, "toy");
    List<String> damaged = new ArrayList<>(checkpoints.verifyRecords().problems());
    checkpoints.all().stream()
        .filter(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED)
        .forEach(each -> damaged.add(each.id()));
    assertThat(damaged).as(of).isNotEmpty();
    for (int start = 1; start <= 2; start++) {
      assertThat(at.start()).as("start %s, %s", start, of).isNotEqualTo("fresh");
      at.clock.pass(Duration.ofHours(1));
    }
    at.repair();
    at.collect(Set::copyOf);
    assertThat(at.objects().keySet())
        .as(of)
        .containsAll(
            before.keySet().stream()
                .filter(key -> key.contains("/data/"))
                .filter(key -> !List.of(butThese).contains(key))
                .toList());
  }

  @Test
  void whateverFoldersACopyLacksNoShardGoesAndNoStartIsFreshWithoutAWord() throws IOException {
    TreeMap<String, byte[]> whole = whole();
    int cases = 0;
    for (int lacks = 1; lacks < 1 << FOLDERS.size(); lacks++) {
      List<String> lost = new ArrayList<>();
      for (int i = 0; i < FOLDERS.size(); i++) {
        if ((lacks >> i & 1) == 1) {
          lost.add(FOLDERS.get(i));
        }
      }
      if (!lost.contains(KEYS.manifests())) {
        continue; // what is committed can be read: others promise what becomes of it
      }
      TreeMap<String, byte[]> left = new TreeMap<>(whole);
      left.keySet().removeIf(key -> lost.stream().anyMatch(key::startsWith));
      at = MaintainedStore.of(left);
      // without its end, the last one that an attempt voted on looks like that of a killed one
      boolean killed = lost.contains(KEYS.ends()) && !lost.contains(KEYS.votes());
      nothingIsLostWithoutAWord(
          "without " + lost, killed ? new String[] {at.shard(id(2, 5))} : new String[0]);
      cases++;
    }
    assertThat(cases).isEqualTo(64);
  }

  @Test
  void aCopyThatWasCutShortAnywhereIsNamedAndHarmsNothing() throws IOException {
    TreeMap<String, byte[]> whole = whole();
    List<String> keys = List.copyOf(whole.keySet());
    String votes = KEYS.votes(); // the last folder: a checkpoint stands without them
    for (int there = 1; there < keys.size(); there++) {
      TreeMap<String, byte[]> left = new TreeMap<>(whole);
      left.keySet().retainAll(keys.subList(0, there));
      at = MaintainedStore.of(left);
      boolean data = left.keySet().stream().anyMatch(key -> key.startsWith(KEYS.data()));
      if (data && keys.get(there).compareTo(votes) < 0) {
        nothingIsLostWithoutAWord("up to " + keys.get(there - 1));
      }
    }
  }

  /** Tools that copy a folder take its files in any order. */
  @Test
  void whicheverManifestsACopyHasNoShardGoesAndNoStartIsOlderWithoutAWord() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3, 4, 5);
    TreeMap<String, byte[]> whole = made.objects();
    whole.keySet().removeIf(key -> key.startsWith(KEYS.votes()));
    for (int there = 0; there < 1 << 5; there++) {
      TreeMap<String, byte[]> left = new TreeMap<>(whole);
      for (int step = 1; step <= 5; step++) {
        if ((there >> (step - 1) & 1) == 0) {
          left.remove(KEYS.manifest(parsed(id(1, step))));
        }
      }
      if (Integer.bitCount(there) > 3) {
        continue; // one save without a word is what a kill leaves
      }
      at = MaintainedStore.of(left);
      nothingIsLostWithoutAWord("manifests " + Integer.toBinaryString(there));
      if (there < 1 << 4) {
        assertThat(at.start()).as("manifests " + Integer.toBinaryString(there)).isEqualTo("error");
      }
    }
  }

  /** A kill in the middle of a save leaves one, and it says nothing of what was committed. */
  @Test
  void anAbortUnsaysNothing() throws IOException {
    for (boolean second : List.of(false, true)) {
      MaintainedStore made = new MaintainedStore();
      keepsOne(made, 1, 2);
      if (second) {
        keepsOne(made, 3, 4, 5);
      }
      CheckpointId abort = parsed(id(1, 9));
      made.put(KEYS.manifest(abort), new Manifest.Abort(abort, "orphan of attempt 1").encode());
      String newest = second ? id(2, 5) : id(1, 2);
      TreeMap<String, byte[]> left = made.objects();
      left.remove(KEYS.manifest(parsed(newest)));
      left.remove(KEYS.end(second ? 2 : 1)); // killed
      at = MaintainedStore.of(left);
      nothingIsLostWithoutAWord("an ABORT, second attempt " + second);
      assertThat(at.start()).as("a repair has committed it again").isEqualTo(newest);
      at = MaintainedStore.of(left);
      assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
          .hasMessageContaining(newest + ": it was committed")
          .hasMessageContaining("ckpt repair")
          .hasMessageNotContaining(id(1, 2).equals(newest) ? id(1, 1) + ": " : id(1, 2) + ": ");
    }
  }

  /** What a repair leaves, a later one, a collection or a start must not take away. */
  @Test
  void aRepairOfAKilledRunThatLostItsManifestsBringsAlsoTheNewestBack() throws IOException {
    for (int keep : List.of(1, 2, 3)) {
      for (String lacks :
          List.of("nothing more", KEYS.deleted(), "a bit of the newest", "a word")) {
        MaintainedStore made = new MaintainedStore();
        keeps(made, keep, 1, 2, 3, 4, 5, 6);
        String newest = id(1, 6);
        TreeMap<String, byte[]> left = made.objects();
        TreeMap<String, byte[]> whole = new TreeMap<>(left);
        left.keySet().removeIf(key -> key.startsWith(KEYS.manifests()) || key.startsWith(lacks));
        left.remove(KEYS.end(1)); // killed
        if (lacks.equals("a word")) { // of the save that the kill cut short
          left.put(KEYS.shard(parsed(id(1, 7)), 0, 1, 0, "arrow"), new byte[300]);
        }
        at = MaintainedStore.of(left);
        boolean damaged = lacks.equals("a bit of the newest");
        if (damaged) {
          at.flip(at.shard(newest), 900);
          at.clock.pass(Duration.ofHours(1));
        }
        String of = "keep " + keep + ", lacks " + lacks;
        if (keep == 1 && lacks.equals(KEYS.deleted())) {
          assertThat(at.start()).as("nothing tells of it: %s", of).isEqualTo("fresh");
          continue;
        }
        assertThat(at.next()).as(of).isEqualTo("error");
        List<MaintenanceAction> done = at.repair();
        assertThat(done)
            .as(of)
            .noneMatch(
                each -> each.kind() == Kind.GIVE_UP && each.subject().compareTo(newest) <= 0);
        isMended(of);
        for (int step = 7 - keep; step <= (damaged ? 5 : 6); step++) {
          String key = KEYS.manifest(parsed(id(1, step)));
          assertThat(at.bytes(key)).as(of + ": " + key).isEqualTo(whole.get(key));
        }
        TreeMap<String, byte[]> after = at.objects();
        String next = damaged ? keep == 1 ? "error" : id(1, 5) : newest;
        for (int start = 1; start <= 2; start++) {
          assertThat(at.start()).as("start %s, %s", start, of).isEqualTo(next);
          at.clock.pass(Duration.ofHours(1));
        }
        assertThat(at.objects().keySet())
            .as(of)
            .containsAll(
                after.keySet().stream()
                    .filter(key -> key.contains("/data/") || key.startsWith(KEYS.manifests()))
                    .toList());
      }
    }
  }

  /** A second repair finds nothing, nor does a look at what the first has left. */
  private void isMended(String of) throws IOException {
    TreeMap<String, byte[]> before = at.objects();
    at.clock.pass(Duration.ofHours(1));
    assertThat(at.repair())
        .as("a second repair, %s", of)
        .allMatch(action -> action.kind() == Kind.LEAVE);
    at.isAsBefore(before);
  }

  /** A crash of the repair, too, leaves what the next one brings back. */
  @Test
  void aRepairThatIsCutShortAnywhereIsFinishedByTheNext() throws IOException {
    MaintainedStore made = new MaintainedStore();
    keeps(made, 3, 1, 2, 3, 4, 5);
    TreeMap<String, byte[]> whole = made.objects();
    TreeMap<String, byte[]> left = new TreeMap<>(whole);
    left.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
    left.remove(KEYS.end(1)); // killed
    boolean cut = true;
    for (int calls = 1; cut; calls++) {
      cut = isRepairedAgainAfterACut(left, calls);
      isMended("cut at call " + calls);
      for (int step = 3; step <= 5; step++) {
        String key = KEYS.manifest(parsed(id(1, step)));
        assertThat(at.bytes(key)).as("cut at %s: %s", calls, key).isEqualTo(whole.get(key));
      }
    }
  }

  /**
   * Repairs, dies at a call, and repairs again.
   *
   * @return false if the first repair ended before that call
   */
  private boolean isRepairedAgainAfterACut(TreeMap<String, byte[]> left, int call)
      throws IOException {
    at = MaintainedStore.of(left);
    FaultyStore faulty = FaultyStore.around(at.store);
    faulty.on().nth(call).stops();
    boolean cut;
    try {
      Maintenance.of(faulty).clock(at.clock).repair("toy", false);
      cut = false;
    } catch (UncheckedIOException | CheckpointException e) {
      cut = faulty.isStopped();
    }
    faulty.heal();
    at.clock.pass(Duration.ofHours(1));
    at.repair();
    return cut;
  }

  /**
   * Also where something else must go aside: what the kill has left of a save, or the newest, which
   * is not whole.
   */
  @ParameterizedTest
  @CsvSource({"1,false", "2,false", "3,false", "1,true", "2,true", "3,true"})
  void noRepairThatIsCutShortCostsWhatAWholeOneBringsBack(int kept, boolean newestIsDamaged)
      throws IOException {
    MaintainedStore made = new MaintainedStore();
    keeps(made, kept, 1, 2, 3, 4, 5, 6, 7);
    TreeMap<String, byte[]> left = made.objects();
    left.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
    left.remove(KEYS.end(1)); // killed
    if (newestIsDamaged) {
      byte[] shard = left.get(made.shard(id(1, 7))).clone();
      shard[900] ^= 1;
      left.put(made.shard(id(1, 7)), shard);
    } else {
      left.put(KEYS.shard(parsed(id(1, 8)), 0, 1, 0, "arrow"), new byte[300]);
    }
    byte[] damaged = left.get(made.shard(id(1, 7)));
    at = MaintainedStore.of(left);
    at.repair();
    at.clock.pass(Duration.ofHours(1));
    var whole = at.whole();
    String start = at.next();
    boolean cut = true;
    for (int calls = 1; cut; calls++) {
      cut = isRepairedAgainAfterACut(left, calls);
      at.clock.pass(Duration.ofHours(1));
      assertThat(at.whole()).as("cut at call %s", calls).isEqualTo(whole);
      assertThat(at.next()).as("cut at call %s", calls).isEqualTo(start);
      assertThat(at.objects().values()).as("a copy, cut at call %s", calls).contains(damaged);
    }
  }

  /** A format that is not on the class path is none that is damaged. */
  @ParameterizedTest
  @ValueSource(strings = {"3", "3,5", "4,5", "3,4,5", "1,2,3,4,5"})
  void whatNobodyHereCanReadIsNeitherGivenUpNorCalledDamaged(String lost) throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3);
    made.run("toy", new Resume.Auto(), 4, 5);
    TreeMap<String, byte[]> left = made.objects();
    left.remove(KEYS.end(2)); // killed
    for (int step : new int[] {4, 5}) {
      CheckpointId id = parsed(id(2, step));
      Vote vote = Vote.decode(KEYS.vote(id, 0), left.get(KEYS.vote(id, 0)));
      ShardEntry shard = vote.shards().get(0);
      Vote other =
          new Vote(
              id,
              0,
              1,
              vote.parent(),
              vote.seed(),
              vote.progress(),
              vote.savedAt(),
              vote.metrics(),
              vote.finite(),
              List.of(new ShardEntry(shard.rank(), shard.key(), "unheard-of", shard.digest())));
      left.put(KEYS.vote(id, 0), other.encode());
      left.put(KEYS.manifest(id), Manifest.Commit.of(List.of(other)).encode());
    }
    for (String step : lost.split(",")) {
      left.keySet()
          .removeIf(key -> key.startsWith(KEYS.manifests()) && key.endsWith(step + "-0.json"));
    }
    at = MaintainedStore.of(left);
    for (int time = 0; time < 2; time++) {
      assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false))
          .filteredOn(
              each -> each.subject().contains(id(2, 5)) || each.subject().contains(id(2, 4)))
          .extracting(MaintenanceAction::kind)
          .doesNotContain(Kind.QUARANTINE, Kind.GIVE_UP, Kind.REMOVE);
      at.clock.pass(Duration.ofHours(1));
    }
    assertThat(at.objects())
        .containsKeys(
            made.shard(id(2, 4)),
            made.shard(id(2, 5)),
            KEYS.vote(parsed(id(2, 4)), 0),
            KEYS.vote(parsed(id(2, 5)), 0));
  }

  /** Nor does one that cannot be read make its shard a left-over. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void aShardWhoseVoteIsDamagedGoesAsideAndNotAway(int kept) throws IOException {
    MaintainedStore made = new MaintainedStore();
    keeps(made, kept, 1, 2, 3, 4, 5, 6, 7);
    TreeMap<String, byte[]> left = made.objects();
    left.keySet().removeIf(key -> key.startsWith(KEYS.manifests()));
    left.remove(KEYS.end(1)); // killed
    byte[] shard = left.get(made.shard(id(1, 7)));
    byte[] vote = left.get(KEYS.vote(parsed(id(1, 7)), 0)).clone();
    vote[vote.length / 2] ^= 1;
    left.put(KEYS.vote(parsed(id(1, 7)), 0), vote);
    at = MaintainedStore.of(left);
    for (int time = 0; time < 2; time++) {
      assertThat(Maintenance.of(at.store).clock(at.clock).repair("toy", false))
          .extracting(MaintenanceAction::kind)
          .doesNotContain(Kind.GIVE_UP);
      at.clock.pass(Duration.ofHours(1));
    }
    assertThat(at.objects().values().stream().filter(bytes -> Arrays.equals(bytes, shard)).toList())
        .isNotEmpty();
  }

  /** Trains on with one checkpoint kept. */
  private static void keepsOne(MaintainedStore made, int... steps) {
    keeps(made, 1, steps);
  }

  private static void keeps(MaintainedStore made, int most, int... steps) {
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = made.builder("toy", state).keep(Retention.latest(most)).open()) {
      ckpt.resume();
      for (int step : steps) {
        state.advance(step - (int) state.counter);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
  }

  @Test
  void whatALaterAttemptCommitsUnsaysNothing() throws IOException {
    TreeMap<String, byte[]> left = whole();
    left.keySet().removeIf(key -> key.startsWith(KEYS.votes()) || key.startsWith(KEYS.manifests()));
    left.put(KEYS.quarantine() + "ends/000001.json", MaintainedStore.text("an older damage"));
    at = MaintainedStore.of(left);
    List<String> shards = left.keySet().stream().filter(key -> key.contains("/data/")).toList();
    at.run("toy", new Resume.Never(), 7);
    assertThat(at.start()).isEqualTo(id(3, 7));
    nothingIsLostWithoutAWord("after a fresh start that was asked for");
    assertThat(at.start()).isEqualTo(id(3, 7));
    assertThat(at.objects().keySet()).containsAll(shards);
  }

  @Test
  void whoLacksTheRecordsOfTheNewestAttemptIsToldWhatToDo() throws IOException {
    TreeMap<String, byte[]> left = whole();
    left.keySet()
        .removeIf(
            key ->
                key.equals(KEYS.resume(2))
                    || key.startsWith(KEYS.manifests() + "000002")
                    || key.startsWith(KEYS.votes() + "000002"));
    at = MaintainedStore.of(left);
    assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(KEYS.resume(2) + " is missing")
        .hasMessageContaining(KEYS.data(parsed(id(2, 5))))
        .hasMessageContaining("the newest is " + id(1, 3))
        .hasMessageContaining("never");
    assertThat(at.repair())
        .allMatch(action -> action.kind() == Kind.LEAVE)
        .anyMatch(action -> action.subject().equals(id(2, 5)));
    at.run("toy", Resume.parse(id(1, 3)), 6);
    assertThat(at.start()).as("the way out").isEqualTo(id(3, 6));
    at.run("toy", new Resume.Never(), 7);
    assertThat(at.start()).as("the other way out").isEqualTo(id(5, 7));
  }

  @Test
  void whatRetentionDeletedTellsOfALossToo() throws IOException {
    MaintainedStore made = new MaintainedStore();
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = made.builder("toy", state).keep(Retention.latest(1)).open()) {
      ckpt.resume();
      for (int step = 1; step <= 3; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
    TreeMap<String, byte[]> left = made.objects();
    assertThat(left.keySet()).anyMatch(key -> key.startsWith(KEYS.deleted()));
    left.keySet()
        .removeIf(
            key ->
                key.startsWith(KEYS.manifests())
                    || key.startsWith(KEYS.votes())
                    || key.startsWith(KEYS.ends()));
    at = MaintainedStore.of(left);
    nothingIsLostWithoutAWord("with marks");
    left.put(KEYS.vote(parsed(id(1, 3)), 0), made.bytes(KEYS.vote(parsed(id(1, 3)), 0)));
    at = MaintainedStore.of(left);
    nothingIsLostWithoutAWord("with marks and the last vote");
  }

  @Test
  void aCompletedRunWhoseOnlyCheckpointHasNoWordIsNotStartedAfresh() throws IOException {
    MaintainedStore made = new MaintainedStore();
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = made.builder("toy", state).open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(1), Map.of()).join();
      ckpt.complete(Map.of("steps", 1L));
    }
    TreeMap<String, byte[]> left = made.objects();
    left.keySet().removeIf(key -> key.startsWith(KEYS.manifests()) || key.startsWith(KEYS.votes()));
    at = MaintainedStore.of(left);
    nothingIsLostWithoutAWord("completed");
  }

  @Test
  void aRunThatLostItsLastStateIsNotTakenForComplete() throws IOException {
    MaintainedStore made = new MaintainedStore();
    completed(made);
    TreeMap<String, byte[]> whole = made.objects();
    String last = id(1, 2);
    for (List<String> lost :
        List.of(
            List.of(KEYS.manifest(parsed(last))),
            List.of(KEYS.manifest(parsed(last)), KEYS.vote(parsed(last), 0)),
            List.of(KEYS.manifest(parsed(last)), KEYS.vote(parsed(last), 0), made.shard(last)))) {
      TreeMap<String, byte[]> left = new TreeMap<>(whole);
      lost.forEach(left::remove);
      at = MaintainedStore.of(left);
      Checkpoints checkpoints = Checkpoints.read(at.store, "toy");
      boolean named =
          !checkpoints.verifyRecords().ok()
              || checkpoints.all().stream()
                  .anyMatch(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED);
      assertThat(named).as("verify --all, without %s", lost).isTrue();
      trainsAgainFrom(id(1, 1));
      if (left.containsKey(made.shard(last))) {
        assertThat(at.objects()).containsKey(made.shard(last));
      }
    }
    at = MaintainedStore.of(whole);
    at.flip(made.shard(last), 900);
    at.repair();
    at.store.delete(
        at.objects().keySet().stream().filter(key -> key.startsWith(KEYS.quarantine())).toList());
    trainsAgainFrom(id(1, 1));
  }

  private static void completed(MaintainedStore made) {
    ToyState state = MaintainedStore.fresh();
    try (CheckpointManager ckpt = made.builder("toy", state).open()) {
      ckpt.resume();
      for (int step = 1; step <= 2; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
      assertThat(ckpt.complete(Map.of("steps", 2L))).isTrue();
    }
  }

  private void trainsAgainFrom(String id) {
    try (CheckpointManager ckpt = at.builder("toy", MaintainedStore.fresh()).open()) {
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(id);
      assertThat(ckpt.completed()).isEmpty();
    }
  }

  /** Where a start refuses, a look must not say that all is well. */
  @Test
  void aRunOfWhichNothingIsLeftIsNotCalledWholeUnlessAStartBeginsItAfresh() throws IOException {
    at = new MaintainedStore();
    at.run("toy", new Resume.Auto());
    assertThat(Checkpoints.read(at.store, "toy").verifyRecords().ok()).as("nothing yet").isTrue();
    at.run("toy", new Resume.Auto(), 1, 2);
    at.run("toy", new Resume.Auto());
    TreeMap<String, byte[]> whole = at.objects();
    at = MaintainedStore.of(whole);
    for (int step = 1; step <= 2; step++) {
      at.flip(at.shard(id(2, step)), 900);
    }
    at.repair();
    isNeitherWholeNorFresh("all withdrawn");
    at.store.delete(
        at.objects().keySet().stream().filter(key -> key.startsWith(KEYS.quarantine())).toList());
    isNeitherWholeNorFresh("all withdrawn, and the quarantine was emptied");
    at = MaintainedStore.of(whole);
    at.store.delete(whole.keySet().stream().filter(key -> KEYS.idOf(key).isPresent()).toList());
    isNeitherWholeNorFresh("only records of attempts are left");
    at.run("toy", new Resume.Never());
    assertThat(Checkpoints.read(at.store, "toy").verifyRecords().ok()).as("left behind").isTrue();
  }

  private void isNeitherWholeNorFresh(String of) throws IOException {
    assertThat(at.next()).as(of).isEqualTo("error");
    assertThat(Checkpoints.read(at.store, "toy").verifyRecords().problems())
        .as(of)
        .singleElement()
        .asString()
        .contains("can be restored");
  }

  @Test
  void aCompletedRunThatWentOnToALargerGoalOrBackIsWhole() throws IOException {
    at = new MaintainedStore();
    String newest = "";
    for (int goal = 1; goal <= 4; goal++) {
      ToyState state = MaintainedStore.fresh();
      boolean back = goal == 4;
      try (CheckpointManager ckpt =
          at.builder("toy", state)
              .keep(Retention.latest(2))
              .resume(back ? Resume.parse(newest) : new Resume.Auto())
              .open()) {
        ckpt.resume();
        for (int step = 2 * goal - 1; step <= 2 * goal; step++) {
          state.advance(1);
          newest = ckpt.save(Progress.step(step), Map.of()).join().id();
        }
        ckpt.complete(Map.of("steps", 2L * goal));
      }
      at.clock.pass(Duration.ofHours(1));
      at.collect(Retention.latest(1));
      at.clock.pass(Duration.ofHours(1));
      at.collect(Retention.latest(1));
      assertThat(Checkpoints.read(at.store, "toy").verifyRecords().problems()).isEmpty();
    }
    assertThat(at.start()).isEqualTo(newest);
  }

  /** Two would look as if the records of the run were lost. */
  @Test
  void savesThatFailAndCannotBeCleanedUpLeaveOneIdWithoutAWordAtMost() throws IOException {
    for (String failing : List.of("**/votes/**", "**/manifests/**")) {
      CheckpointStore store = Stores.inMemory();
      FaultyStore faulty = FaultyStore.around(store);
      ToyState state = MaintainedStore.fresh();
      try (CheckpointManager ckpt =
          CheckpointManager.in(faulty).run("toy").part("toy", state).open()) {
        ckpt.resume();
        faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(failing).fails();
        faulty.on(FaultyStore.Operation.DELETE).fails();
        for (int step = 1; step <= 4; step++) {
          state.advance(1);
          try {
            ckpt.save(Progress.step(step), Map.of()).join();
          } catch (CheckpointException e) {
            continue; // as it must
          }
          throw new AssertionError("saved in spite of the faults");
        }
      } catch (CheckpointException e) {
        // close says it, too
      }
      RunLog run = new RunLog(store, KEYS);
      NavigableSet<CheckpointId> voted = run.idsUnder(KEYS.votes());
      assertThat(
              run.idsUnder(KEYS.data()).stream()
                  .filter(id -> undecided(run, id) && !voted.contains(id)))
          .as(failing)
          .hasSizeLessThanOrEqualTo(1);
      try (CheckpointManager ckpt =
          CheckpointManager.in(store).run("toy").part("toy", MaintainedStore.fresh()).open()) {
        assertThat(ckpt.resume()).isEmpty();
      }
    }
  }

  @Test
  void oneKeyThatDoesNotAnswerEndsNoLaterSave() throws Exception {
    for (String key : List.of(id(1, 1), id(1, 2), id(2, 4))) {
      for (String how : List.of("neither write nor read", "foreign", "hangs")) {
        CheckpointStore store = Stores.inMemory();
        int first = parsed(key).attempt() == 1 ? 1 : 4;
        if (first > 1) {
          saves(store, 1, 3, Duration.ofSeconds(60), () -> {});
        }
        FaultyStore faulty = FaultyStore.around(store);
        String manifest = KEYS.manifest(parsed(key));
        boolean hangs = how.equals("hangs");
        List<Integer> failed =
            saves(
                faulty,
                first,
                first + 9,
                Duration.ofMillis(hangs ? 500 : 60_000),
                () -> {
                  if (how.equals("foreign")) {
                    put(store, manifest, "13 stray ones");
                  } else if (hangs) {
                    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(manifest).hangs();
                  } else {
                    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(manifest).fails();
                    faulty.on(FaultyStore.Operation.READ).key(manifest).fails();
                  }
                });
        faulty.heal();
        // who asks a key that hangs hangs, too, once
        assertThat(failed).as("%s %s", key, how).hasSizeLessThanOrEqualTo(hangs ? 2 : 1);
        assertThat(failed).contains((int) parsed(key).step());
        try (CheckpointManager ckpt =
            CheckpointManager.in(store).run("toy").part("toy", MaintainedStore.fresh()).open()) {
          assertThat(ckpt.resume().orElseThrow().checkpoint().progress().step())
              .isEqualTo(first + 9);
        }
      }
    }
  }

  private static void put(CheckpointStore store, String key, String text) {
    try {
      store.putIfAbsent(key, ByteBuffer.wrap(MaintainedStore.text(text)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Saves these steps, and says which of them failed. */
  private static List<Integer> saves(
      CheckpointStore store, int from, int to, Duration deadline, Runnable resumed) {
    ToyState state = MaintainedStore.fresh();
    List<Integer> failed = new ArrayList<>();
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", state)
            .keep(Set::copyOf)
            .deadline(deadline)
            .retries(0)
            .open()) {
      ckpt.resume();
      resumed.run();
      for (int step = from; step <= to; step++) {
        state.advance(step - (int) state.counter);
        try {
          ckpt.save(Progress.step(step), Map.of()).join();
        } catch (CheckpointException e) {
          failed.add(step);
        }
      }
    } catch (CheckpointException e) {
      assertThat(failed).as("close says it, too").isNotEmpty();
    }
    return failed;
  }

  @Test
  void whatLeavesNeitherVoteNorDecisionEndsAFewSavesAndNoMore() throws IOException {
    CheckpointStore store = Stores.inMemory();
    FaultyStore faulty = FaultyStore.around(store);
    for (String key : List.of(KEYS.manifest(parsed(id(1, 2))), KEYS.vote(parsed(id(1, 2)), 0))) {
      faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(key).fails();
      faulty.on(FaultyStore.Operation.READ).key(key).fails();
    }
    assertThat(saves(faulty, 1, 20, Duration.ofSeconds(60), () -> {})).containsExactly(2, 3, 4, 5);
    RunLog run = new RunLog(store, KEYS);
    assertThat(run.idsUnder(KEYS.data()).stream().filter(id -> undecided(run, id)))
        .containsExactly(parsed(id(1, 2)));
  }

  @Test
  void whatIsGivenUpAndCannotBeCleanedUpEndsNoLaterSave() throws IOException {
    CheckpointStore store = Stores.inMemory();
    FaultyStore faulty = FaultyStore.around(store);
    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(KEYS.vote(parsed(id(1, 2)), 0)).fails();
    faulty.on(FaultyStore.Operation.DELETE).key("**/" + id(1, 2) + "/**").fails();
    assertThat(saves(faulty, 1, 6, Duration.ofSeconds(60), () -> {})).containsExactly(2);
    assertThat(new RunLog(store, KEYS).isAborted(parsed(id(1, 2)))).isTrue();
  }

  private static boolean undecided(RunLog run, CheckpointId id) {
    try {
      return run.isUndecided(id);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void theOneSaveThatACrashCutShortIsNoLoss() throws IOException {
    TreeMap<String, byte[]> left = whole();
    left.keySet()
        .removeIf(
            key ->
                !key.startsWith(KEYS.attempts())
                    && !key.startsWith(KEYS.resumes())
                    && !key.equals(KEYS.shard(parsed(id(1, 1)), 0, 1, 0, "arrow")));
    left.keySet().removeIf(key -> key.contains("000002"));
    at = MaintainedStore.of(left);
    assertThat(at.next()).isEqualTo("fresh");
    at.mends(Kind.GIVE_UP, id(1, 1));
    assertThat(at.start()).isEqualTo("fresh");
  }
}
