package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Resume;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a repair of a run that lost records brings back, whole or cut short. */
@Tag("anyjdk")
class RepairOfLostRecordsTest {

  private MaintainedStore at = new MaintainedStore();

  /** What a repair leaves, a later one, a collection or a start must not take away. */
  @Test
  void aRepairOfAKilledRunThatLostItsManifestsBringsAlsoTheNewestBack() throws IOException {
    for (int keep : List.of(1, 2, 3)) {
      for (String lacks :
          List.of("nothing more", KEYS.deleted(), "a bit of the newest", "a word")) {
        MaintainedStore made = new MaintainedStore();
        made.keeps(keep, 1, 2, 3, 4, 5, 6);
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
    made.keeps(3, 1, 2, 3, 4, 5);
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
    made.keeps(kept, 1, 2, 3, 4, 5, 6, 7);
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
    made.keeps(kept, 1, 2, 3, 4, 5, 6, 7);
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
}
