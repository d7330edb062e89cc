package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.shard.ShardFile;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A checkpoint that somebody made, with checksums and digests that are right: it is refused by
 * {@code verify} in words, and a start takes the one before.
 */
class ForgedCheckpointTest {
  private static final TensorSpec W = TensorSpec.of("p/w", DType.FLOAT32, Shape.of(10));
  private static final TensorSpec B = TensorSpec.of("p/b", DType.UINT8, Shape.of(2));
  private static final String VALUES = "{\"#bytes\":[\"p/b\"],\"p\":{\"u\":1}}";

  @TempDir Path folder;

  /** A part with one of each. */
  private static final class State implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      sink.value("u", 1L);
      sink.bytes("b", ByteBuffer.wrap(new byte[] {1, 2}));
      sink.tensor(
          TensorSpec.of("w", DType.FLOAT32, Shape.of(10)),
          (offset, into) -> into.position(into.limit()),
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {
      view.value("u", Long.class);
      view.bytes("b");
      view.read("w", 0, ByteBuffer.allocate(40));
    }
  }

  private record Contents(List<TensorSpec> tensors, ByteBuffer values)
      implements ShardFormat.Contents {
    @Override
    public Map<String, String> header() {
      return Map.of("run", "r");
    }

    @Override
    public ByteBuffer window(int tensor, long offset, int most) {
      return ByteBuffer.allocate((int) Math.min(most, tensors.get(tensor).bytes() - offset));
    }
  }

  private static CheckpointManager open(CheckpointStore store, String format) {
    return CheckpointManager.in(store).run("r").format(format).part("p", new State()).open();
  }

  /** Commits one more behind the first, with that shard. */
  private static void commit(CheckpointStore store, ShardEntry shard) throws IOException {
    Keys keys = new Keys("r");
    Manifest.Commit first =
        (Manifest.Commit) new RunLog(store, keys).manifest(new CheckpointId(1, 1, 0)).orElseThrow();
    Vote vote =
        new Vote(
            new CheckpointId(1, 2, 0),
            0,
            1,
            Optional.of(first.id()),
            first.seed(),
            new Progress(2, 0, 2, 0, Progress.Phase.AFTER_STEP),
            first.committedAt(),
            Map.of(),
            true,
            List.of(shard));
    Committer committer = new Committer(store, keys);
    committer.vote(vote);
    committer.commit(List.of(vote));
  }

  private static String key(String format) {
    return new Keys("r").shard(new CheckpointId(1, 2, 0), 0, 1, 0, format);
  }

  private void assertRefused(CheckpointStore store, String format, String problem) {
    assertThat(Checkpoints.read(store, "r").verify(new CheckpointId(1, 2, 0).toString()).problems())
        .singleElement()
        .asString()
        .contains(problem);
    try (CheckpointManager manager = open(store, format)) {
      Restored restored = manager.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo(new CheckpointId(1, 1, 0).toString());
    }
  }

  private static void saveFirst(CheckpointStore store, String format) {
    try (CheckpointManager manager = open(store, format)) {
      manager.resume();
      manager.save(Progress.step(1), Map.of()).join();
    }
  }

  static Stream<Arguments> forged() {
    List<TensorSpec> plain = List.of(W, B);
    return Stream.of("arrow", "hdf5")
        .flatMap(
            format ->
                Stream.of(
                    Arguments.of(format, plain, "[]", "its values are no JSON object"),
                    Arguments.of(format, plain, "{\"#bytes\":3}", "#bytes is no list"),
                    Arguments.of(format, plain, "{\"#bytes\":[3]}", "no tensor of bytes"),
                    Arguments.of(format, plain, "{\"#bytes\":[\"b\"]}", "no tensor of bytes"),
                    Arguments.of(format, plain, "{\"#bytes\":[\"p/x\"]}", "no tensor of bytes"),
                    Arguments.of(format, plain, "{\"#bytes\":[\"p/w\"]}", "no tensor of bytes"),
                    Arguments.of(format, plain, "{\"p\":3}", "the values of part 'p'"),
                    Arguments.of(format, plain, "{\"p\":{\"w\":3}}", "the values of part 'p'"),
                    Arguments.of(format, plain, "{\"..\":{}}", "no part can be named '..'"),
                    Arguments.of(
                        format,
                        List.of(W, B, TensorSpec.of("../x/y", DType.INT8, Shape.of(1))),
                        VALUES,
                        "no part can be named '..'"),
                    Arguments.of(
                        format,
                        List.of(W, B, TensorSpec.of("/y", DType.INT8, Shape.of(1))),
                        VALUES,
                        "no part can be named ''")));
  }

  @ParameterizedTest
  @MethodSource("forged")
  void whatNoWriterWritesIsDamaged(
      String format, List<TensorSpec> tensors, String values, String problem) throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      saveFirst(store, format);
      commit(
          store,
          ShardFile.write(
              store,
              key(format),
              0,
              new Formats().named(format),
              new Contents(tensors, ByteBuffer.wrap(values.getBytes(StandardCharsets.UTF_8)))));
      assertRefused(store, format, problem);
    }
  }

  /** The file is sparse: it holds nothing but zeros. */
  @ParameterizedTest
  @CsvSource({
    "arrow, 600000000, 2000, cannot be an Arrow shard",
    "arrow, 2147485000, 2000, cannot be an Arrow shard",
    "arrow, 5147485000, 2000, cannot be an Arrow shard",
    "arrow, 900000000, 500000000, is corrupt: CRC32C",
    "hdf5, 600000000, 2000, cannot be an HDF5 shard",
    "hdf5, 2147485000, 2000, cannot be an HDF5 shard",
    "hdf5, 5147485000, 2000, cannot be an HDF5 shard",
    "hdf5, 900000000, 500000000, cannot be an HDF5 shard",
    "hdf5, 2000, 2000, cannot be an HDF5 shard",
  })
  void aTailOfGigabytesCostsNoMemory(String format, long length, long tailStart, String problem)
      throws IOException {
    try (CheckpointStore store = Stores.local(folder)) {
      saveFirst(store, format);
      Path file = folder.resolve(key(format));
      Files.createDirectories(file.getParent());
      try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
        sparse.setLength(length);
      }
      ShardDigest digest = new ShardDigest(length, tailStart, 1, "0".repeat(64));
      commit(store, new ShardEntry(0, key(format), format, digest));
      ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
      long before = threads.getCurrentThreadAllocatedBytes();
      assertRefused(store, format, problem);
      assertThat(threads.getCurrentThreadAllocatedBytes() - before)
          .as("bytes on the heap")
          .isLessThan(200 << 20);
    }
  }
}
