package dev.ckpt.internal.shard;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VerifiedInputTest {

  private static final int CHUNK = ChunkTable.CHUNK_BYTES;
  private static final int TILED = 4 * CHUNK + 12345;
  private static final int TAIL = 777;

  @TempDir Path folder;
  private final byte[] bytes = new byte[TILED + TAIL];
  private ChunkTable table = new ChunkTable(0, new int[0]);
  private ShardDigest digest = new ShardDigest(0, 0, 0, "0".repeat(64));

  @BeforeEach
  void write() throws IOException {
    new Random(3).nextBytes(bytes);
    try (CheckpointStore.Sink sink = new FileStore(folder, false).create("shard")) {
      ChecksumOutput out = new ChecksumOutput(sink);
      Random random = new Random(4);
      for (int at = 0; at < TILED; ) {
        int first = Math.min(TILED - at, random.nextInt(900_000));
        int second = Math.min(TILED - at - first, random.nextInt(3000));
        out.write(ByteBuffer.wrap(bytes, at, first), ByteBuffer.wrap(bytes, at + first, second));
        at += first + second;
        assertThat(out.position()).isEqualTo(at);
      }
      table = out.chunks();
      out.write(ByteBuffer.wrap(bytes, TILED, TAIL));
      digest = out.digest();
      sink.complete();
    }
  }

  @Test
  void theOutputTilesTheFile() throws IOException {
    assertThat(Arrays.mismatch(Files.readAllBytes(folder.resolve("shard")), bytes)).isEqualTo(-1);
    assertThat(table.size()).isEqualTo(5);
    for (int i = 0; i < 5; i++) {
      int start = i * CHUNK;
      assertThat(table.crc(i)).isEqualTo(crc(start, Math.min(CHUNK, TILED - start)));
    }
    assertThat(digest)
        .isEqualTo(new ShardDigest(bytes.length, TILED, crc(TILED, TAIL), table.digest()));
  }

  @Test
  void anOutputThatNeverEndedItsTilesHasNoTail() throws IOException {
    try (CheckpointStore.Sink sink = new FileStore(folder, false).create("whole")) {
      ChecksumOutput out = new ChecksumOutput(sink);
      out.write(ByteBuffer.wrap(bytes, 0, TILED));
      assertThat(out.digest()).isEqualTo(new ShardDigest(TILED, TILED, 0, table.digest()));
      assertThatThrownBy(out::chunks).isInstanceOf(IllegalStateException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anyRangeComesBack(boolean mmap) throws IOException {
    VerifiedInput in = open(mmap);
    int[] borders = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, TILED - 1, TILED, bytes.length};
    for (int from : borders) {
      for (int to : borders) {
        if (from <= to) {
          ByteBuffer into = ByteBuffer.allocateDirect(to - from + 10).position(4);
          into.limit(4 + to - from);
          in.read(from, into);
          assertThat(into.hasRemaining()).isFalse();
          assertThat(into.position(4)).isEqualTo(ByteBuffer.wrap(bytes, from, to - from));
          if (mmap && from < to) {
            assertThat(in.map(from, to - from)).contains(ByteBuffer.wrap(bytes, from, to - from));
          }
        }
      }
    }
    assertThatThrownBy(() -> in.read(bytes.length, ByteBuffer.allocate(1)))
        .isInstanceOf(CheckpointException.Corrupt.class);
    assertThatThrownBy(() -> in.read(-1, ByteBuffer.allocate(1)))
        .isInstanceOf(CheckpointException.Corrupt.class);
    assertThatThrownBy(() -> in.read(Long.MAX_VALUE, ByteBuffer.allocate(1)))
        .isInstanceOf(CheckpointException.Corrupt.class);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aCorruptChunkIsNamedAndTheOthersAreReadable(boolean mmap) throws IOException {
    for (int flipped : new int[] {0, CHUNK - 1, CHUNK, TILED - 1, TILED, bytes.length - 1}) {
      damage(flipped);
      VerifiedInput in = open(mmap);
      int chunk = flipped >= TILED ? 5 : flipped / CHUNK;
      int start = chunk == 5 ? TILED : chunk * CHUNK;
      for (int from : new int[] {start, flipped, Math.max(0, start - 1)}) {
        assertThatThrownBy(
                () -> in.read(from, ByteBuffer.allocate(Math.min(CHUNK, bytes.length - from))))
            .isInstanceOf(CheckpointException.Corrupt.class)
            .hasMessageContaining("shard")
            .hasMessageContaining("chunk " + chunk + " (bytes " + start + " to ");
      }
      if (mmap) {
        assertThatThrownBy(() -> in.map(flipped, 1))
            .isInstanceOf(CheckpointException.Corrupt.class);
      }
      ByteBuffer other = ByteBuffer.allocate(100);
      int at = chunk == 2 ? 0 : 2 * CHUNK + 5;
      in.read(at, other);
      assertThat(other.flip()).isEqualTo(ByteBuffer.wrap(bytes, at, 100));
      damage(flipped);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void verifyFindsAllCorruptChunksOfItsRangesWithAnyNumberOfThreads(boolean mmap)
      throws IOException {
    damage(CHUNK + 7);
    damage(TILED + 1);
    for (int threads : new int[] {1, 2, 9}) {
      VerifiedInput in = open(mmap);
      List<String> problems = in.problems(new long[] {0, bytes.length}, threads);
      assertThat(problems).hasSize(2);
      assertThat(problems.get(0)).contains("shard: chunk 1 ");
      assertThat(problems.get(1)).contains("shard: chunk 5 ");
      assertThatThrownBy(() -> in.verifyAll(threads))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("chunk 1 ")
          .hasMessageContaining("1 more");
      in.verify(new long[] {0, CHUNK, 3, 3, 2 * CHUNK, TILED}, threads);
      assertThatThrownBy(() -> in.verify(new long[] {0, CHUNK + 1}, threads))
          .isInstanceOf(CheckpointException.Corrupt.class);
    }
  }

  @Test
  void aProvedMapIsNotProvedAgain() throws IOException {
    VerifiedInput in = open(true);
    in.verifyAll(2);
    damage(5);
    // the reader trusts its proof; a new one does not
    in.read(0, ByteBuffer.allocate(CHUNK));
    assertThatThrownBy(() -> open(true).verifyAll(1))
        .isInstanceOf(CheckpointException.Corrupt.class);
  }

  @Test
  void withoutAMapEachReadIsProvedAnew() throws IOException {
    VerifiedInput in = open(false);
    in.verifyAll(2);
    damage(5);
    assertThatThrownBy(() -> in.read(0, ByteBuffer.allocate(CHUNK)))
        .isInstanceOf(CheckpointException.Corrupt.class);
    assertThatThrownBy(() -> in.read(0, ByteBuffer.allocate(10)))
        .isInstanceOf(CheckpointException.Corrupt.class);
  }

  @Test
  void smallReadsInOneChunkFetchItOnce() throws IOException {
    FileStore store = new FileStore(folder, false);
    VerifiedInput in =
        new VerifiedInput(StoreInput.open(store, "shard", bytes.length), table, digest);
    long before = store.read.get();
    for (int at = 0; at < CHUNK; at += 1000) {
      in.read(at, ByteBuffer.allocate(10));
    }
    assertThat(store.read.get() - before).isEqualTo(CHUNK);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void manyThreadsReadAtOnce(boolean mmap) throws Exception {
    VerifiedInput in = open(mmap);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<Boolean>> reads =
          IntStream.range(0, 400)
              .mapToObj(
                  i ->
                      threads.submit(
                          () -> {
                            Random random = new Random(i);
                            int from = random.nextInt(bytes.length);
                            int count = random.nextInt(Math.min(50_000, bytes.length - from));
                            ByteBuffer into = ByteBuffer.allocate(count);
                            in.read(from, into);
                            return Arrays.equals(
                                into.array(), Arrays.copyOfRange(bytes, from, from + count));
                          }))
              .toList();
      for (Future<Boolean> read : reads) {
        assertThat(read.get()).isTrue();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aMapInSmallWindowsGivesTheSameBytes() throws IOException {
    StoreInput raw = new StoreInput(new FileStore(folder, true), "shard", bytes.length, 2 * CHUNK);
    assertThat(raw.map(2 * CHUNK - 1, 2)).isEmpty();
    VerifiedInput in = new VerifiedInput(raw, table, digest);
    in.verifyAll(2);
    ByteBuffer all = ByteBuffer.allocate(bytes.length);
    in.read(0, all);
    assertThat(Arrays.equals(all.array(), bytes)).isTrue();
  }

  @Test
  void aFileOfAnotherLengthIsRefused() {
    FileStore store = new FileStore(folder, true);
    for (long wrong : new long[] {0, 1, bytes.length - 1, bytes.length + 1, 1L << 40}) {
      assertThatThrownBy(() -> StoreInput.open(store, "shard", wrong))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("shard is")
          .hasMessageContaining(wrong < bytes.length ? "longer" : "shorter");
    }
    assertThatThrownBy(() -> StoreInput.open(store, "none", 3))
        .isInstanceOf(NoSuchFileException.class);
  }

  private VerifiedInput open(boolean mmap) throws IOException {
    FileStore store = new FileStore(folder, mmap);
    return new VerifiedInput(StoreInput.open(store, "shard", bytes.length), table, digest);
  }

  /** Flips a bit on disk; a second time it flips it back. */
  private void damage(int at) throws IOException {
    Path file = folder.resolve("shard");
    byte[] found = Files.readAllBytes(file);
    found[at] ^= 0x10;
    Files.write(file, found);
  }

  private int crc(int start, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, start, length);
    return (int) crc.getValue();
  }
}
