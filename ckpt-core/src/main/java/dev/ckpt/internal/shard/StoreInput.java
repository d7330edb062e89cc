package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The bytes of an object as the store gives them, not verified. Where the store maps, the object is
 * mapped in windows that are kept: one call into the store for each {@link #WINDOW}. The store must
 * stay open as long as this is in use; maps end when they are no longer reachable.
 */
public final class StoreInput implements ShardFormat.Input {

  /** A multiple of the chunk size, so that a chunk never lies in two windows. */
  private static final long WINDOW = 1L << 30;

  private final CheckpointStore store;
  private final String key;
  private final long length;
  private final long window;
  private final AtomicReferenceArray<ByteBuffer> windows;
  private volatile boolean mapped = true;

  StoreInput(CheckpointStore store, String key, long length, long window) {
    this.store = store;
    this.key = key;
    this.length = length;
    this.window = window;
    this.windows = new AtomicReferenceArray<>(Math.toIntExact((length + window - 1) / window));
  }

  /**
   * The same without maps. A map ends only when the collector runs, and until then the file's space
   * stays taken although it was deleted: not for what reads files that may go soon.
   */
  public StoreInput unmapped() {
    StoreInput plain = new StoreInput(store, key, length, window);
    plain.mapped = false;
    return plain;
  }

  /**
   * Opens an object and proves its length.
   *
   * @param length what the manifest says
   * @throws CheckpointException.Corrupt if the object is shorter or longer
   * @throws IllegalArgumentException if the length is negative
   * @throws java.nio.file.NoSuchFileException if there is no such key
   */
  public static StoreInput open(CheckpointStore store, String key, long length) throws IOException {
    if (length < 0) {
      throw new IllegalArgumentException(key + ": a length of " + length);
    }
    // one request asks both: is the last byte there, and is it the last
    int wanted = length == 0 ? 0 : 1;
    int there = store.read(key, length - wanted, ByteBuffer.allocate(2));
    if (there != wanted) {
      throw new CheckpointException.Corrupt(
          key
              + (there < wanted ? " is shorter" : " is longer")
              + " than the "
              + length
              + " bytes that were committed: it was cut or replaced");
    }
    return new StoreInput(store, key, length, WINDOW);
  }

  @Override
  public String name() {
    return key;
  }

  @Override
  public long length() {
    return length;
  }

  @Override
  public void read(long position, ByteBuffer into) throws IOException {
    Ranges.check(this, position, into.remaining());
    while (into.hasRemaining()) {
      int read = store.read(key, position, into);
      if (read <= 0) {
        throw new CheckpointException.Corrupt(
            key + " ends at byte " + position + " of " + length + ": it was cut");
      }
      position += read;
    }
  }

  /** Empty, too, for a range that spans two windows. */
  @Override
  public Optional<ByteBuffer> map(long position, long bytes) throws IOException {
    Ranges.check(this, position, bytes);
    if (!mapped || bytes == 0 || position / window != (position + bytes - 1) / window) {
      return Optional.empty();
    }
    int index = (int) (position / window);
    ByteBuffer whole = windows.get(index);
    if (whole == null) {
      long start = index * window;
      Optional<ByteBuffer> made = store.map(key, start, Math.min(window, length - start));
      if (made.isEmpty()) {
        mapped = false;
        return Optional.empty();
      }
      whole = made.get().asReadOnlyBuffer();
      windows.set(index, whole);
    }
    return Optional.of(
        whole.slice((int) (position % window), (int) bytes).order(ByteOrder.LITTLE_ENDIAN));
  }
}
