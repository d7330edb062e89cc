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
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

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
      made.keeps(1, 1, 2);
      if (second) {
        made.keeps(1, 3, 4, 5);
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
