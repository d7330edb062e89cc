package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Decision;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.Optional;

/**
 * Small objects, with the one rule about doubt: after an error the write may have happened, so it
 * is read back before anything is decided, and as long as it cannot be read nothing is concluded.
 */
public final class Records {

  /** What stands under the key now. */
  public enum Outcome {
    /** What was to be written; by whom does not matter. */
    OURS,
    /** Something else, which was there before. */
    OTHER
  }

  private static final int TRIES = 3;

  private final CheckpointStore store;

  public Records(CheckpointStore store) {
    this.store = store;
  }

  /**
   * Writes a record unless its key is taken.
   *
   * @throws CheckpointException.CommitUnknown if it may have been written and cannot be read back
   * @throws IOException if it was certainly not written
   */
  public Outcome put(String key, byte[] bytes) throws IOException {
    IOException failure = null;
    for (int attempt = 0; attempt < TRIES; attempt++) {
      try {
        if (store.putIfAbsent(key, ByteBuffer.wrap(bytes)) == Decision.CREATED) {
          return Outcome.OURS;
        }
      } catch (IOException e) {
        failure = e;
      }
      Optional<byte[]> present = readBack(key, failure);
      if (present.isPresent()) {
        return Arrays.equals(present.get(), bytes) ? Outcome.OURS : Outcome.OTHER;
      }
    }
    throw failure == null ? new IOException(key + " exists and does not: unusable store") : failure;
  }

  /**
   * Reads a record.
   *
   * @return empty if there is no such key
   */
  public Optional<byte[]> read(String key) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(4 << 10);
    try {
      while (true) {
        int read = store.read(key, bytes.position(), bytes);
        if (bytes.hasRemaining() || read == 0) {
          return Optional.of(Arrays.copyOf(bytes.array(), bytes.position()));
        }
        if (bytes.capacity() > CheckpointStore.MAX_SMALL_OBJECT) {
          throw new CheckpointException.Corrupt(
              key + " is longer than any record: it is foreign or damaged");
        }
        bytes = ByteBuffer.allocate(bytes.capacity() * 4).put(bytes.flip());
      }
    } catch (NoSuchFileException e) {
      return Optional.empty();
    }
  }

  private Optional<byte[]> readBack(
      String key, @org.jspecify.annotations.Nullable IOException why) {
    try {
      return read(key);
    } catch (IOException e) {
      if (why != null) {
        e.addSuppressed(why);
      }
      throw new CheckpointException.CommitUnknown(
          key
              + " may or may not have been written, and cannot be read back; nothing is cleaned up,"
              + " the next start finds out",
          e);
    }
  }
}
