package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Runs that lost manifests after retention's marks were swept: what was deleted has left nothing
 * but its name, as the parent in a vote, or as what an attempt began with.
 */
@Tag("anyjdk")
class SweptMarksTest {

  /** What a run held before it lost manifests. */
  private record Made(TreeMap<String, byte[]> objects, Set<String> whole, String newest) {}

  private static Made made(int latest, boolean best, String runs, String end) throws IOException {
    MaintainedStore made = new MaintainedStore();
    Retention keep =
        best
            ? Retention.anyOf(
                Retention.best("loss", Retention.Mode.MIN, 1), Retention.latest(latest))
            : Retention.latest(latest);
    if (runs.equals("one")) {
      train(made, keep, 1, 8, 2, end);
    } else {
      train(made, keep, 1, 8, runs.equals("best in the first") ? 2 : 0, "closed");
      train(made, keep, 9, 13, runs.equals("best in the second") ? 10 : 0, end);
    }
    TreeMap<String, byte[]> objects = made.objects();
    if (end.equals("killed")) {
      objects.remove(runs.equals("one") ? KEYS.end(1) : KEYS.end(2));
    }
    String newest = made.next();
    return new Made(objects, made.whole(), newest);
  }

  private static void train(
      MaintainedStore at, Retention keep, int from, int to, int best, String end) {
    ToyState state = fresh();
    try (CheckpointManager ckpt = at.builder("toy", state).keep(keep).open()) {
      ckpt.resume();
      for (int step = from; step <= to; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of("loss", step == best ? 1.0 : 6.0)).join();
      }
      if (end.equals("completed")) {
        ckpt.complete(Map.of("steps", (long) to));
      }
    }
    at.clock.pass(Duration.ofHours(1));
  }

  private static List<Set<String>> subsets(Set<String> all) {
    List<String> each = List.copyOf(all);
    List<Set<String>> subsets = new ArrayList<>();
    for (int which = 1; which < 1 << each.size(); which++) {
      Set<String> subset = new TreeSet<>();
      for (int i = 0; i < each.size(); i++) {
        if ((which >> i & 1) == 1) {
          subset.add(each.get(i));
        }
      }
      subsets.add(subset);
    }
    return subsets;
  }

  @ParameterizedTest
  @CsvSource({"1,true", "2,true", "1,false", "2,false"})
  void whicheverManifestsARunLosesNoneIsTakenForALeftOverAndARepairBringsThemBack(
      int latest, boolean best) throws IOException {
    int cases = 0;
    for (String runs : List.of("one", "best in the first", "best in the second")) {
      for (String end : List.of("closed", "killed", "completed")) {
        Made made = made(latest, best, runs, end);
        for (boolean marks : List.of(true, false)) {
          for (Set<String> lost : subsets(made.whole)) {
            TreeMap<String, byte[]> left = new TreeMap<>(made.objects);
            left.keySet().removeIf(key -> !marks && key.startsWith(KEYS.deleted()));
            lost.forEach(each -> left.remove(KEYS.manifest(parsed(each))));
            nothingIsLost(
                String.join(", ", "latest " + latest + " best " + best, runs, end)
                    + (marks ? ", marks" : ", no marks")
                    + ", lost "
                    + lost,
                made,
                left,
                lost,
                end);
            cases++;
          }
        }
      }
    }
    System.out.printf("latest %d, best %s: %d cases%n", latest, best, cases);
    assertThat(cases).isGreaterThanOrEqualTo(18);
  }

  /** Whatever else a copy lacks, as long as it has the votes and the shards. */
  @ParameterizedTest
  @CsvSource({"1,true", "2,true", "1,false", "2,false"})
  void whateverElseIsGoneNoShardGoesNoStartIsFreshAndARepairBringsAllBack(int latest, boolean best)
      throws IOException {
    List<String> folders = List.of(KEYS.attempts(), KEYS.resumes(), KEYS.ends(), KEYS.deleted());
    int cases = 0;
    for (String runs : List.of("one", "best in the first", "best in the second")) {
      for (String end : List.of("closed", "completed")) {
        Made made = made(latest, best, runs, end);
        for (Set<String> lost : subsets(new TreeSet<>(folders))) {
          TreeMap<String, byte[]> left = new TreeMap<>(made.objects);
          left.keySet()
              .removeIf(
                  key ->
                      key.startsWith(KEYS.manifests()) || lost.stream().anyMatch(key::startsWith));
          nothingIsLost(
              "latest " + latest + " best " + best + ", " + runs + ", " + end + ", lost " + lost,
              made,
              left,
              made.whole,
              end);
          cases++;
        }
      }
    }
    assertThat(cases).isEqualTo(90);
  }

  private static void nothingIsLost(
      String of, Made made, TreeMap<String, byte[]> left, Set<String> lost, String end)
      throws IOException {
    // the last save of a run, behind a commit that is there, is what a kill leaves
    boolean asAKillLeaves =
        lost.contains(made.newest)
            && !end.equals("completed")
            && made.whole.contains(before(made.newest))
            && !lost.contains(before(made.newest));
    MaintainedStore at = MaintainedStore.of(left);
    if (lost.size() > 1 || !asAKillLeaves) {
      assertThat(isNamed(at)).as(of).isTrue();
    }
    for (int start = 1; start <= 2; start++) {
      assertThat(at.start())
          .as("start %s, %s", start, of)
          .isIn(
              lost.contains(made.newest)
                  ? asAKillLeaves
                      ? List.of(before(made.newest))
                      : List.of("error", next(made, lost))
                  : List.of(made.newest))
          .isNotEqualTo("fresh");
      at.clock.pass(Duration.ofHours(1));
    }
    Set<String> stay = new TreeSet<>(made.whole);
    if (asAKillLeaves) {
      stay.remove(made.newest);
    }
    assertThat(shards(at)).as("behind starts, %s", of).containsAll(shards(at, stay));
    MaintainedStore first = MaintainedStore.of(left);
    first.collect(Set::copyOf);
    assertThat(shards(first)).as("behind gc, %s", of).containsAll(shards(at, stay));
    for (MaintainedStore each : List.of(at, first)) {
      each.clock.pass(Duration.ofHours(1));
      each.repair();
      assertThat(each.whole()).as("repaired later, %s", of).containsAll(stay);
    }
    at = MaintainedStore.of(left);
    at.repair();
    at.clock.pass(Duration.ofHours(1));
    if (lost.size() > 1 || !asAKillLeaves) {
      assertThat(at.whole()).as("repaired, %s", of).isEqualTo(made.whole);
      boolean ways = left.keySet().stream().anyMatch(key -> key.startsWith(KEYS.resumes()));
      assertThat(at.start()).as("repaired, %s", of).isEqualTo(ways ? made.newest : "error");
      at.clock.pass(Duration.ofHours(1));
    }
    assertThat(at.repair())
        .as("a second repair, %s", of)
        .extracting(MaintenanceAction::kind)
        .allMatch(kind -> kind == Kind.LEAVE);
  }

  /** What was swept must not make a loss of what a kill leaves, wherever and how often. */
  @Test
  void noKillOfARunWhoseMarksAreSweptIsTakenForALoss() throws IOException {
    long seed = Long.getLong("swept.seed", System.nanoTime());
    int runs = Integer.getInteger("swept.runs", 60);
    int kills = 0;
    for (int run = 0; run < runs; run++) {
      Random random = new Random(seed + run);
      MaintainedStore at = new MaintainedStore();
      for (int attempts = 2 + random.nextInt(5); attempts > 0; attempts--) {
        String of = "repeat with -Dswept.seed=" + (seed + run) + " -Dswept.runs=1";
        kills += isKilled(at, random, of) ? 1 : 0;
        at.clock.pass(Duration.ofMinutes(random.nextInt(3) == 0 ? random.nextInt(15) : 60));
        if (random.nextBoolean()
            && at.objects().keySet().stream().anyMatch(key -> key.startsWith(KEYS.attempts()))) {
          at.collect(random.nextBoolean() ? Set::copyOf : policy(random));
          at.clock.pass(Duration.ofMinutes(random.nextInt(2) * 60));
        }
        assertThat(isNamed(at)).as(of).isFalse();
      }
    }
    System.out.printf("seed %d: %d runs, %d kills%n", seed, runs, kills);
    assertThat(kills).isPositive();
  }

  private static Retention policy(Random random) {
    Retention latest = Retention.latest(1 + random.nextInt(2));
    return random.nextBoolean()
        ? latest
        : Retention.anyOf(Retention.best("loss", Retention.Mode.MIN, 1), latest);
  }

  private static Resume from(MaintainedStore at, Random random) throws IOException {
    List<String> whole = List.copyOf(at.whole());
    if (random.nextInt(4) == 0 && !whole.isEmpty()) {
      return Resume.parse(whole.get(random.nextInt(whole.size())));
    }
    return random.nextInt(12) == 0 ? new Resume.Never() : new Resume.Auto();
  }

  /** One attempt, which its store may end at any change; no start is refused. */
  private static boolean isKilled(MaintainedStore at, Random random, String of) throws IOException {
    FaultyStore store = FaultyStore.around(at.store);
    Retention keep = policy(random);
    Resume how = from(at, random);
    if (random.nextInt(3) > 0) {
      store
          .on(Operation.PUT_IF_ABSENT, Operation.COMPLETE, Operation.DELETE)
          .nth(1 + random.nextInt(60))
          .stops();
    }
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", state)
            .keep(keep)
            .retries(0)
            .resume(how)
            .open()) {
      ckpt.resume();
      for (int saves = random.nextInt(7); saves > 0; saves--) {
        state.advance(1);
        Map<String, Double> loss = Map.of("loss", (double) random.nextInt(20));
        ckpt.save(Progress.step((long) state.counter), loss).join();
        at.clock.pass(Duration.ofMinutes(random.nextInt(4) == 0 ? random.nextInt(15) : 0));
      }
      if (random.nextInt(4) == 0) {
        ckpt.complete(Map.of("steps", (long) state.counter));
      }
    } catch (CheckpointException | UncheckedIOException e) {
      if (!store.isStopped()) {
        throw new AssertionError(of, e);
      }
    }
    return store.isStopped();
  }

  private static String before(String id) {
    return id(parsed(id).attempt(), (int) parsed(id).step() - 1);
  }

  /** The newest that is left. */
  private static String next(Made made, Set<String> lost) {
    TreeSet<String> there = new TreeSet<>(made.whole);
    there.removeAll(lost);
    return there.isEmpty() ? "error" : there.last();
  }

  private static boolean isNamed(MaintainedStore at) {
    Checkpoints checkpoints = Checkpoints.read(at.store, "toy");
    return !checkpoints.verifyRecords().ok()
        || checkpoints.all().stream()
            .anyMatch(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED);
  }

  private static List<String> shards(MaintainedStore at) throws IOException {
    return at.objects().keySet().stream().filter(key -> key.contains("/data/")).toList();
  }

  private static List<String> shards(MaintainedStore at, Set<String> ids) {
    return ids.stream().map(at::shard).toList();
  }
}
