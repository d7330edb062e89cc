package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.LongConsumer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Gives only bytes that match their checksum: whoever reads a byte has the whole chunk around it
 * proved. The tail counts as one more chunk.
 *
 * <p>A mapped file is proved once, and a bitmap remembers the chunk. The pages that are copied
 * later are those that were checksummed as long as the system keeps them; under memory pressure it
 * may drop clean pages and read them anew, and a medium that decays in between is not noticed.
 * Without a map every read fetches bytes anew, so every read proves them anew: a chunk that is
 * wanted whole goes straight to its destination and is checked there, of others a copy is made; a
 * few of these copies are kept, because small tensors that lie in one chunk are read one after the
 * other.
 *
 * <p>Thread-safe.
 */
public final class VerifiedInput implements ShardFormat.Input {

  private static final int KEPT = 8;

  /** How many chunks a scan takes at once: each read of a store costs a request, or an open. */
  private static final int RUN = 4;

  /**
   * One buffer for a run of chunks that outlives its scan: what is allocated outside the heap comes
   * back only when the collector runs, and after each save one is needed.
   */
  private static final AtomicReference<@Nullable ByteBuffer> SPARE = new AtomicReference<>();

  private final ShardFormat.Input raw;
  private final ChunkTable table;
  private final ShardDigest digest;
  private final AtomicLongArray proved;
  private final AtomicReferenceArray<@Nullable Copy> kept = new AtomicReferenceArray<>(KEPT);

  /** A chunk's proved bytes, from index 0 on. Whoever uses it takes it out of {@link #kept}. */
  private record Copy(int chunk, ByteBuffer bytes) {}

  /**
   * @param raw bytes as they are on the medium
   * @param table checksums of the tiled part, itself proved
   * @param digest what was committed
   */
  public VerifiedInput(ShardFormat.Input raw, ChunkTable table, ShardDigest digest) {
    if (table.length() != digest.tailStart() || raw.length() != digest.length()) {
      throw new CheckpointException.Corrupt(
          raw.name()
              + ": its "
              + raw.length()
              + " bytes and the checksums of "
              + table.length()
              + " do not fit what was committed, "
              + digest);
    }
    this.raw = raw;
    this.table = table;
    this.digest = digest;
    this.proved = new AtomicLongArray(chunks() / 64 + 1);
  }

  @Override
  public String name() {
    return raw.name();
  }

  @Override
  public long length() {
    return raw.length();
  }

  @Override
  public void read(long position, ByteBuffer into) throws IOException {
    Ranges.check(this, position, into.remaining());
    while (into.hasRemaining()) {
      int chunk = chunkAt(position);
      int within = (int) (position - start(chunk));
      int bytes = Math.min(into.remaining(), bytes(chunk) - within);
      Optional<ByteBuffer> mapped = raw.map(start(chunk), bytes(chunk));
      if (mapped.isPresent()) {
        proveOnce(chunk, mapped.get());
        copy(mapped.get(), within, bytes, into);
      } else if (bytes == bytes(chunk)) {
        ByteBuffer piece = into.slice(into.position(), bytes);
        raw.read(position, piece);
        prove(chunk, piece.flip());
        into.position(into.position() + bytes);
      } else {
        readPart(chunk, within, bytes, into);
      }
      position += bytes;
    }
  }

  private void readPart(int chunk, int within, int bytes, ByteBuffer into) throws IOException {
    int slot = chunk % KEPT;
    Copy copy = kept.getAndSet(slot, null);
    if (copy == null || copy.chunk != chunk) {
      ByteBuffer fresh =
          copy != null && copy.bytes.capacity() >= bytes(chunk)
              ? copy.bytes
              : ByteBuffer.allocateDirect(Math.max(bytes(chunk), chunkCapacity()));
      fresh.clear().limit(bytes(chunk));
      raw.read(start(chunk), fresh);
      prove(chunk, fresh.flip());
      copy = new Copy(chunk, fresh);
    }
    copy(copy.bytes, within, bytes, into);
    kept.set(slot, copy);
  }

  private int chunkCapacity() {
    return (int) Math.min(ChunkTable.CHUNK_BYTES, table.length());
  }

  private static void copy(ByteBuffer from, int at, int bytes, ByteBuffer into) {
    into.put(into.position(), from, at, bytes);
    into.position(into.position() + bytes);
  }

  /** Proves the chunks that the range touches; then as the raw input's map. */
  @Override
  public Optional<ByteBuffer> map(long position, long bytes) throws IOException {
    Optional<ByteBuffer> mapped = raw.map(position, bytes);
    if (mapped.isPresent()) {
      for (int chunk = chunkAt(position); start(chunk) < position + bytes; chunk++) {
        Optional<ByteBuffer> around = raw.map(start(chunk), bytes(chunk));
        if (around.isEmpty()) {
          return Optional.empty();
        }
        proveOnce(chunk, around.get());
        if (chunk == chunks() - 1) {
          break;
        }
      }
    }
    return mapped;
  }

  /**
   * Compares every byte of the chunks that these ranges touch with its checksum.
   *
   * @param ranges {@code [start, end)} pairs, as {@link ShardFormat.Reader#ranges} gives them
   * @param threads how many work at it, this one included
   * @throws CheckpointException.Corrupt on the first corrupt chunk, saying how many there are
   * @throws IOException if the bytes could not be read
   */
  public void verify(long[] ranges, int threads) throws IOException {
    List<String> problems = problems(ranges, threads);
    if (!problems.isEmpty()) {
      throw new CheckpointException.Corrupt(
          problems.get(0)
              + (problems.size() == 1 ? "" : "; and " + (problems.size() - 1) + " more like it"));
    }
  }

  /** As {@link #verify}, for the whole file. */
  public void verifyAll(int threads) throws IOException {
    verify(new long[] {0, length()}, threads);
  }

  /** As {@link #verify}, but returns one sentence for each corrupt chunk, in their order. */
  public List<String> problems(long[] ranges, int threads) throws IOException {
    return problems(ranges, threads, bytes -> {});
  }

  /**
   * As {@link #problems(long[], int)}, for the whole file.
   *
   * @param onBytes told of bytes that were compared, on any of the threads
   */
  public List<String> problems(int threads, LongConsumer onBytes) throws IOException {
    return problems(new long[] {0, length()}, threads, onBytes);
  }

  private List<String> problems(long[] ranges, int threads, LongConsumer onBytes)
      throws IOException {
    BitSet wanted = new BitSet(chunks());
    for (int i = 0; i < ranges.length; i += 2) {
      Ranges.check(this, ranges[i], ranges[i + 1] - ranges[i]);
      if (ranges[i] < ranges[i + 1]) {
        wanted.set(chunkAt(ranges[i]), chunkAt(ranges[i + 1] - 1) + 1);
      }
    }
    return new Scan(wanted.stream().toArray(), onBytes).run(threads);
  }

  /** One pass over chunks by several threads, each taking the next that nobody has taken. */
  private final class Scan {
    private final int[] wanted;
    private final LongConsumer onBytes;
    private final AtomicInteger next = new AtomicInteger();
    private final List<Found> found = Collections.synchronizedList(new ArrayList<>());
    private volatile @Nullable Throwable failure;

    private record Found(int chunk, String problem) {}

    Scan(int[] wanted, LongConsumer onBytes) {
      this.wanted = wanted;
      this.onBytes = onBytes;
    }

    List<String> run(int threads) throws IOException {
      int helpers = Math.min(threads, wanted.length) - 1;
      List<Thread> started = new ArrayList<>();
      for (int i = 0; i < helpers; i++) {
        Thread thread = new Thread(this::work, "ckpt-verify-" + (i + 1));
        thread.setDaemon(true);
        thread.start();
        started.add(thread);
      }
      work();
      join(started);
      Throwable thrown = failure;
      if (thrown instanceof IOException e) {
        throw e;
      } else if (thrown != null) {
        throw new IOException(name() + ": verifying failed", thrown);
      }
      return found.stream()
          .sorted((a, b) -> Integer.compare(a.chunk, b.chunk))
          .map(Found::problem)
          .toList();
    }

    private void join(List<Thread> started) throws IOException {
      for (Thread thread : started) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          next.set(wanted.length);
          Thread.currentThread().interrupt();
          throw new IOException(name() + ": interrupted while verifying", e);
        }
      }
    }

    // what a helper throws must reach the caller, whatever it is
    @SuppressWarnings("CatchingUnchecked")
    private void work() {
      ByteBuffer scratch = null;
      try {
        for (int i = next.getAndAdd(RUN); i < wanted.length; i = next.getAndAdd(RUN)) {
          int end = Math.min(i + RUN, wanted.length);
          while (i < end && mapped(wanted[i])) {
            i++;
          }
          while (i < end) {
            int count = 1;
            while (i + count < end && wanted[i + count] == wanted[i] + count) {
              count++;
            }
            scratch = fetched(wanted[i], count, scratch);
            i += count;
          }
        }
      } catch (Throwable e) {
        failure = e;
        next.set(wanted.length);
      } finally {
        if (scratch != null) {
          SPARE.set(scratch);
        }
      }
    }

    /** Proves a chunk where it is mapped; false if it is not. */
    private boolean mapped(int chunk) throws IOException {
      Optional<ByteBuffer> mapped = raw.map(start(chunk), bytes(chunk));
      mapped.ifPresent(
          bytes -> {
            try {
              proveOnce(chunk, bytes);
            } catch (CheckpointException.Corrupt e) {
              found.add(new Found(chunk, String.valueOf(e.getMessage())));
            }
            onBytes.accept(bytes(chunk));
          });
      return mapped.isPresent();
    }

    /** Reads chunks that lie one behind the other at once, and proves each. */
    private ByteBuffer fetched(int first, int count, @Nullable ByteBuffer old) throws IOException {
      int last = first + count - 1;
      int bytes = Math.toIntExact(start(last) + bytes(last) - start(first));
      ByteBuffer scratch = old != null ? old : SPARE.getAndSet(null);
      if (scratch == null || scratch.capacity() < bytes) {
        scratch = ByteBuffer.allocateDirect(bytes);
      }
      try {
        raw.read(start(first), scratch.clear().limit(bytes));
      } catch (CheckpointException.Corrupt e) {
        found.add(new Found(first, String.valueOf(e.getMessage())));
        return scratch;
      }
      for (int chunk = first; chunk <= last; chunk++) {
        try {
          prove(chunk, scratch.slice((int) (start(chunk) - start(first)), bytes(chunk)));
        } catch (CheckpointException.Corrupt e) {
          found.add(new Found(chunk, String.valueOf(e.getMessage())));
        }
      }
      onBytes.accept(bytes);
      return scratch;
    }
  }

  /** Chunks of the tiled part, then the tail, if there is one. */
  private int chunks() {
    return table.size() + (digest.tailStart() < digest.length() ? 1 : 0);
  }

  private int chunkAt(long position) {
    return position >= table.length() ? table.size() : (int) (position / ChunkTable.CHUNK_BYTES);
  }

  private long start(int chunk) {
    return chunk == table.size() ? table.length() : (long) chunk * ChunkTable.CHUNK_BYTES;
  }

  private int bytes(int chunk) {
    long end =
        chunk == table.size()
            ? length()
            : Math.min(table.length(), start(chunk) + ChunkTable.CHUNK_BYTES);
    return Math.toIntExact(end - start(chunk));
  }

  private void proveOnce(int chunk, ByteBuffer mapped) {
    long bit = 1L << (chunk % 64);
    if ((proved.get(chunk / 64) & bit) == 0) {
      prove(chunk, mapped);
      proved.getAndAccumulate(chunk / 64, bit, (all, one) -> all | one);
    }
  }

  private void prove(int chunk, ByteBuffer bytes) {
    CRC32C crc = new CRC32C();
    int position = bytes.position();
    crc.update(bytes);
    bytes.position(position);
    int expected = chunk == table.size() ? digest.tailCrc() : table.crc(chunk);
    if ((int) crc.getValue() != expected) {
      throw new CheckpointException.Corrupt(
          String.format(
              Locale.ROOT,
              "%s: chunk %d (bytes %d to %d) is corrupt: CRC32C is %08x, %08x was written",
              name(),
              chunk,
              start(chunk),
              start(chunk) + bytes(chunk),
              (int) crc.getValue(),
              expected));
    }
  }
}
