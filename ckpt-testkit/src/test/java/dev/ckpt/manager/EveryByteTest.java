package dev.ckpt.manager;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.Verification;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.restore.Restorer;
import dev.ckpt.internal.restore.Resumption;
import dev.ckpt.internal.restore.TakenRun;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Every byte of a small checkpoint, and of the records of its run, is damaged. A look finds each
 * damage; a restart never takes the damaged checkpoint: it takes the older one and says so, or it
 * stops.
 */
@ParameterizedClass
@ValueSource(strings = {"arrow", "hdf5"})
@Tag("anyjdk")
class EveryByteTest {
  private static final Keys KEYS = new Keys("small");
  private static final CheckpointId OLDER = new CheckpointId(1, 1, 0);
  private static final CheckpointId NEWEST = new CheckpointId(1, 2, 0);
  private static final String MANIFEST = KEYS.manifest(NEWEST);
  private static final String VOTE = KEYS.vote(NEWEST, 0);

  /** Every so many restarts one is a whole manager's. */
  private static final int WHOLE = 32;

  /** What a restart does about damage. */
  private enum Restart {
    /** Takes the older checkpoint, and says why. */
    FALLS_BACK,
    /** Stops before it changes anything. */
    STOPS,
    /** Goes on: it does not need these bytes. */
    GOES_ON
  }

  private final String format;
  private final String shard;
  private final PrintStream console = System.err;
  private final Random random = new Random();
  private TreeMap<String, byte[]> objects = new TreeMap<>();
  private CheckpointStore looked = Stores.inMemory();
  private int cases;
  private int restarts;
  private long seed;

  EveryByteTest(String format) {
    this.format = format;
    this.shard = KEYS.shard(NEWEST, 0, 1, 0, format);
  }

  /** 300 bytes that tell how many updates they saw. */
  private static final class Small implements Checkpointable {
    private final float[] weights = new float[75];
    private long updates;

    void update() {
      updates++;
      for (int i = 0; i < weights.length; i++) {
        weights[i] = weights[i] * 0.5f + updates * 31 + i;
      }
    }

    @Override
    public void capture(StateSink sink) {
      sink.value("updates", updates);
      sink.tensor(
          TensorSpec.of("weights", DType.FLOAT32, Shape.of(weights.length)),
          (offset, into) -> {
            into.asFloatBuffer().put(weights, (int) offset / 4, into.remaining() / 4);
            into.position(into.limit());
          },
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {
      updates = view.value("updates", Long.class);
      ByteBuffer bytes = ByteBuffer.allocate(weights.length * 4).order(ByteOrder.LITTLE_ENDIAN);
      view.read("weights", 0, bytes);
      bytes.flip().asFloatBuffer().get(weights);
    }
  }

  private static Small after(int updates) {
    Small state = new Small();
    for (int i = 0; i < updates; i++) {
      state.update();
    }
    return state;
  }

  @BeforeEach
  void saveTwice() throws IOException {
    long noise = System.nanoTime();
    System.out.println("EveryByteTest, " + format + ": seed " + noise);
    random.setSeed(noise);
    try (CheckpointStore store = Stores.inMemory()) {
      Small state = new Small();
      try (CheckpointManager ckpt = open(store, state)) {
        seed = ckpt.seed();
        ckpt.resume();
        for (int step = 1; step <= 2; step++) {
          state.update();
          ckpt.save(Progress.step(step), Map.of("loss", 1.0 / step)).join();
        }
      }
      objects = MaintainedStore.objects(store);
    }
    looked = storeOf(objects);
    assertThat(objects.keySet())
        .as("all there is")
        .containsExactlyInAnyOrder(
            KEYS.attempt(1),
            KEYS.resume(1),
            KEYS.end(1),
            KEYS.shard(OLDER, 0, 1, 0, format),
            KEYS.vote(OLDER, 0),
            KEYS.manifest(OLDER),
            shard,
            VOTE,
            MANIFEST);
    assertThat(verified().problems()).isEmpty();
    assertThat(recordsVerified().problems()).isEmpty();
    // each case of a restart warns, as it should
    System.setErr(new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8));
  }

  @AfterEach
  void consoleBack() {
    System.setErr(console);
  }

  @Test
  void aRandomBitOfEveryByteIsFoundByALookAndByARestart() throws IOException {
    for (String key : all()) {
      byte[] bytes = object(key);
      for (int at = 0; at < bytes.length; at++) {
        int bit = random.nextInt(8);
        damaged(key, flipped(bytes, at, bit), "byte " + at + " bit " + bit);
      }
    }
    told("one random bit of each byte");
  }

  @Test
  void allEightBitsOfManifestVoteAndTailAreFoundByALookAndByARestart() throws IOException {
    Manifest.Commit commit = (Manifest.Commit) Manifest.decode(MANIFEST, object(MANIFEST));
    int tail = (int) commit.shards().get(0).digest().tailStart();
    for (String key : List.of(MANIFEST, VOTE, shard)) {
      byte[] bytes = object(key);
      for (int at = key.equals(shard) ? tail : 0; at < bytes.length; at++) {
        for (int bit = 0; bit < 8; bit++) {
          damaged(key, flipped(bytes, at, bit), "byte " + at + " bit " + bit);
        }
      }
    }
    told("all eight bits of manifest, vote and tail");
  }

  @Test
  void everyLengthThatAFileCanBeCutToIsFoundByALookAndByARestart() throws IOException {
    for (String key : all()) {
      byte[] bytes = object(key);
      for (int length = 0; length < bytes.length; length++) {
        damaged(key, Arrays.copyOf(bytes, length), "cut to " + length);
      }
    }
    told("every length below the whole");
  }

  @Test
  void bytesThatWereAppendedAreFoundByALookAndByARestart() throws IOException {
    for (String key : all()) {
      byte[] bytes = object(key);
      for (int more : new int[] {1, 2, 3, 7, 64, 4096, bytes.length, 1 << 20}) {
        byte[] longer = Arrays.copyOf(bytes, bytes.length + more);
        damaged(key, longer, more + " zeros more");
        byte[] noise = new byte[more];
        random.nextBytes(noise);
        System.arraycopy(noise, 0, longer, bytes.length, more);
        damaged(key, longer, more + " bytes of noise more");
        for (int i = 0; i < more; i++) {
          longer[bytes.length + i] = bytes[i % bytes.length];
        }
        damaged(key, longer, more + " of its own bytes once more");
      }
    }
    told("bytes appended");
  }

  private List<String> all() {
    return List.of(shard, VOTE, MANIFEST, KEYS.attempt(1), KEYS.resume(1), KEYS.end(1));
  }

  private void damaged(String key, byte[] bytes, String how) throws IOException {
    String what = key + ", " + how;
    cases++;
    replace(looked, key, bytes);
    boolean record = !key.contains("/" + NEWEST);
    Verification found = record ? recordsVerified() : verified();
    assertThat(found.problems()).as("%s", what).isNotEmpty().allMatch(each -> each.contains(key));
    assertThat(found.ok()).isFalse();
    replace(looked, key, object(key));
    if (!key.equals(VOTE)) {
      restarted(key, bytes, what);
    }
  }

  private Restart restart(String key) {
    if (key.equals(shard) || key.equals(MANIFEST)) {
      return Restart.FALLS_BACK;
    }
    return key.equals(KEYS.resume(1)) ? Restart.STOPS : Restart.GOES_ON;
  }

  private void restarted(String key, byte[] bytes, String what) throws IOException {
    restarts++;
    Map<String, byte[]> all = new TreeMap<>(objects);
    all.put(key, bytes);
    Small state = new Small();
    Optional<Restored> restored;
    try (CheckpointStore store = storeOf(all)) {
      restored = restarts % WHOLE == 0 ? resumed(store, state) : resumedWithin(store, state);
    } catch (CheckpointException.Corrupt e) {
      assertThat(restart(key)).as("%s: %s", what, e.getMessage()).isEqualTo(Restart.STOPS);
      assertThat(e).as("%s", what).hasMessageContaining(key);
      assertThat(state.updates).as("%s", what).isZero();
      return;
    }
    assertThat(restart(key)).as("%s", what).isNotEqualTo(Restart.STOPS);
    boolean back = restart(key) == Restart.FALLS_BACK;
    assertThat(restored.orElseThrow().checkpoint().id())
        .as("%s", what)
        .isEqualTo((back ? OLDER : NEWEST).toString());
    assertThat(restored.get().skipped()).as("%s", what).hasSize(back ? 1 : 0);
    assertThat(restored.get().skipped()).allMatch(each -> each.contains(key));
    assertThat(state.weights).as("%s", what).isEqualTo(after(back ? 1 : 2).weights);
    assertThat(state.updates).as("%s", what).isEqualTo(back ? 1 : 2);
  }

  private Optional<Restored> resumed(CheckpointStore store, Small state) {
    try (CheckpointManager ckpt = open(store, state)) {
      assertThat(ckpt.seed()).as("the seed of the branch").isEqualTo(seed);
      return ckpt.resume();
    }
  }

  /** What a manager does to resume, without its threads and staging memory. */
  private Optional<Restored> resumedWithin(CheckpointStore store, Small state) throws IOException {
    TakenRun taken =
        TakenRun.take(
            store,
            KEYS,
            new TakenRun.Start(
                new Resume.Auto(), false, OptionalLong.empty(), 0, List.of(), Map.of()),
            InstantSource.system());
    assertThat(taken.seed()).as("the seed of the branch").isEqualTo(seed);
    Restorer restorer = new Restorer(store, taken.log(), new Formats()::named, 1);
    return new Resumption(
            restorer, taken.log(), taken.candidates(), new Resume.Auto(), taken.attempt())
        .into(Map.of("model", state));
  }

  private void told(String what) {
    System.out.printf(
        "%s, %s: %d cases, each found by a look; %d restarts (%d by a whole manager), none took"
            + " damaged bytes%n",
        format, what, cases, restarts, restarts / WHOLE);
  }

  private CheckpointManager open(CheckpointStore store, Small state) {
    return CheckpointManager.in(store).run(KEYS.run()).format(format).part("model", state).open();
  }

  private Verification verified() {
    return Checkpoints.read(looked, KEYS.run()).verify(NEWEST.toString());
  }

  private Verification recordsVerified() {
    return Checkpoints.read(looked, KEYS.run()).verifyRecords();
  }

  private byte[] object(String key) {
    return requireNonNull(objects.get(key), key);
  }

  private static CheckpointStore storeOf(Map<String, byte[]> objects) throws IOException {
    CheckpointStore store = Stores.inMemory();
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      store.putIfAbsent(object.getKey(), ByteBuffer.wrap(object.getValue()));
    }
    return store;
  }

  private static void replace(CheckpointStore store, String key, byte[] bytes) throws IOException {
    store.delete(List.of(key));
    store.putIfAbsent(key, ByteBuffer.wrap(bytes));
  }

  private static byte[] flipped(byte[] bytes, int at, int bit) {
    byte[] flipped = bytes.clone();
    flipped[at] ^= (byte) (1 << bit);
    return flipped;
  }
}
