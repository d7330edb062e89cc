package dev.ckpt.hdf5;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * What a store of version 1 holds in HDF5, and damaged copies of it, every later build reads so.
 */
class GoldenStoreTest {

  private static final String NEWEST = GoldenState.id(7);
  private static final String OLDER = GoldenState.id(3);

  static TreeMap<String, byte[]> objects(CheckpointStore store) throws IOException {
    TreeMap<String, byte[]> objects = new TreeMap<>();
    List<CheckpointStore.Entry> entries;
    try (var list = store.list("", "")) {
      entries = list.toList();
    }
    for (CheckpointStore.Entry entry : entries) {
      ByteBuffer bytes = ByteBuffer.allocate((int) entry.length());
      store.read(entry.key(), 0, bytes);
      objects.put(entry.key(), bytes.array());
    }
    return objects;
  }

  private static TreeMap<String, byte[]> golden() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenState.FOLDER)) {
      return objects(store);
    }
  }

  private static CheckpointStore storeOf(Map<String, byte[]> objects) throws IOException {
    CheckpointStore store = Stores.inMemory();
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      store.putIfAbsent(object.getKey(), ByteBuffer.wrap(object.getValue()));
    }
    return store;
  }

  private static String shard(String id) {
    return "runs/golden/data/" + id + "/rank-00000-of-00001.hdf5";
  }

  @Test
  void everyCommittedStateIsReadExactly() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenState.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenState.RUN);
      assertThat(golden.list()).extracting(Checkpoint::id).containsExactly(OLDER, NEWEST);
      for (long step : GoldenState.STEPS) {
        assertThat(golden.verify(GoldenState.id(step)).problems()).isEmpty();
        try (Checkpoints.Opened open = golden.open(GoldenState.id(step))) {
          GoldenState.after(step).assertIs(open.view("all"));
        }
      }
    }
  }

  @Test
  void todaysCodeWritesTheSameShards() throws IOException {
    TreeMap<String, byte[]> golden = golden();
    TreeMap<String, byte[]> today;
    try (CheckpointStore store = Stores.inMemory()) {
      GoldenState.write(store);
      today = objects(store);
    }
    assertThat(today.keySet()).isEqualTo(golden.keySet());
    golden.forEach(
        (key, bytes) -> {
          if (key.contains("/data/")) {
            assertThat(today.get(key)).as(key).isEqualTo(bytes);
          }
        });
    assertThat(golden.get(shard(NEWEST))).hasSizeGreaterThan(50_000);
  }

  /** A bit in each stretch of 61 bytes, so that no structure is left out. */
  @Test
  void aFlippedBitAnywhereIsFoundAndTheOlderOneTaken() throws IOException {
    byte[] whole = requireNonNull(golden().get(shard(NEWEST)));
    for (int at = 0; at < whole.length; at += 61) {
      byte[] bytes = whole.clone();
      bytes[at] ^= (byte) (1 << (at % 8));
      assertDamaged(bytes, "byte " + at, at % 50 == 0);
    }
  }

  @Test
  void anotherLengthIsFoundAndTheOlderOneTaken() throws IOException {
    byte[] whole = requireNonNull(golden().get(shard(NEWEST)));
    for (int length : List.of(0, 1, 8, 95, 96, 4096, whole.length - 8, whole.length - 1)) {
      assertDamaged(Arrays.copyOf(whole, length), length + " bytes", true);
    }
    for (int more : List.of(1, 4, 64, 1 << 20)) {
      assertDamaged(Arrays.copyOf(whole, whole.length + more), more + " more", true);
    }
  }

  @Test
  void theShardOfAnotherCheckpointIsFound() throws IOException {
    byte[] other = requireNonNull(golden().get(shard(OLDER)));
    assertThat(other).hasSameSizeAs(golden().get(shard(NEWEST)));
    assertDamaged(other, "of " + OLDER, true);
  }

  private static void assertDamaged(byte[] bytes, String how, boolean restart) throws IOException {
    Map<String, byte[]> objects = golden();
    objects.put(shard(NEWEST), bytes);
    try (CheckpointStore store = storeOf(objects)) {
      Checkpoints damaged = Checkpoints.read(store, GoldenState.RUN);
      assertThat(damaged.verify(NEWEST).problems())
          .as(how)
          .isNotEmpty()
          .allMatch(problem -> problem.contains(shard(NEWEST)));
      if (restart) {
        try (CheckpointManager ckpt =
            CheckpointManager.in(store)
                .run(GoldenState.RUN)
                .part("all", GoldenState.after(3))
                .open()) {
          var restored = ckpt.resume().orElseThrow();
          assertThat(restored.checkpoint().id()).as(how).isEqualTo(OLDER);
          assertThat(restored.skipped()).hasSize(1);
        }
      }
    }
  }

  /** What a run in Arrow wrote, HDF5 goes on from, and the other way round. */
  @Test
  void aRunMayChangeItsFormat() throws IOException {
    try (CheckpointStore store = storeOf(golden())) {
      for (String format : List.of("arrow", "hdf5")) {
        try (CheckpointManager ckpt =
            CheckpointManager.in(store)
                .run(GoldenState.RUN)
                .format(format)
                .part("all", GoldenState.after(7))
                .open()) {
          Progress from = ckpt.resume().orElseThrow().checkpoint().progress();
          String id = ckpt.save(Progress.step(from.step() + 1), Map.of()).join().id();
          Checkpoints all = Checkpoints.read(store, GoldenState.RUN);
          assertThat(all.verify(id).ok()).isTrue();
          try (Checkpoints.Opened open = all.open(id)) {
            GoldenState.after(7).assertIs(open.view("all"));
          }
        }
      }
    }
  }
}
