package dev.ckpt.spi;

import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Where checkpoints live: a flat space of immutable objects under slash-separated keys. The
 * contract is the common ground of POSIX folders and object stores: no rename, no append, no
 * overwrite, no shared memory, no clock of another machine.
 *
 * <p>A key is one or more segments of {@code [A-Za-z0-9._-]} joined by {@code /}; no segment begins
 * with a dot or is longer than 240 characters, no key than 900 (see {@link #requireKey}). A key is
 * never also a folder of another: callers do not use {@code a} beside {@code a/b}. Objects appear
 * whole or not at all: a key that {@link #list} or {@link #read} shows holds all its bytes, and
 * keeps them until it is deleted.
 *
 * <p>Errors: a missing key is {@link java.nio.file.NoSuchFileException}; a key of a wrong form is
 * {@link IllegalArgumentException}; everything else is an {@link IOException}. After an {@code
 * IOException} from {@link #putIfAbsent} or {@link Sink#complete} the object may exist or not: the
 * caller reads, then decides. All methods may be called from any thread, also at once, and may
 * block as long as the medium does: never call one on a training thread.
 *
 * <p>The contract is held by {@code CheckpointStoreContract} in {@code ckpt-testkit}.
 */
public interface CheckpointStore extends Closeable {

  /** The most bytes {@link #putIfAbsent} takes. */
  int MAX_SMALL_OBJECT = 8 << 20;

  /** Names this store in messages and tells two stores apart; without credentials. */
  URI uri();

  /**
   * Creates a small object, durably, unless the key exists. Of several callers at once exactly one
   * gets {@link Decision#CREATED}. When this returns, with either answer, the object that stands
   * under the key survives a loss of power.
   *
   * @param small its remaining bytes, at most {@link #MAX_SMALL_OBJECT}; position is not changed
   */
  Decision putIfAbsent(String key, ByteBuffer small) throws IOException;

  /**
   * Begins a large object. Nothing is visible under the key before {@link Sink#complete()}, which
   * fails if the key exists by then.
   */
  Sink create(String key) throws IOException;

  /**
   * Reads from {@code offset} on into {@code into}, as many bytes as fit or are there.
   *
   * @return number of bytes read: less than {@code into.remaining()} only at the object's end; 0 at
   *     or behind it
   * @throws java.nio.file.NoSuchFileException if there is no such key
   */
  int read(String key, long offset, ByteBuffer into) throws IOException;

  /**
   * A read-only view of a range that costs no heap, where the medium offers it (mmap). The caller
   * falls back to {@link #read}.
   *
   * @param length at most {@link Integer#MAX_VALUE}
   * @throws java.io.EOFException if the range goes behind the object's end
   */
  default Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    return Optional.empty();
  }

  /**
   * Objects whose keys begin with {@code prefix} and are greater than {@code after}, sorted by the
   * UTF-8 bytes of the key. Lists every object that was complete before the call and is not deleted
   * meanwhile. The caller closes the stream; an error on the way is an {@link
   * java.io.UncheckedIOException}.
   *
   * @param prefix empty, or ending in {@code /}
   * @param after empty for all
   */
  Stream<Entry> list(String prefix, String after) throws IOException;

  /**
   * The segments that follow {@code prefix} in the keys of objects below it: the folders right
   * there, sorted. One whose contents this process may not list is there, too.
   *
   * @param prefix empty, or ending in {@code /}
   */
  default List<String> folders(String prefix) throws IOException {
    List<String> folders = new ArrayList<>();
    for (String after = ""; ; ) {
      Optional<String> next;
      try (Stream<Entry> entries = list(prefix, after)) {
        next =
            entries
                .map(entry -> entry.key().substring(prefix.length()))
                .filter(rest -> rest.indexOf('/') > 0)
                .map(rest -> rest.substring(0, rest.indexOf('/')))
                .findFirst();
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
      if (next.isEmpty()) {
        Collections.sort(folders);
        return folders;
      }
      folders.add(next.get());
      // '0' follows '/': behind all keys in that folder
      after = prefix + next.get() + "0";
    }
  }

  /** Deletes these keys; one that does not exist is no error. Not atomic. */
  void delete(Collection<String> keys) throws IOException;

  /** Bytes that can still be written, if the medium knows. */
  default Optional<Long> usableBytes() throws IOException {
    return Optional.empty();
  }

  /** The store's own clock: the one that {@link Entry#modified()} is measured by. */
  Instant now() throws IOException;

  /**
   * Removes what unfinished {@link Sink}s under {@code prefix} left behind if it is older than
   * {@code before}: temporary files, multipart uploads. Never touches a visible object.
   *
   * @return how many it removed
   */
  default int sweep(String prefix, Instant before) throws IOException {
    return 0;
  }

  /**
   * Takes an advisory lock that ends with this process at the latest, where the medium offers one;
   * else a lock that guards nothing.
   *
   * @param holder one line that tells a human who holds it
   * @throws LockHeldException if another process has it
   */
  default Closeable lock(String key, String holder) throws IOException {
    return () -> {};
  }

  /** Closes the store; sinks that are still open are aborted. Idempotent. */
  @Override
  void close() throws IOException;

  /**
   * Checks the form of a key; every store calls this first.
   *
   * @return the key
   * @throws IllegalArgumentException if it is no key
   */
  static String requireKey(String key) {
    if (key.isEmpty() || key.length() > 900 || key.charAt(key.length() - 1) == '/') {
      throw new IllegalArgumentException(
          "no key: '" + key + "': 1 to 900 characters are needed, the last of them no slash");
    }
    int start = 0;
    for (int i = 0; i < key.length(); i++) {
      char c = key.charAt(i);
      boolean plain =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '_'
              || c == '-'
              || (c == '.' && i > start);
      if (c == '/' && i > start) {
        start = i + 1;
      } else if (!plain || i - start >= 240) {
        throw new IllegalArgumentException(
            "no key: '"
                + key
                + "': at index "
                + i
                + ", segments of A-Z a-z 0-9 . _ - are allowed,"
                + " 1 to 240 characters each, not beginning with a dot");
      }
    }
    return key;
  }

  /**
   * Checks the form of a prefix to {@link #list} or {@link #sweep}.
   *
   * @return the prefix
   * @throws IllegalArgumentException if it is neither empty nor a key followed by a slash
   */
  static String requirePrefix(String prefix) {
    if (!prefix.isEmpty()) {
      if (!prefix.endsWith("/")) {
        throw new IllegalArgumentException("no prefix: '" + prefix + "': it must end in a slash");
      }
      requireKey(prefix.substring(0, prefix.length() - 1));
    }
    return prefix;
  }

  /** The answer to {@link #putIfAbsent}. */
  enum Decision {
    /** This call created the object. */
    CREATED,
    /** The key existed; nothing was changed. */
    EXISTS
  }

  /**
   * An object as listed.
   *
   * @param key its key
   * @param length its size in bytes
   * @param modified a moment between the beginning of the object or of its sink and its becoming
   *     visible, by the store's clock
   */
  record Entry(String key, long length, Instant modified) {}

  /** A large object being written, by one thread at a time. */
  interface Sink extends Closeable {

    /** Appends the remaining bytes of all buffers, in order, and consumes them. */
    void write(ByteBuffer... sources) throws IOException;

    /**
     * Makes the object durable and visible. After this only {@link #close()} may be called.
     *
     * @throws java.nio.file.FileAlreadyExistsException if the key exists
     */
    void complete() throws IOException;

    /** Gives the object up and removes what was written, as far as possible. Idempotent. */
    void abort();

    /** Aborts, unless {@link #complete()} returned. */
    @Override
    void close();
  }

  /** The lock belongs to another process; the message says to whom. */
  final class LockHeldException extends IOException {
    private static final long serialVersionUID = 1L;

    public LockHeldException(String message) {
      super(message);
    }
  }
}
