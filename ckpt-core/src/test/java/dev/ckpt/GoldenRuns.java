package dev.ckpt;

import dev.ckpt.internal.arrow.SmallColumns;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Makes the golden store of format version 1, the same bytes each time but for what {@code
 * GoldenStoreTest} masks.
 *
 * <p>Run {@code golden}: attempt 1 starts fresh; attempt 2 goes on from its end and is killed;
 * attempt 3 goes back to the epoch's end at step 20, which leaves 30 and 40 on a dead branch, and
 * completes; attempt 4 dies before it resumes anything. On the way a checkpoint is deleted, the
 * deletion of another is cut short, one is pinned, one holds a NaN, one id is aborted, and one was
 * never decided. Run {@code kinds}: one checkpoint of everything that a state can hold. Run {@code
 * slices}: a tensor cut into columns of 32 bytes.
 */
final class GoldenRuns {

  static final String RUN = "golden";
  static final String KINDS = "kinds";
  static final String SLICES = "slices";
  static final Path FOLDER = Path.of("src", "test", "resources", "golden", "v1");
  static final long SEED = 42;

  private GoldenRuns() {}

  /** A clock whose every look is a second after the one before. */
  static InstantSource ticking() {
    AtomicLong seconds = new AtomicLong(Instant.parse("2026-01-01T00:00:00Z").getEpochSecond());
    return () -> Instant.ofEpochSecond(seconds.getAndIncrement());
  }

  static void write(CheckpointStore store) throws IOException {
    InstantSource clock = ticking();
    tree(store, clock);
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run(KINDS)
            .part("all", GoldenState.ofAllKinds())
            .part("other", GoldenState.after(1))
            .seed(-1)
            .clock(clock, () -> 0)
            .open()) {
      ckpt.resume();
      Progress progress = new Progress(7, 1, 2, 1792, Progress.Phase.AFTER_STEP);
      ckpt.save(progress, Map.of("loss", 0.1, "nan", Double.NaN, "zero", -0.0)).join();
    }
    slices(store);
  }

  private static void tree(CheckpointStore store, InstantSource clock) throws IOException {
    Turn turn = new Turn();
    try (CheckpointManager first = open(store, clock, turn, new Resume.Auto(), 0)) {
      save(first, turn, 10, 0, Map.of("loss", 1.0));
      save(first, turn, 15, 0, Map.of());
      save(first, turn, 20, 0, Map.of());
      save(first, turn, 20, 1, Map.of("loss", 0.5, "accuracy", 0.75));
      save(first, turn, 30, 0, Map.of());
    }
    try (CheckpointManager second = open(store, clock, turn, new Resume.Auto(), 0)) {
      save(second, turn, 40, 0, Map.of("loss", 0.25));
    }
    Keys keys = new Keys(RUN);
    store.delete(List.of(keys.end(2))); // killed
    Resume back = new Resume.From("000001-000000000020-1");
    try (CheckpointManager third = open(store, clock, turn, back, 25)) {
      save(third, turn, 25, 0, Map.of());
      save(third, turn, 35, 0, Map.of("loss", 0.375));
      save(third, turn, 45, 0, Map.of("loss", 9.0));
      third.complete(Map.of("steps", 45L));
    }
    builder(store, clock).part("model", GoldenState.after(0)).open().close(); // killed, too
    new Committer(store, keys).abort(id("000003-000000000050-0"), "given up");
    Checkpoints.read(store, RUN).pin("000001-000000000010-0");
    store.putIfAbsent(
        keys.deleted(id("000001-000000000015-0")),
        ByteBuffer.wrap("retention".getBytes(StandardCharsets.US_ASCII)));
    byte[] data = "died while it wrote".getBytes(StandardCharsets.US_ASCII);
    try (CheckpointStore.Sink orphan =
        store.create(keys.shard(id("000003-000000000055-0"), 0, 1, 1, "arrow"))) {
      orphan.write(ByteBuffer.wrap(data));
      orphan.complete();
    }
  }

  static CheckpointId id(String text) {
    return CheckpointId.parse(text).orElseThrow();
  }

  static CheckpointManagerBuilder builder(CheckpointStore store, InstantSource clock) {
    return CheckpointManager.in(store).run(RUN).seed(SEED).clock(clock, () -> 0);
  }

  /** A part that is what the next save needs it to be. */
  private static final class Turn implements Checkpointable {
    GoldenState now = GoldenState.after(0);

    @Override
    public void capture(StateSink sink) {
      now.capture(sink);
    }

    @Override
    public void restore(StateView view) {
      now.restore(view);
    }
  }

  private static CheckpointManager open(
      CheckpointStore store, InstantSource clock, Turn turn, Resume how, long dropped) {
    CheckpointManager ckpt =
        builder(store, clock)
            .part("model", turn)
            .resume(how)
            .keep(
                all -> {
                  Set<Checkpoint> kept = new HashSet<>(all);
                  kept.removeIf(each -> each.progress().step() == dropped);
                  return kept;
                })
            .open();
    ckpt.resume();
    return ckpt;
  }

  private static void save(
      CheckpointManager ckpt, Turn turn, long step, int phase, Map<String, Double> metrics) {
    turn.now = step == 45 ? GoldenState.diverged(step) : GoldenState.after(step);
    int epoch = step > 20 || phase == 1 ? 1 : 0;
    Progress progress =
        new Progress(step, epoch, step - 20L * epoch, step * 256, Progress.Phase.values()[phase]);
    ckpt.save(progress, metrics).join();
  }

  private static void slices(CheckpointStore store) throws IOException {
    Keys keys = new Keys(SLICES);
    CheckpointId id = id("000001-000000000001-0");
    Instant time = Instant.parse("2026-01-01T12:00:00.123456789Z");
    put(
        store,
        keys.attempt(1),
        new AttemptRecord(
                1,
                1,
                List.of("0123456789abcdef"),
                "auto",
                Long.MIN_VALUE,
                time,
                Map.of("host", "golden", "pid", "1"))
            .encode());
    put(store, keys.resume(1), new ResumeRecord(1, Optional.empty(), List.of("why not")).encode());
    String key = keys.shard(id, 0, 1, 0, "arrow");
    ShardDigest digest;
    try (CheckpointStore.Sink sink = store.create(key)) {
      ChecksumOutput output = new ChecksumOutput(sink);
      SmallColumns.format(32).write(new Sliced(), output);
      digest = output.digest();
      sink.complete();
    }
    Vote vote =
        new Vote(
            id,
            0,
            1,
            Optional.empty(),
            Long.MIN_VALUE,
            Progress.step(1),
            time,
            Map.of(),
            true,
            List.of(new ShardEntry(0, key, "arrow", digest)));
    Committer committer = new Committer(store, keys);
    committer.vote(vote);
    committer.commit(List.of(vote));
  }

  private static void put(CheckpointStore store, String key, byte[] bytes) throws IOException {
    store.putIfAbsent(key, ByteBuffer.wrap(bytes));
  }

  /** Two tensors in slices, one between them that is not. */
  static final class Sliced implements ShardFormat.Contents {

    /** What element {@code i} of each of its tensors is. */
    static double element(int i) {
      return i / 4.0;
    }

    @Override
    public Map<String, String> header() {
      return Map.of("run", SLICES, "rank", "0", "world", "1");
    }

    @Override
    public List<TensorSpec> tensors() {
      return List.of(
          TensorSpec.of("big/a", DType.FLOAT64, Shape.of(3, 3)),
          TensorSpec.of("big/b", DType.FLOAT64, Shape.of(4)),
          TensorSpec.of("big/c", DType.FLOAT64, Shape.of(8)));
    }

    @Override
    public ByteBuffer values() {
      return ByteBuffer.wrap("{}".getBytes(StandardCharsets.US_ASCII));
    }

    @Override
    public ByteBuffer window(int tensor, long offset, int max) {
      ByteBuffer window = ByteBuffer.allocate(max).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at < max; at += 8) {
        window.putDouble(element((int) (offset + at) / 8));
      }
      return window.flip();
    }
  }

  // ---- whole stores

  /** Every object of a store. */
  static TreeMap<String, byte[]> objects(CheckpointStore store) throws IOException {
    TreeMap<String, byte[]> objects = new TreeMap<>();
    try (var entries = store.list("", "")) {
      entries.forEach(
          entry -> {
            ByteBuffer bytes = ByteBuffer.allocate((int) entry.length());
            try {
              store.read(entry.key(), 0, bytes);
            } catch (IOException e) {
              throw new UncheckedIOException(e);
            }
            objects.put(entry.key(), bytes.array());
          });
    }
    return objects;
  }

  /** The golden store as it was committed. */
  static TreeMap<String, byte[]> golden() throws IOException {
    try (CheckpointStore store = Stores.local(FOLDER)) {
      return objects(store);
    }
  }

  /** A store of these objects. */
  static CheckpointStore storeOf(Map<String, byte[]> objects) throws IOException {
    CheckpointStore store = Stores.inMemory();
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      put(store, object.getKey(), object.getValue());
    }
    return store;
  }

  /** Writes the objects as the files that a local store keeps. */
  static void dump(Map<String, byte[]> objects, Path folder) throws IOException {
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      Path file = folder.resolve(object.getKey());
      Files.createDirectories(file.getParent());
      Files.write(file, object.getValue());
    }
  }
}
