package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.Maintenance;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.PlainFormat;
import dev.ckpt.testkit.PowerLoss;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A checkpoint is rewritten in another format, as a run of its own. */
class ConversionTest {
  private static final String SOURCE = "toy";
  private static final String COPY = "toy-plain";
  private static final String OTHER = "plain";

  /** Where the copy goes. */
  enum Medium {
    FOLDER(() -> CrashMedium.Disk.empty("arrow")),
    OBJECTS(() -> CrashMedium.Objects.empty("arrow"));

    private final Supplier<CrashMedium> empty;

    Medium(Supplier<CrashMedium> empty) {
      this.empty = empty;
    }
  }

  private static CheckpointManager open(CheckpointStore store, String run, ToyState state) {
    return open(store, run, state, false);
  }

  private static CheckpointManager open(
      CheckpointStore store, String run, ToyState state, boolean takeOver) {
    return CheckpointManager.in(store)
        .run(run)
        .part("toy", state)
        .seed(11)
        .keep(all -> Set.copyOf(all))
        .takeOver(takeOver)
        .open();
  }

  private static final ToyState START = ToyState.random(5, 3, 700);

  /** Trains up to a step, saving each, and says what the state is then. */
  private static ToyState train(CheckpointStore store, String run, int to) {
    return train(store, run, to, false);
  }

  private static ToyState train(CheckpointStore store, String run, int to, boolean takeOver) {
    ToyState state = START.copy();
    try (CheckpointManager ckpt = open(store, run, state, takeOver)) {
      ckpt.resume();
      while (state.counter < to) {
        state.advance(1);
        ckpt.save(progress(state.counter), Map.of("loss", 1.0 / state.counter)).join();
      }
    }
    return state;
  }

  private static Progress progress(long step) {
    return new Progress(step, (int) (step / 4), step % 4, step * 8, Progress.Phase.AFTER_STEP);
  }

  private static String id(int step) {
    return "000001-00000000000" + step + "-0";
  }

  private static Checkpoint convert(
      CheckpointStore from, String run, String id, String format, CheckpointStore to, String name) {
    try (Checkpoints.Opened open = Checkpoints.read(from, run).open(id)) {
      return open.convert(format, to, name, false, bytes -> {});
    }
  }

  private static Checkpoint convert(CheckpointStore store, String id) {
    return convert(store, SOURCE, id, OTHER, store, COPY);
  }

  private static TreeMap<String, String> objects(CheckpointStore store, String prefix)
      throws IOException {
    TreeMap<String, String> all = new TreeMap<>();
    try (Stream<CheckpointStore.Entry> entries = store.list(prefix, "")) {
      for (CheckpointStore.Entry entry : entries.toList()) {
        ByteBuffer bytes = ByteBuffer.allocate((int) entry.length());
        store.read(entry.key(), 0, bytes);
        all.put(entry.key(), new String(bytes.array(), StandardCharsets.ISO_8859_1));
      }
    }
    return all;
  }

  @Test
  void aTrainingGoesOnFromTheCopyAsFromTheOriginal() throws IOException {
    try (CheckpointStore store = Stores.inMemory();
        CheckpointStore other = Stores.inMemory()) {
      train(store, SOURCE, 4);
      TreeMap<String, String> before = objects(store, "");
      Checkpoint copy = convert(store, SOURCE, id(3), OTHER, other, SOURCE);
      assertThat(objects(store, "")).isEqualTo(before);

      Checkpoint source = Checkpoints.read(store, SOURCE).find(id(3));
      assertThat(copy.progress()).isEqualTo(source.progress());
      assertThat(copy.metrics()).isEqualTo(source.metrics());
      assertThat(copy.committedAt()).isEqualTo(source.committedAt());
      assertThat(copy.parent()).isEmpty();
      Checkpoints copies = Checkpoints.read(other, SOURCE);
      assertThat(copies.list()).containsExactly(copy);
      assertThat(copies.verify(copy.id()).problems()).isEmpty();
      assertThat(copies.verifyRecords().problems()).isEmpty();
      assertThat(objects(other, ""))
          .containsKey("runs/toy/data/" + id(3) + "/rank-00000-of-00001.plain");

      ToyState state = START.copy();
      try (CheckpointManager ckpt = open(other, SOURCE, state)) {
        assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(copy.id());
        assertThat(ckpt.seed()).isEqualTo(11);
        assertThat(state.counter).isEqualTo(3);
      }
      assertThat(train(other, SOURCE, 6)).isEqualTo(train(store, SOURCE, 6));
    }
  }

  @Test
  void thereAndBackAgainIsTheSameFileButForTheNameOfTheRun() throws IOException {
    try (CheckpointStore store = Stores.inMemory();
        CheckpointStore other = Stores.inMemory()) {
      train(store, SOURCE, 2);
      Checkpoint there = convert(store, SOURCE, id(2), OTHER, other, COPY);
      convert(other, COPY, there.id(), "arrow", other, SOURCE);
      String shard = "/data/" + id(2) + "/rank-00000-of-00001.arrow";
      assertThat(objects(other, "runs/toy/data/").get("runs/toy" + shard))
          .isEqualTo(objects(store, "").get("runs/toy" + shard));
    }
  }

  @Test
  void aFinishedRunIsFinishedAfterItsConversionAnAbandonedOneIsNot() {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 2);
      ToyState state = START.copy();
      try (CheckpointManager ckpt = open(store, SOURCE, state)) {
        ckpt.resume();
        ckpt.complete(Map.of("steps", 2L));
      }
      convert(store, id(2));
      convert(store, SOURCE, id(1), OTHER, store, "unfinished");
      assertThat(completed(store, COPY)).contains(Map.of("steps", 2L));
      assertThat(completed(store, "unfinished")).isEmpty();
      Attempt made = Checkpoints.read(store, "unfinished").attempts().get(0);
      assertThat(made.end()).isEqualTo(Attempt.End.CLOSED);
      assertThat(made.request()).isEqualTo("convert");
      assertThat(made.provenance()).containsEntry("from", "toy/" + id(1));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  private static Optional<Map<String, Long>> completed(CheckpointStore store, String run) {
    try (CheckpointManager ckpt = open(store, run, START.copy())) {
      ckpt.resume();
      return ckpt.completed();
    }
  }

  @Test
  void aDryRunWritesNothingAndNamesWhatTheRealOneMakes() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 2);
      TreeMap<String, String> before = objects(store, "");
      Checkpoint planned;
      try (Checkpoints.Opened open = Checkpoints.read(store, SOURCE).open(id(2))) {
        planned = open.convert(OTHER, store, COPY, true, bytes -> {});
      }
      assertThat(objects(store, "")).isEqualTo(before);
      Checkpoint made = convert(store, id(2));
      assertThat(planned.id()).isEqualTo(made.id());
      assertThat(planned.progress()).isEqualTo(made.progress());
    }
  }

  @Test
  void convertedAgainItIsFoundAndNothingChanges() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 2);
      Checkpoint made = convert(store, id(2));
      TreeMap<String, String> before = objects(store, "");
      assertThat(convert(store, id(2))).isEqualTo(made);
      assertThat(objects(store, "")).isEqualTo(before);
      // another checkpoint is no copy of it, nor is one of another format
      assertTaken(store, () -> convert(store, id(1)));
      // once a training has begun there, it is a run like any other
      train(store, COPY, 2);
      assertTaken(store, () -> convert(store, id(2)));
    }
  }

  @Test
  void aFinishedCopyThatIsDamagedIsCalledDamaged() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 2);
      Checkpoint made = convert(store, id(2));
      String shard = "runs/toy-plain/data/" + made.id() + "/rank-00000-of-00001.plain";
      byte[] whole = objects(store, "").get(shard).getBytes(StandardCharsets.ISO_8859_1);
      byte[] flipped = whole.clone();
      flipped[whole.length / 2] ^= 4;
      for (byte[] damaged : List.of(flipped, Arrays.copyOf(whole, whole.length - 5))) {
        store.delete(List.of(shard));
        store.putIfAbsent(shard, ByteBuffer.wrap(damaged));
        TreeMap<String, String> before = objects(store, "");
        for (boolean dryRun : new boolean[] {true, false}) {
          assertThatThrownBy(() -> convert(store, dryRun))
              .isInstanceOf(CheckpointException.Corrupt.class)
              .hasMessageContaining(made.id() + " of run 'toy-plain', which is damaged")
              .hasMessageContaining("--to-run");
        }
        assertThat(objects(store, "")).isEqualTo(before);
        assertTaken(store, () -> convert(store, id(1))); // it is none of that one
      }
    }
  }

  private static void convert(CheckpointStore store, boolean dryRun) {
    try (Checkpoints.Opened open = Checkpoints.read(store, SOURCE).open(id(2))) {
      open.convert(OTHER, store, COPY, dryRun, bytes -> {});
    }
  }

  private static void assertTaken(CheckpointStore store, Supplier<Checkpoint> conversion)
      throws IOException {
    TreeMap<String, String> before = objects(store, "");
    assertThatThrownBy(conversion::get)
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("there is a run '")
        .hasMessageContaining("already")
        .hasMessageContaining("--to-run");
    assertThat(objects(store, "")).isEqualTo(before);
  }

  @Test
  void aRunThatIsThereIsNeverWrittenTo() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 2);
      assertTaken(store, () -> convert(store, SOURCE, id(2), OTHER, store, SOURCE));
      // one that only began, and one of which only a foreign file is left
      open(store, "begun", START.copy()).close();
      assertTaken(store, () -> convert(store, SOURCE, id(2), OTHER, store, "begun"));
      store.putIfAbsent("runs/foreign/notes.txt", ByteBuffer.wrap(new byte[] {1}));
      assertTaken(store, () -> convert(store, SOURCE, id(2), OTHER, store, "foreign"));
      Checkpoint pinned = convert(store, SOURCE, id(2), OTHER, store, "pinned");
      Checkpoints.read(store, "pinned").pin(pinned.id());
      assertTaken(store, () -> convert(store, SOURCE, id(2), OTHER, store, "pinned"));
      Checkpoint lost = convert(store, SOURCE, id(2), OTHER, store, "lost");
      store.delete(List.of("runs/lost/manifests/" + lost.id() + ".json"));
      assertTaken(store, () -> convert(store, SOURCE, id(2), OTHER, store, "lost"));
    }
  }

  @Test
  void aDamagedSourceIsFoundBeforeAnythingIsWritten() throws IOException {
    try (CheckpointStore store = Stores.inMemory();
        CheckpointStore other = Stores.inMemory()) {
      train(store, SOURCE, 1);
      String shard = "runs/toy/data/" + id(1) + "/rank-00000-of-00001.arrow";
      byte[] whole = objects(store, "").get(shard).getBytes(StandardCharsets.ISO_8859_1);
      for (int at = 0; at < whole.length; at += 61) {
        byte[] damaged = whole.clone();
        damaged[at] ^= 4;
        store.delete(List.of(shard));
        store.putIfAbsent(shard, ByteBuffer.wrap(damaged));
        assertThatThrownBy(() -> convert(store, SOURCE, id(1), OTHER, other, COPY))
            .as("byte %s", at)
            .isInstanceOf(CheckpointException.Corrupt.class);
      }
      assertThat(objects(other, "")).isEmpty();
    }
  }

  @Test
  void whatDoesNotReadBackAsItsSourceIsNotCommitted() throws IOException {
    try (CheckpointStore store = Stores.inMemory();
        CheckpointStore other = Stores.inMemory()) {
      train(store, SOURCE, 1);
      assertThatThrownBy(() -> convert(store, SOURCE, id(1), OTHER, new FlippingStore(other), COPY))
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("was not converted to plain");
      assertNothingIsCommitted(other);
      assertThatThrownBy(() -> convert(store, SOURCE, id(1), "lying", other, COPY))
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("byte 5 of tensor toy/layer1/weight differs");
      assertNothingIsCommitted(other);
      // the next try takes the same name
      assertThat(convert(store, SOURCE, id(1), OTHER, other, COPY).id()).startsWith("000003-");
    }
  }

  private static void assertNothingIsCommitted(CheckpointStore store) throws IOException {
    assertThat(objects(store, "").keySet())
        .allMatch(key -> key.contains("/attempts/") || key.contains("/resume/"));
    assertThat(Checkpoints.read(store, COPY).list()).isEmpty();
  }

  /** Gives a shard back with a bit that differs. */
  private static final class FlippingStore extends Locking {
    FlippingStore(CheckpointStore medium) {
      super(medium);
    }

    @Override
    public int read(String key, long offset, ByteBuffer into) throws IOException {
      int at = into.position();
      int read = super.read(key, offset, into);
      if (key.contains("/data/") && read > 0) {
        into.put(at, (byte) (into.get(at) ^ 1));
      }
      return read;
    }
  }

  /** Writes another byte than it was given, with the checksum of what it wrote. */
  public static final class LyingFormat implements ShardFormat {
    private final ShardFormat plain = new PlainFormat();

    @Override
    public String name() {
      return "lying";
    }

    @Override
    public void write(Contents contents, Output out) throws IOException {
      plain.write(
          new Contents() {
            @Override
            public Map<String, String> header() {
              return contents.header();
            }

            @Override
            public List<TensorSpec> tensors() {
              return contents.tensors();
            }

            @Override
            public ByteBuffer values() {
              return contents.values();
            }

            @Override
            public ByteBuffer window(int tensor, long offset, int max) throws IOException {
              ByteBuffer honest = contents.window(tensor, offset, max);
              ByteBuffer copy = ByteBuffer.allocate(honest.remaining()).put(honest).flip();
              if (contents.tensors().get(tensor).name().equals("toy/layer1/weight")) {
                copy.put(5, (byte) (copy.get(5) + 1));
              }
              return copy;
            }
          },
          out);
    }

    @Override
    public ChunkTable chunks(Input raw, ShardDigest expected) throws IOException {
      return plain.chunks(raw, expected);
    }

    @Override
    public Reader reader(Input verified) throws IOException {
      return plain.reader(verified);
    }
  }

  @Test
  void whatIsMissingIsNamed() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 1);
      assertThatThrownBy(() -> convert(store, SOURCE, id(1), "parquet", store, COPY))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("parquet")
          .hasMessageContaining("arrow");
      assertThatThrownBy(() -> convert(store, SOURCE, id(1), "arrow", store, COPY))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("nothing to convert");
      assertThatThrownBy(() -> convert(store, SOURCE, id(1), OTHER, store, "no/name"))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("run name 'no/name'");
      assertThat(Checkpoints.runs(store)).containsExactly(SOURCE);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whoBeginsTheRunMeanwhileIsLeftAlone(boolean takesOver) throws IOException {
    TreeMap<String, String> before = trained();
    int refused = 0;
    int fenced = 0;
    int cases = 0;
    for (boolean more = true; more; cases++) {
      CheckpointStore medium = with(before);
      AtomicBoolean began = new AtomicBoolean();
      AtCall at =
          new AtCall(
              medium,
              cases + 1,
              () -> {
                try {
                  train(new AnotherProcess(medium), COPY, 1, takesOver);
                  began.set(true);
                } catch (CheckpointException.Fenced e) {
                  // the conversion holds the lock
                  assertThat(takesOver).isFalse();
                }
              });
      try {
        convert(at, id(2));
      } catch (CheckpointException.Fenced | IllegalArgumentException e) {
        assertThat(began).as(e.toString()).isTrue();
        fenced++;
      }
      more = at.happened();
      if (more) {
        refused += began.get() ? 0 : 1;
        String as = "begun before call " + (cases + 1) + ", the last of " + at.calls();
        List<Checkpoint> live = Checkpoints.read(medium, COPY).list();
        assertThat(live).as(as).isNotEmpty().allMatch(each -> verifies(medium, each));
        ToyState found = START.copy();
        try (CheckpointManager ckpt = open(new AnotherProcess(medium), COPY, found)) {
          ckpt.resume();
        }
        // what the one who began saved, or what it found there
        assertThat(found.counter).as(as).isIn(1L, 2L);
      }
    }
    System.out.println(
        cases - 1 + " cases, " + refused + " starts refused, " + fenced + " conversions");
    assertThat(refused > 0).isEqualTo(!takesOver);
    assertThat(fenced).isPositive();
  }

  private static TreeMap<String, String> trained() throws IOException {
    try (CheckpointStore medium = Stores.inMemory()) {
      train(medium, SOURCE, 2);
      return objects(medium, "");
    }
  }

  private static CheckpointStore with(TreeMap<String, String> objects) throws IOException {
    CheckpointStore store = Stores.inMemory();
    for (Map.Entry<String, String> object : objects.entrySet()) {
      byte[] bytes = object.getValue().getBytes(StandardCharsets.ISO_8859_1);
      store.putIfAbsent(object.getKey(), ByteBuffer.wrap(bytes));
    }
    return store;
  }

  @Test
  void twoConversionsAtOnceMakeOneCopy() throws IOException {
    TreeMap<String, String> before = trained();
    int done = 0;
    int found = 0;
    for (boolean more = true; more; ) {
      CheckpointStore medium = with(before);
      List<Checkpoint> made = new ArrayList<>();
      AtCall at =
          new AtCall(
              medium,
              ++done,
              () -> {
                try {
                  made.add(convert(new AnotherProcess(medium), id(2)));
                } catch (CheckpointException.Fenced e) {
                  assertThat(e).hasMessageContaining("is in use");
                }
              });
      try {
        made.add(convert(at, id(2)));
      } catch (CheckpointException.Fenced e) {
        assertThat(made).as(e.toString()).hasSize(1);
      }
      more = at.happened();
      found += made.size() == 2 ? 1 : 0;
      List<Checkpoint> live = Checkpoints.read(medium, COPY).list();
      assertThat(live).hasSize(1).allMatch(each -> verifies(medium, each));
      assertThat(made).as("before call " + done).isNotEmpty().allMatch(live.get(0)::equals);
      assertThat(Checkpoints.read(medium, COPY).verifyRecords().problems()).isEmpty();
    }
    assertThat(found).as("the second found the first one's").isPositive();
  }

  @Test
  void aSourceThatIsDeletedMeanwhileIsNotCalledDamaged() throws IOException {
    TreeMap<String, String> before = trained();
    int done = 0;
    int gone = 0;
    for (boolean more = true; more; ) {
      CheckpointStore medium = with(before);
      AtCall at =
          new AtCall(
              medium,
              ++done,
              () -> {
                Maintenance gc = Maintenance.of(new AnotherProcess(medium)).grace(Duration.ZERO);
                gc.collect(SOURCE, Retention.latest(1), false);
                gc.collect(SOURCE, Retention.latest(1), false); // the mark goes, too
              });
      boolean whole = true;
      try {
        convert(at, id(1));
      } catch (CheckpointException.NotFound e) {
        whole = false;
        gone++;
        assertThat(e).hasMessageContaining(id(1));
      }
      more = at.happened();
      List<Checkpoint> live = Checkpoints.read(medium, COPY).list();
      assertThat(live).hasSize(whole ? 1 : 0).allMatch(each -> verifies(medium, each));
    }
    System.out.println("deleted before each of " + done + " calls: " + gone + " not found");
    assertThat(gone).isBetween(3, done - 2);
  }

  private static boolean verifies(CheckpointStore store, Checkpoint checkpoint) {
    return Checkpoints.read(store, COPY).verify(checkpoint.id()).ok();
  }

  @ParameterizedTest
  @EnumSource
  void killedAtAnyCallItIsThereWholeOrNotThere(Medium where) throws IOException {
    long seed = System.nanoTime();
    System.out.println("seed of the damages: " + seed);
    List<PowerLoss> losses =
        List.of(
            new PowerLoss(Damage.KEPT, Survival.NONE, seed),
            new PowerLoss(Damage.EMPTIED, Survival.ALL, seed),
            new PowerLoss(Damage.FLIPPED, Survival.EVERY_OTHER, seed));
    CrashMedium found = where.empty.get();
    train(found.open(), SOURCE, 2);
    TreeMap<String, String> before = objects(found.open(), "runs/toy/");
    int cases = 0;
    int committed = 0;
    boolean stopped = true;
    for (int call = 1; stopped; call++) {
      for (boolean midway : new boolean[] {false, true}) {
        if (midway && !found.hasMiddles()) {
          continue;
        }
        CrashMedium medium = found.copy();
        medium.stopsAt(call, midway);
        boolean told = false;
        try {
          convert(medium.open(), id(2));
          told = true;
        } catch (RuntimeException e) {
          assertThat(medium.isStopped()).as(e.toString()).isTrue();
        }
        medium.assertNothingIsOpen();
        stopped = medium.isStopped();
        for (CrashMedium.Left left : medium.left(losses)) {
          String as = where + " stopped at " + call + (midway ? ".5" : "") + ", " + left.how();
          CheckpointStore after = left.medium().open();
          assertThat(objects(after, "runs/toy/")).as(as).isEqualTo(before);
          committed += checked(after, told, as);
          cases++;
        }
      }
    }
    System.out.println(where + ": " + cases + " cases, in " + committed + " it was committed");
    assertThat(committed).isBetween(1, cases - 1);
  }

  /** Whole or not there; then done again under the same name, and trained on. */
  private static int checked(CheckpointStore store, boolean told, String as) throws IOException {
    Checkpoints copies = Checkpoints.read(store, COPY);
    List<Checkpoint> there = copies.list();
    assertThat(there).as(as).hasSizeLessThanOrEqualTo(1);
    assertThat(there).as(as).allMatch(each -> verifies(store, each));
    assertThat(copies.all())
        .as(as)
        .noneMatch(each -> each.standing() == ListedCheckpoint.Standing.DAMAGED);
    if (told) {
      assertThat(there).as(as).hasSize(1);
    }
    Checkpoint again = convert(store, id(2));
    if (!there.isEmpty()) {
      assertThat(again).as(as).isEqualTo(there.get(0));
    }
    assertThat(copies.list()).as(as).containsExactly(again);
    assertThat(copies.verifyRecords().problems()).as(as).isEmpty();
    ToyState state = START.copy();
    try (CheckpointManager ckpt = open(store, COPY, state)) {
      ckpt.resume();
      assertThat(state.counter).as(as).isEqualTo(2);
      state.advance(1);
      ckpt.save(progress(3), Map.of()).join();
    }
    return there.size();
  }

  @Test
  void whatATryLeftBehindIsCleanedUpAsThatOfATraining() throws IOException {
    CrashMedium medium = CrashMedium.Objects.empty("arrow");
    train(medium.open(), SOURCE, 2);
    FaultyStore dying = FaultyStore.around(medium.open());
    dying.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").stops();
    assertThatThrownBy(() -> convert(dying, id(2))).isInstanceOf(RuntimeException.class);
    Checkpoint made = convert(medium.open(), id(2));
    assertThat(made.id()).startsWith("000002-");
    medium.later(Duration.ofHours(1));
    Maintenance.of(medium.open()).takeOver(true).collect(COPY, all -> Set.copyOf(all), false);
    assertThat(objects(medium.open(), "runs/toy-plain/data/").keySet())
        .containsExactly("runs/toy-plain/data/" + made.id() + "/rank-00000-of-00001.plain");
    assertThat(Checkpoints.read(medium.open(), COPY).list()).containsExactly(made);
  }

  @Test
  void aCheckpointOfADeadBranchCanBeConverted() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      train(store, SOURCE, 3);
      ToyState state = START.copy();
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run(SOURCE)
              .part("toy", state)
              .keep(all -> Set.copyOf(all))
              .resume(new Resume.From(id(1)))
              .open()) {
        ckpt.resume();
        state.advance(1);
        ckpt.save(progress(2), Map.of()).join();
      }
      convert(store, id(3));
      ToyState found = START.copy();
      try (CheckpointManager ckpt = open(store, COPY, found)) {
        ckpt.resume();
      }
      ToyState expected = START.copy();
      expected.advance(3);
      assertThat(found).isEqualTo(expected);
    }
  }
}
