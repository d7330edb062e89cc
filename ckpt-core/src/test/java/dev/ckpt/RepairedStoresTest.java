package dev.ckpt;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.internal.restore.Candidates;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.internal.restore.Restorer;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Repairs stores that were damaged at random. {@code -Drepair.seed=N} repeats a failure, {@code
 * -Drepair.stores=N} tries more or fewer.
 */
@Tag("anyjdk")
class RepairedStoresTest {

  private static final Keys KEYS = new Keys(GoldenRuns.RUN);
  private static final Formats FORMATS = new Formats();

  private final Map<Kind, Integer> counts = new EnumMap<>(Kind.class);
  private final Map<String, Integer> outcomes = new TreeMap<>();

  @Test
  void noneOfAThousandDamagedStoresIsWorseAfterItsRepair() throws IOException {
    long seed = Long.getLong("repair.seed", System.nanoTime());
    int stores = Integer.getInteger("repair.stores", 1000);
    TreeMap<String, byte[]> template = template();
    long start = System.nanoTime();
    for (int i = 0; i < stores; i++) {
      long one = stores == 1 ? seed : seed + i;
      Random random = new Random(one);
      TreeMap<String, byte[]> objects = new TreeMap<>(template);
      List<String> damages = new ArrayList<>();
      for (int times = 1 + random.nextInt(5); times > 0; times--) {
        damages.add(damage(objects, random));
      }
      try {
        repaired(template, objects, random.nextBoolean(), i % 20 == 0);
      } catch (AssertionError | RuntimeException | IOException e) {
        throw new AssertionError(
            "repeat with -Drepair.seed=" + one + " -Drepair.stores=1: " + damages, e);
      }
    }
    System.out.printf(
        "%d damaged stores from seed %d repaired in %.1f s: %s; starts: %s%n",
        stores, seed, (System.nanoTime() - start) / 1e9, counts, outcomes);
    if (stores >= 1000) {
      assertThat(counts)
          .containsKeys(EnumSet.complementOf(EnumSet.of(Kind.CUT_SHORT)).toArray(Kind[]::new));
    }
  }

  /**
   * Of 40 nothing else ever told: its attempt was killed after it. That 45 was the last of a run
   * that was completed takes its vote, the end record, and that nothing newer is in doubt.
   */
  @Test
  void noSecondDamageMakesRepairsGiveUpACheckpointThatLostItsManifest() throws IOException {
    TreeMap<String, byte[]> template = template();
    String killed = "000002-000000000040-0";
    String last = "000003-000000000045-0";
    Set<String> needed =
        Set.of(
            KEYS.vote(GoldenRuns.id(last), 0),
            KEYS.end(3),
            KEYS.manifest(GoldenRuns.id("000003-000000000050-0")));
    int cases = 0;
    for (String lost : template.keySet()) {
      if (!lost.startsWith(KEYS.manifests()) || KEYS.idOf(lost).isEmpty()) {
        continue;
      }
      for (String other : template.keySet()) {
        for (boolean gone : new boolean[] {false, true}) {
          TreeMap<String, byte[]> damaged = new TreeMap<>(template);
          damaged.computeIfPresent(other, (key, was) -> Arrays.copyOf(was, was.length / 2));
          if (gone) {
            damaged.remove(other);
          }
          damaged.remove(lost);
          Set<String> may = new TreeSet<>();
          if (lost.contains(killed)
              || (gone && other.equals(KEYS.manifest(GoldenRuns.id(killed))))) {
            may.add(killed);
          }
          if (lost.contains(last) && needed.contains(other)) {
            may.add(last);
          }
          assertThat(may)
              .as("without %s, and %s %s", lost, other, gone ? "removed" : "cut")
              .containsAll(givenUp(damaged, template));
          cases++;
        }
      }
    }
    System.out.printf("a lost manifest and another damage: %d cases, 3 repairs each%n", cases);
  }

  /**
   * The last vote of a completed run may be the one that cannot be read: the one before it is not
   * what completed the run, and does not lean on what the repair takes aside.
   */
  @Test
  void theOneBeforeAnUnreadableLastVoteIsNotGivenUpByASecondRepair() throws IOException {
    TreeMap<String, byte[]> template = template();
    String before = "000003-000000000035-0";
    String vote = KEYS.vote(GoldenRuns.id("000003-000000000045-0"), 0);
    String shard = KEYS.shard(GoldenRuns.id(before), 0, 1, 0, "arrow");
    TreeMap<String, byte[]> damaged = new TreeMap<>(template);
    damaged.keySet().removeIf(key -> key.startsWith(KEYS.manifests()) && key.endsWith(".json"));
    damaged.computeIfPresent(vote, (key, was) -> Arrays.copyOf(was, was.length - 1));
    damaged.computeIfPresent(shard, (key, was) -> Arrays.copyOf(was, was.length - 1));
    assertThat(damaged).containsKeys(vote, shard);
    repaired(template, damaged, true, true);
    assertThat(givenUp(damaged, template)).doesNotContain(before);
  }

  /** A flipped bit of a digit is the id of another checkpoint: its digest is not that one's. */
  @Test
  void noFlippedBitOfAResumeRecordMakesItTellOfAnotherCheckpoint() throws IOException {
    TreeMap<String, byte[]> template = template();
    int mended = 0;
    int left = 0;
    for (int attempt = 2; attempt <= 3; attempt++) {
      String key = KEYS.resume(attempt);
      byte[] whole = requireNonNull(template.get(key));
      String applied = "\"applied\":\"";
      int from = new String(whole, StandardCharsets.US_ASCII).indexOf(applied) + applied.length();
      for (boolean gone : new boolean[] {false, true}) {
        for (int bit = 0; bit < 8 * "000001-000000000020-1".length(); bit++) {
          TreeMap<String, byte[]> damaged = new TreeMap<>(template);
          byte[] bytes = whole.clone();
          bytes[from + bit / 8] ^= (byte) (1 << bit % 8);
          damaged.put(key, bytes);
          if (gone) { // nothing tells of what it applied
            String of = new String(whole, from, "000001-000000000020-1".length(), UTF_8);
            damaged.keySet().removeIf(each -> each.contains(of));
          }
          try (CheckpointStore store = store(damaged, new Shifted())) {
            Maintenance.of(store).repair(GoldenRuns.RUN, false);
            byte[] now = GoldenRuns.objects(store).get(key);
            if (Arrays.equals(now, whole)) {
              mended++;
            } else {
              assertThat(now).as("attempt %s, bit %s", attempt, bit).isEqualTo(bytes);
              left++;
            }
          }
        }
      }
    }
    System.out.printf("flipped bits of resume records: %d mended, %d left%n", mended, left);
    assertThat(mended).isPositive();
  }

  /** What was committed, and what the third of three repairs at the latest gave up. */
  private static Set<String> givenUp(
      TreeMap<String, byte[]> damaged, TreeMap<String, byte[]> template) throws IOException {
    Set<String> given = new TreeSet<>();
    Shifted clock = new Shifted();
    try (CheckpointStore store = store(damaged, clock)) {
      clock.by = Duration.ofHours(1);
      for (int times = 0; times < 3; times++) {
        Maintenance.of(store).clock(clock).repair(GoldenRuns.RUN, false).stream()
            .filter(action -> action.kind() == Kind.GIVE_UP)
            .map(MaintenanceAction::subject)
            .filter(id -> wasCommitted(template, id))
            .forEach(given::add);
      }
    }
    return given;
  }

  private static boolean wasCommitted(TreeMap<String, byte[]> template, String id) {
    String key = KEYS.manifest(GoldenRuns.id(id));
    byte[] bytes = template.get(key);
    return bytes != null && !isAbort(key, bytes);
  }

  private static CheckpointStore store(TreeMap<String, byte[]> objects, Clock clock)
      throws IOException {
    CheckpointStore store = new InMemoryStore(clock);
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      store.putIfAbsent(object.getKey(), ByteBuffer.wrap(object.getValue()));
    }
    return store;
  }

  /** The golden run, and on top: a failed try, an id given up with files, one with a vote only. */
  private static TreeMap<String, byte[]> template() throws IOException {
    TreeMap<String, byte[]> objects = GoldenRuns.golden();
    objects.keySet().removeIf(key -> !key.startsWith(KEYS.root()));
    CheckpointId aborted = GoldenRuns.id("000003-000000000050-0");
    CheckpointId whole = GoldenRuns.id("000003-000000000035-0");
    CheckpointId undecided = GoldenRuns.id("000002-000000000041-0");
    objects.put(KEYS.shard(aborted, 0, 1, 0, "arrow"), new byte[300]);
    objects.put(KEYS.shard(whole, 0, 1, 1, "arrow"), new byte[200]);
    String vote = KEYS.vote(undecided, 0);
    objects.put(
        vote,
        new Vote(
                undecided,
                0,
                1,
                Optional.empty(),
                7,
                Progress.step(41),
                Instant.EPOCH,
                Map.of(),
                true,
                List.of())
            .encode());
    objects.put(KEYS.root() + "data/notes.txt", ascii("somebody's"));
    objects.put(KEYS.root() + "manifests/backup", ascii("somebody's"));
    return objects;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  // ---- damages

  private static String damage(TreeMap<String, byte[]> objects, Random random) {
    int manifests = random.nextInt(16);
    if (manifests == 0) {
      objects.keySet().removeIf(key -> key.startsWith(KEYS.manifests()) && key.endsWith(".json"));
      return "all manifests removed";
    }
    List<String> keys = new ArrayList<>(objects.keySet());
    if (manifests == 1) {
      keys.removeIf(key -> !key.startsWith(KEYS.manifests()) || !key.endsWith(".json"));
      if (!keys.isEmpty()) {
        String one = keys.get(random.nextInt(keys.size()));
        objects.remove(one);
        return one + " removed";
      }
      keys.addAll(objects.keySet());
    }
    keys.removeIf(key -> key.endsWith("notes.txt") || key.endsWith("backup"));
    String key = keys.get(random.nextInt(keys.size()));
    byte[] bytes = requireNonNull(objects.get(key)).clone();
    int length = bytes.length;
    int from = length == 0 ? 0 : random.nextInt(length);
    int what = random.nextInt(8);
    String how =
        List.of("flip", "cut", "empty", "zero", "delete", "copy", "append", "smear").get(what);
    switch (how) {
      case "flip" -> {
        if (length > 0) {
          bytes[from] ^= (byte) (1 << random.nextInt(8));
        }
      }
      case "cut" -> bytes = Arrays.copyOf(bytes, from);
      case "empty" -> bytes = new byte[0];
      case "zero" ->
          Arrays.fill(
              bytes, from, length == 0 ? 0 : from + random.nextInt(length - from), (byte) 0);
      case "append" -> {
        byte[] more = new byte[1 + random.nextInt(100)];
        random.nextBytes(more);
        bytes = Arrays.copyOf(bytes, length + more.length);
        System.arraycopy(more, 0, bytes, length, more.length);
      }
      case "smear" -> {
        for (int at = from; at < Math.min(length, from + 32); at++) {
          bytes[at] = (byte) random.nextInt();
        }
      }
      default -> {}
    }
    if (how.equals("copy")) {
      String to = elsewhere(key, keys, random);
      objects.put(to, bytes);
      return key + " copied to " + to;
    }
    if (how.equals("delete")) {
      objects.remove(key);
    } else {
      objects.put(key, bytes);
    }
    return key + ": " + how + " at " + from;
  }

  /** The same kind of object of another id or attempt, which is there or is not. */
  private static String elsewhere(String key, List<String> keys, Random random) {
    List<String> others =
        keys.stream().filter(other -> other.split("/")[2].equals(key.split("/")[2])).toList();
    if (random.nextBoolean()) {
      return others.get(random.nextInt(others.size()));
    }
    String attempt = String.format("%06d", 1 + random.nextInt(6));
    return key.replaceAll("/\\d{6}(?=[-.])", "/" + attempt);
  }

  // ---- what must hold

  private void repaired(
      TreeMap<String, byte[]> template, TreeMap<String, byte[]> damaged, boolean old, boolean start)
      throws IOException {
    Shifted clock = new Shifted();
    try (CheckpointStore store = store(damaged, clock)) {
      clock.by = old ? Duration.ofHours(1) : Duration.ofMinutes(1);
      Checkpoints checkpoints = Checkpoints.read(store, GoldenRuns.RUN);
      Set<String> whole = whole(store, checkpoints);
      String before = next(store);

      Maintenance maintenance = Maintenance.of(store).clock(clock);
      List<MaintenanceAction> dry = maintenance.repair(GoldenRuns.RUN, true);
      same(store, damaged);
      List<MaintenanceAction> done = maintenance.repair(GoldenRuns.RUN, false);
      assertThat(done).isEqualTo(dry);
      done.forEach(action -> counts.merge(action.kind(), 1, Integer::sum));

      TreeMap<String, byte[]> after = GoldenRuns.objects(store);
      nothingIsInvented(template, damaged, after);
      nothingIsLost(damaged, after, done);
      survivorsVerify(store, checkpoints, whole, damaged, after);
      String then = next(store);
      outcomes.merge(kind(before) + " -> " + kind(then), 1, Integer::sum);
      assertThat(noWorse(before, then)).as("from %s to %s by %s", before, then, done).isTrue();

      assertThat(maintenance.repair(GoldenRuns.RUN, false))
          .as("a second repair, after %s", done)
          .allMatch(action -> action.kind() == Kind.LEAVE);
      same(store, after);
      if (start) {
        assertThat(started(store)).isEqualTo(then);
      }
    }
  }

  private static void same(CheckpointStore store, TreeMap<String, byte[]> objects)
      throws IOException {
    TreeMap<String, byte[]> now = GoldenRuns.objects(store);
    assertThat(now.keySet()).isEqualTo(objects.keySet());
    now.forEach((key, bytes) -> assertThat(bytes).as(key).isEqualTo(objects.get(key)));
  }

  /** Ids without mark of which every byte verifies. */
  private static Set<String> whole(CheckpointStore store, Checkpoints checkpoints)
      throws IOException {
    Set<String> whole = new TreeSet<>();
    for (CheckpointId id : new RunLog(store, KEYS).decided()) {
      try {
        if (checkpoints.verify(id.toString()).ok()) {
          whole.add(id.toString());
        }
      } catch (CheckpointException.NotFound e) {
        continue; // given up
      }
    }
    return whole;
  }

  private static void survivorsVerify(
      CheckpointStore store,
      Checkpoints checkpoints,
      Set<String> whole,
      TreeMap<String, byte[]> before,
      TreeMap<String, byte[]> after)
      throws IOException {
    assertThat(whole(store, checkpoints)).containsAll(whole);
    for (String id : whole) {
      String key = KEYS.manifest(GoldenRuns.id(id));
      assertThat(after.get(key)).isEqualTo(before.get(key));
      Manifest.Commit commit =
          (Manifest.Commit) Manifest.decode(key, requireNonNull(after.get(key)));
      commit.shards().forEach(s -> assertThat(after.get(s.key())).isEqualTo(before.get(s.key())));
    }
    List<Checkpoint> list = List.of();
    try {
      list = checkpoints.list();
    } catch (CheckpointException.Corrupt e) {
      assertThat(e).hasMessageContaining("resume/");
    }
    assertThat(list).allMatch(each -> checkpoints.verify(each.id()).ok());
  }

  /** Each byte was there before, or was written by the run itself; but for ABORTs. */
  private static void nothingIsInvented(
      TreeMap<String, byte[]> template,
      TreeMap<String, byte[]> damaged,
      TreeMap<String, byte[]> after) {
    after.forEach(
        (key, bytes) -> {
          if (Arrays.equals(bytes, damaged.get(key))) {
            return;
          }
          if (key.startsWith(KEYS.quarantine())) {
            String rest = key.substring(KEYS.quarantine().length());
            String of = rest.replaceFirst("^\\d{6}-\\d{12}-[01]/", "");
            assertThat(bytes).as(key).isEqualTo(damaged.get(KEYS.root() + of));
          } else if (!isAbort(key, bytes)) {
            assertThat(bytes).as(key).isEqualTo(template.get(key));
          }
        });
  }

  private static boolean isAbort(String key, byte[] bytes) {
    return key.startsWith(KEYS.manifests())
        && Manifest.decode(key, bytes) instanceof Manifest.Abort;
  }

  /** What is not where it was is in quarantine, was mended, or was nobody's. */
  private static void nothingIsLost(
      TreeMap<String, byte[]> damaged,
      TreeMap<String, byte[]> after,
      List<MaintenanceAction> actions) {
    Set<String> copies =
        after.entrySet().stream()
            .filter(object -> object.getKey().startsWith(KEYS.quarantine()))
            .map(
                object ->
                    ByteBuffer.wrap(object.getValue()).toString()
                        + Arrays.hashCode(object.getValue()))
            .collect(Collectors.toSet());
    damaged.forEach(
        (key, bytes) -> {
          boolean there = Arrays.equals(bytes, after.get(key));
          boolean copied =
              copies.contains(ByteBuffer.wrap(bytes).toString() + Arrays.hashCode(bytes));
          boolean said =
              actions.stream()
                  .filter(a -> a.kind() != Kind.LEAVE && a.kind() != Kind.QUARANTINE)
                  .anyMatch(a -> key.contains(a.subject()));
          assertThat(there || copied || said).as(key).isTrue();
        });
  }

  /** What a start would take: an id, {@code fresh}, or an error. */
  private static String next(CheckpointStore store) throws IOException {
    RunLog run = new RunLog(store, KEYS);
    try {
      Candidates candidates = Candidates.find(new Resume.Auto(), List.of(), run.lineage(), run);
      Restorer restorer = new Restorer(store, run, FORMATS::named, 1);
      Optional<OpenCheckpoint> found = restorer.find(candidates).checkpoint();
      if (found.isEmpty()) {
        return "fresh";
      }
      try (OpenCheckpoint open = found.get()) {
        return open.manifest().id() + (open.manifest().finite() ? "" : " NaN");
      }
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return "error: " + e.getMessage();
    }
  }

  /** What a real start takes. */
  private static String started(CheckpointStore store) {
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run(GoldenRuns.RUN)
            .part("model", GoldenState.after(0))
            .keep(Set::copyOf)
            .open()) {
      Optional<Restored> restored = ckpt.resume();
      return restored
          .map(r -> r.checkpoint().id() + (r.checkpoint().finite() ? "" : " NaN"))
          .orElse("fresh");
    } catch (CheckpointException.Corrupt e) {
      return "error: " + e.getMessage();
    }
  }

  private static String kind(String next) {
    return next.startsWith("error") ? "error" : next.equals("fresh") ? "fresh" : "checkpoint";
  }

  private static boolean noWorse(String before, String then) {
    return switch (kind(before)) {
      case "error" -> !then.equals("fresh");
      case "fresh" -> !kind(then).equals("error");
      default ->
          kind(then).equals("checkpoint")
              && (before.equals(then)
                  || (before.endsWith("NaN") && !then.endsWith("NaN"))
                  || (then.compareTo(before) > 0
                      && before.endsWith("NaN") == then.endsWith("NaN")));
    };
  }

  /** A clock that stands still until it is set forward. */
  private static final class Shifted extends Clock {
    private Duration by = Duration.ZERO;

    @Override
    public Instant instant() {
      return Instant.parse("2026-01-01T00:00:00Z").plus(by);
    }

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }
  }
}
