package dev.ckpt.internal.mend;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.Optional;

/**
 * Copies of damaged objects, byte for byte, below {@code quarantine/}. An object is removed from
 * its place only after the copy was read back and found equal. A key that is taken by other bytes,
 * from an earlier damage, is left; the copy gets a number. For one thread.
 */
final class Quarantine {

  private static final String FURTHER = ".copy-";
  private static final int WINDOW = 1 << 20;
  private static final int MOST_COPIES = 1000;

  private final CheckpointStore store;
  private final Keys keys;
  private final ByteBuffer one = ByteBuffer.allocate(WINDOW);
  private final ByteBuffer two = ByteBuffer.allocate(WINDOW);

  Quarantine(CheckpointStore store, Keys keys) {
    this.store = store;
    this.keys = keys;
  }

  /** Whether a key is that of a copy, or of a further one of the same object. */
  static boolean isCopy(String key, String copy) {
    return key.equals(copy) || key.startsWith(copy + FURTHER);
  }

  /**
   * Copies an object, durably; one that is not there is none to copy.
   *
   * @throws IOException if the store fails; then nothing may be removed
   */
  void keep(Optional<CheckpointId> id, String key) throws IOException {
    String base = keys.quarantined(id, key);
    try {
      for (int number = 1; number < MOST_COPIES; number++) {
        String copy = number == 1 ? base : base + FURTHER + number;
        if (equal(key, copy) || (!exists(copy) && written(key, copy))) {
          return;
        }
      }
    } catch (NoSuchFileException e) {
      if (exists(key)) {
        throw e;
      }
      return;
    }
    throw new IOException(key + ": there are " + MOST_COPIES + " copies of it under " + base);
  }

  private boolean written(String key, String copy) throws IOException {
    int read = store.read(key, 0, one.clear());
    if (read < WINDOW) {
      store.putIfAbsent(copy, one.flip());
    } else {
      try (CheckpointStore.Sink sink = store.create(copy)) {
        for (long at = read; read > 0; at += read) {
          sink.write(one.flip());
          read = store.read(key, at, one.clear());
        }
        sink.complete();
      }
    }
    if (!equal(key, copy)) {
      throw new IOException(copy + " was just copied from " + key + " and differs: bad medium?");
    }
    return true;
  }

  private boolean exists(String key) throws IOException {
    try {
      store.read(key, 0, ByteBuffer.allocate(1));
      return true;
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /** False, too, if there is no copy. */
  private boolean equal(String key, String copy) throws IOException {
    for (long at = 0; ; at += WINDOW) {
      int read = store.read(key, at, one.clear());
      try {
        store.read(copy, at, two.clear());
      } catch (NoSuchFileException e) {
        return false;
      }
      if (!one.flip().equals(two.flip())) {
        return false;
      }
      if (read < WINDOW) {
        return true;
      }
    }
  }
}
