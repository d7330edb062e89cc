package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** A store in memory whose clock stands still until it is set forward, and what is done to it. */
final class MaintainedStore {

  static final Keys KEYS = new Keys("toy");

  /** A clock that stands still. */
  static final class Shifted extends Clock {
    private volatile Instant now = Instant.parse("2026-01-01T00:00:00Z");

    void pass(Duration time) {
      now = now.plus(time);
    }

    @Override
    public Instant instant() {
      return now;
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

  final Shifted clock = new Shifted();
  final CheckpointStore store = new InMemoryStore(clock);

  /** A store of these objects, all an hour old. */
  static MaintainedStore of(Map<String, byte[]> objects) throws IOException {
    MaintainedStore made = new MaintainedStore();
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      made.put(object.getKey(), object.getValue());
    }
    made.clock.pass(Duration.ofHours(1));
    return made;
  }

  /**
   * Attempt 1 saves 1, 2, 3, and 1 is pinned; attempt 2 goes back to 2, which leaves 3 on a dead
   * branch, and saves 4 and 5; attempt 3 goes on and saves 6 and 7, which holds a NaN. One id was
   * given up and has files, one is undecided, one half deleted, and 5 was written twice.
   */
  static TreeMap<String, byte[]> template() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1, 2, 3);
    Checkpoints.read(made.store, "toy").pin(id(1, 1));
    made.run("toy", Resume.parse(id(1, 2)), 4, 5);
    made.run("toy", new Resume.Auto(), 6, -7);
    made.put(KEYS.manifest(parsed(id(3, 8))), abort(id(3, 8)));
    made.put(KEYS.shard(parsed(id(3, 8)), 0, 1, 0, "arrow"), new byte[300]);
    made.put(KEYS.shard(parsed(id(3, 9)), 0, 1, 0, "arrow"), new byte[400]);
    made.put(KEYS.deleted(parsed(id(1, 9))), text("retention"));
    made.put(KEYS.shard(parsed(id(1, 9)), 0, 1, 0, "arrow"), new byte[500]);
    made.put(KEYS.shard(parsed(id(2, 5)), 0, 1, 1, "arrow"), new byte[600]);
    return made.objects();
  }

  private static byte[] abort(String id) {
    return new dev.ckpt.manifest.Manifest.Abort(parsed(id), "a test").encode();
  }

  static String id(int attempt, int step) {
    return String.format("%06d-%012d-0", attempt, step);
  }

  static CheckpointId parsed(String id) {
    return CheckpointId.parse(id).orElseThrow();
  }

  static byte[] text(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  static ToyState fresh() {
    return ToyState.random(5, 2, 40);
  }

  CheckpointManagerBuilder builder(String run, ToyState state) {
    return CheckpointManager.in(store).run(run).part("toy", state).keep(Set::copyOf).seed(11);
  }

  /** One attempt that saves these steps, a negative one with a NaN; the loss is the step. */
  void run(String run, Resume resume, int... steps) {
    ToyState state = fresh();
    try (CheckpointManager ckpt = builder(run, state).resume(resume).open()) {
      ckpt.resume();
      for (int step : steps) {
        state.advance(Math.abs(step) - (int) state.counter);
        if (step < 0) {
          Objects.requireNonNull(state.tensors.get("layer1/weight"))[3] = Float.NaN;
        }
        double loss = Math.abs(step);
        ckpt.save(Progress.step(Math.abs(step)), Map.of("loss", loss)).join();
      }
    }
  }

  /** Saves these steps on top of what the run has, with so many checkpoints kept. */
  void keeps(int most, int... steps) {
    ToyState state = fresh();
    try (CheckpointManager ckpt = builder("toy", state).keep(Retention.latest(most)).open()) {
      ckpt.resume();
      for (int step : steps) {
        state.advance(step - (int) state.counter);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
  }

  void put(String key, byte[] bytes) throws IOException {
    store.delete(List.of(key));
    store.putIfAbsent(key, ByteBuffer.wrap(bytes));
  }

  /** Reads this object alone: a manager beside it may be deleting others. */
  byte[] bytes(String key) throws IOException {
    try (var list = store.list(key.substring(0, key.lastIndexOf('/') + 1), "")) {
      return read(store, list.filter(entry -> entry.key().equals(key)).findFirst().orElseThrow());
    }
  }

  /** Flips the lowest bit of a byte, counted from the end if negative. */
  void flip(String key, int at) throws IOException {
    byte[] bytes = bytes(key).clone();
    bytes[Math.floorMod(at, bytes.length)] ^= 1;
    put(key, bytes);
  }

  String shard(String id) {
    return KEYS.shard(parsed(id), 0, 1, 0, "arrow");
  }

  TreeMap<String, byte[]> objects() throws IOException {
    return objects(store);
  }

  /** Every object of a store. */
  static TreeMap<String, byte[]> objects(CheckpointStore store) throws IOException {
    TreeMap<String, byte[]> objects = new TreeMap<>();
    List<CheckpointStore.Entry> entries;
    try (var list = store.list("", "")) {
      entries = list.toList();
    }
    for (CheckpointStore.Entry entry : entries) {
      objects.put(entry.key(), read(store, entry));
    }
    return objects;
  }

  private static byte[] read(CheckpointStore store, CheckpointStore.Entry entry)
      throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) entry.length());
    store.read(entry.key(), 0, bytes);
    return bytes.array();
  }

  /** Ids of the live branch that are listed. */
  List<String> listed(String run) {
    return Checkpoints.read(store, run).list().stream().map(Checkpoint::id).toList();
  }

  /** All ids that verify, on whatever branch. */
  Set<String> whole() throws IOException {
    Checkpoints checkpoints = Checkpoints.read(store, "toy");
    Set<String> whole = new TreeSet<>();
    for (String key : objects().keySet()) {
      if (key.startsWith(KEYS.manifests())) {
        String id = KEYS.idOf(key).map(CheckpointId::toString).orElseThrow();
        try {
          if (checkpoints.verify(id).ok()) {
            whole.add(id);
          }
        } catch (CheckpointException.NotFound e) {
          continue; // given up, or hidden
        }
      }
    }
    return whole;
  }

  /** What a start takes: an id, {@code fresh}, or {@code error}; as a process that may sweep. */
  String start() {
    try (CheckpointManager ckpt = builder("toy", fresh()).open()) {
      Optional<Restored> restored = ckpt.resume();
      return restored.map(from -> from.checkpoint().id()).orElse("fresh");
    } catch (CheckpointException.Corrupt e) {
      return "error";
    }
  }

  /** What a start would take, tried on a copy. */
  String next() throws IOException {
    return of(objects()).start();
  }

  /** Without what a further maintenance tidies up, or has to number. */
  Set<String> keys() throws IOException {
    return objects().keySet().stream()
        .filter(key -> !key.contains(".copy-") && !key.contains("/deleted/"))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  /** What a repair does, which its dry run foretells. */
  List<MaintenanceAction> repair() {
    Maintenance maintenance = Maintenance.of(store).clock(clock);
    List<MaintenanceAction> dry = maintenance.repair("toy", true);
    assertThat(maintenance.repair("toy", false)).isEqualTo(dry);
    return dry;
  }

  /** What a collection does, which its dry run foretells. */
  List<MaintenanceAction> collect(Retention keep) throws IOException {
    Maintenance maintenance = Maintenance.of(store).clock(clock);
    TreeMap<String, byte[]> before = objects();
    List<MaintenanceAction> dry = maintenance.collect("toy", keep, true);
    isAsBefore(before);
    assertThat(maintenance.collect("toy", keep, false)).isEqualTo(dry);
    return dry;
  }

  /** A repair does this, and nothing else. */
  void mends(MaintenanceAction.Kind kind, String subject) {
    assertThat(repair())
        .singleElement()
        .satisfies(
            action -> {
              assertThat(action.kind()).isEqualTo(kind);
              assertThat(action.subject()).isEqualTo(subject);
              assertThat(action.reason()).isNotEmpty();
            });
  }

  void isAsBefore(Map<String, byte[]> before) throws IOException {
    TreeMap<String, byte[]> after = objects();
    assertThat(after.keySet()).isEqualTo(before.keySet());
    after.forEach((key, bytes) -> assertThat(bytes).as(key).isEqualTo(before.get(key)));
  }
}
