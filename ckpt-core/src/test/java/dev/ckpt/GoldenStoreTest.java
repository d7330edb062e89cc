package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store of format version 1 holds, every later build reads. */
class GoldenStoreTest {

  private static final String AT_10 = "000001-000000000010-0";
  private static final String AT_20 = "000001-000000000020-0";
  private static final String EPOCH_END = "000001-000000000020-1";
  private static final String DEAD = "000002-000000000040-0";
  private static final String BEST_LIVE = "000003-000000000035-0";
  private static final String DIVERGED = "000003-000000000045-0";

  @Test
  void theLiveBranchIsListedWithAllThatIsKnownOfIt() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      List<Checkpoint> all = Checkpoints.read(store, GoldenRuns.RUN).list();
      assertThat(all)
          .extracting(Checkpoint::id)
          .containsExactly(AT_10, AT_20, EPOCH_END, BEST_LIVE, DIVERGED);
      assertThat(all)
          .extracting(Checkpoint::parent)
          .containsExactly(
              Optional.empty(),
              Optional.of("000001-000000000015-0"),
              Optional.of(AT_20),
              Optional.of("000003-000000000025-0"),
              Optional.of(BEST_LIVE));
      assertThat(all).extracting(Checkpoint::finite).containsExactly(true, true, true, true, false);
      Checkpoint epoch = all.get(2);
      assertThat(epoch.metrics()).isEqualTo(Map.of("loss", 0.5, "accuracy", 0.75));
      assertThat(epoch.progress())
          .isEqualTo(new Progress(20, 1, 0, 5120, Progress.Phase.AFTER_EPOCH));
      assertThat(epoch.committedAt()).isEqualTo("2026-01-01T00:00:04Z");
      assertThat(Checkpoints.runs(store))
          .containsExactly(GoldenRuns.RUN, GoldenRuns.KINDS, GoldenRuns.SLICES);
    }
  }

  @Test
  void everyCommittedStateIsReadExactly() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      for (String id : List.of(AT_10, AT_20, EPOCH_END, "000001-000000000030-0", DEAD, BEST_LIVE)) {
        try (Checkpoints.Opened open = golden.open(id)) {
          GoldenState.after(open.checkpoint().progress().step()).assertIs(open.view("model"));
        }
        assertThat(golden.verify(id).problems()).isEmpty();
      }
      try (Checkpoints.Opened open = golden.open(DIVERGED)) {
        GoldenState.diverged(45).assertIs(open.view("model"));
      }
    }
  }

  @Test
  void everyKindOfTensorValueAndNameIsReadExactly() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER);
        Checkpoints.Opened open =
            Checkpoints.read(store, GoldenRuns.KINDS).open("000001-000000000007-0")) {
      assertThat(open.parts()).containsExactlyInAnyOrder("all", "other");
      GoldenState.ofAllKinds().assertIs(open.view("all"));
      GoldenState.after(1).assertIs(open.view("other"));
      assertThat(open.checkpoint().metrics())
          .isEqualTo(Map.of("loss", 0.1, "nan", Double.NaN, "zero", -0.0));
    }
  }

  @Test
  void slicesAreJoined() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER);
        Checkpoints.Opened open =
            Checkpoints.read(store, GoldenRuns.SLICES).open("000001-000000000001-0")) {
      StateView view = open.view("big");
      assertThat(view.names()).containsExactly("a", "b", "c");
      assertThat(view.spec("a")).isEqualTo(TensorSpec.of("a", DType.FLOAT64, Shape.of(3, 3)));
      for (String name : view.names()) {
        int elements = (int) view.spec(name).shape().elements();
        ByteBuffer read = ByteBuffer.allocate(elements * 8).order(ByteOrder.LITTLE_ENDIAN);
        view.read(name, 0, read);
        for (int i = 0; i < elements; i++) {
          assertThat(read.getDouble(i * 8)).isEqualTo(GoldenRuns.Sliced.element(i));
        }
      }
      ByteBuffer across = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
      view.read("a", 24, across);
      assertThat(across.getDouble(0)).isEqualTo(GoldenRuns.Sliced.element(3));
      assertThat(across.getDouble(8)).isEqualTo(GoldenRuns.Sliced.element(4));
    }
  }

  @Test
  void aRestartTakesTheNewestFiniteOfTheLiveBranchAndGoesOn(@TempDir Path folder)
      throws IOException {
    GoldenRuns.dump(GoldenRuns.golden(), folder);
    GoldenState state = GoldenState.after(0);
    try (CheckpointManager ckpt =
        CheckpointManager.in(folder)
            .run(GoldenRuns.RUN)
            .part("model", state)
            .keep(java.util.Set::copyOf)
            .open()) {
      assertThat(ckpt.attempt()).as("4 had been taken and never used").isEqualTo(5);
      assertThat(ckpt.seed()).isEqualTo(GoldenRuns.SEED);
      assertThat(ckpt.completed()).contains(Map.of("steps", 45L));
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo(BEST_LIVE);
      assertThat(restored.skipped()).singleElement().asString().contains(DIVERGED, "NaN");
      assertThat(state.updates()).isEqualTo(35);
      Checkpoint next = ckpt.save(Progress.step(36), Map.of()).join();
      assertThat(next.parent()).contains(BEST_LIVE);
    }
    try (CheckpointStore store = Stores.local(folder)) {
      assertThat(Checkpoints.read(store, GoldenRuns.RUN).list())
          .extracting(Checkpoint::id)
          .containsExactly(AT_10, AT_20, EPOCH_END, BEST_LIVE, "000005-000000000036-0");
    }
  }

  @Test
  void aReferenceReachesADeadBranchAndARepeatedOneTheBranchItBegan() throws IOException {
    assertThat(resumed(DEAD)).isEqualTo(40);
    assertThat(resumed(EPOCH_END)).as("attempt 3 went back there").isEqualTo(35);
    assertThat(resumed("best(accuracy)")).isEqualTo(20);
    assertThat(resumed("best(loss, min)")).as("40 has less, on the dead branch").isEqualTo(35);
  }

  private static long resumed(String reference) throws IOException {
    GoldenState state = GoldenState.after(0);
    try (CheckpointStore store = GoldenRuns.storeOf(GoldenRuns.golden());
        CheckpointManager ckpt =
            CheckpointManager.in(store)
                .run(GoldenRuns.RUN)
                .part("model", state)
                .resume(Resume.parse(reference))
                .open()) {
      assertThat(ckpt.resume()).isPresent();
      return state.updates();
    }
  }

  @Test
  void whatWasDeletedAbortedOrNeverDecidedIsNoCheckpoint() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      for (String id :
          List.of(
              "000003-000000000025-0", // deleted
              "000001-000000000015-0", // its deletion was cut short: all files are there
              "000003-000000000050-0", // aborted
              "000003-000000000055-0", // undecided
              "000009-000000000001-0")) {
        assertThatThrownBy(() -> golden.open(id))
            .as(id)
            .isInstanceOf(CheckpointException.NotFound.class);
      }
      RunLog run = new RunLog(store, new Keys(GoldenRuns.RUN));
      assertThat(run.manifest(GoldenRuns.id("000003-000000000050-0")))
          .contains(new Manifest.Abort(GoldenRuns.id("000003-000000000050-0"), "given up"));
      assertThat(run.deleted())
          .containsExactly(
              GoldenRuns.id("000001-000000000015-0"), GoldenRuns.id("000003-000000000025-0"));
      assertThat(run.pinned()).containsExactly(GoldenRuns.id(AT_10));
      assertThat(run.end(1).orElseThrow().how()).isEqualTo("closed");
      assertThat(run.end(2)).as("killed").isEmpty();
      assertThat(run.end(3).orElseThrow().goal()).isEqualTo(Map.of("steps", 45L));
    }
  }

  @Test
  void aPinnedCheckpointOutlivesThePolicy() throws IOException {
    try (CheckpointStore store = GoldenRuns.storeOf(GoldenRuns.golden())) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run(GoldenRuns.RUN)
              .part("model", GoldenState.after(0))
              .keep(Retention.latest(1))
              .open()) {
        ckpt.resume();
        ckpt.save(Progress.step(36), Map.of()).join();
      }
      assertThat(Checkpoints.read(store, GoldenRuns.RUN).list())
          .extracting(Checkpoint::id)
          .containsExactly(AT_10, "000005-000000000036-0");
    }
  }

  /** Nonces are drawn and provenance is the machine's; all else depends on the code alone. */
  @Test
  void todaysCodeWritesTheSameBytes() throws IOException {
    TreeMap<String, byte[]> golden = GoldenRuns.golden();
    TreeMap<String, byte[]> today;
    try (CheckpointStore store = Stores.inMemory()) {
      GoldenRuns.write(store);
      today = GoldenRuns.objects(store);
    }
    assertThat(today.keySet()).isEqualTo(golden.keySet());
    golden.replaceAll(GoldenStoreTest::masked);
    golden.computeIfPresent(new Keys(GoldenRuns.RUN).end(3), GoldenStoreTest::withItsStep);
    today.replaceAll(GoldenStoreTest::masked);
    golden.forEach(
        (key, bytes) ->
            assertThat(new String(today.get(key), StandardCharsets.ISO_8859_1))
                .as(key)
                .isEqualTo(new String(bytes, StandardCharsets.ISO_8859_1)));
  }

  /** Since 0.1 a completed end says at which step: a reader of version 1 has always known it. */
  private static byte[] withItsStep(String key, byte[] bytes) {
    EndRecord end = EndRecord.decode(key, bytes);
    assertThat(end.how()).isEqualTo(EndRecord.COMPLETED);
    assertThat(end.step()).isEmpty();
    return new EndRecord(
            end.attempt(), end.how(), end.goal(), end.endedAt(), end.cause(), OptionalLong.of(45))
        .encode();
  }

  private static byte[] masked(String key, byte[] bytes) {
    if (!key.contains("/attempts/")) {
      return bytes;
    }
    AttemptRecord record = AttemptRecord.decode(key, bytes);
    assertThat(record.encode()).as("%s, encoded again", key).isEqualTo(bytes);
    assertThat(record.nonces()).hasSize(record.world()).allMatch(n -> n.matches("[0-9a-f]{16}"));
    assertThat(record.provenance()).containsKeys("host", "pid");
    return new AttemptRecord(
            record.attempt(),
            record.world(),
            List.of(),
            record.request(),
            record.seed(),
            record.startedAt(),
            Map.of())
        .encode();
  }

  @Test
  void itIsSmall() throws IOException {
    long bytes = GoldenRuns.golden().values().stream().mapToLong(each -> each.length).sum();
    assertThat(bytes).isBetween(10_000L, 100_000L);
  }
}
