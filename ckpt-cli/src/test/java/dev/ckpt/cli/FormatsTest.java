package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command looks at a run that changed its format from Arrow to HDF5. */
class FormatsTest {
  private static final String ARROW = "000001-000000000003-0";
  private static final String HDF5 = "000002-000000000007-0";

  @TempDir Path folder;

  @BeforeEach
  void train() throws IOException {
    try (CheckpointStore store = Stores.local(folder)) {
      save(store, "arrow", 3);
      save(store, "hdf5", 7);
    }
    assertThat(shard(HDF5)).exists();
  }

  private static void save(CheckpointStore store, String format, long step) {
    try (CheckpointManager ckpt =
        Trained.in(store, "digits").format(format).part("model", Trained.after(step)).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(step), Map.of("loss", 1.0 / step)).join();
    }
  }

  private Path shard(String id) {
    return folder.resolve("runs/digits/data/" + id + "/rank-00000-of-00001.hdf5");
  }

  private static Called fine(Called called) {
    assertThat(called.err()).isEmpty();
    assertThat(called.code()).isZero();
    return called;
  }

  @Test
  void bothAreListedShownComparedAndVerified() {
    assertThat(fine(Called.on(folder, "list")).out()).contains(ARROW, HDF5);
    assertThat(fine(Called.on(folder, "show", HDF5)).out())
        .contains("model", "fc.weight", "float32");
    assertThat(fine(Called.on(folder, "verify", "--all")).out()).contains(ARROW, HDF5);
    assertThat(Called.on(folder, "diff", ARROW, HDF5).out()).contains("fc.weight");
  }

  @Test
  void aFlippedBitIsNamed() throws IOException {
    byte[] bytes = Files.readAllBytes(shard(HDF5));
    bytes[bytes.length / 2] ^= 1;
    Files.write(shard(HDF5), bytes);
    Called called = Called.on(folder, "verify", HDF5);
    assertThat(called.code()).isEqualTo(1);
    assertThat(called.out() + called.err()).contains("rank-00000-of-00001.hdf5", "chunk 0");
  }
}
