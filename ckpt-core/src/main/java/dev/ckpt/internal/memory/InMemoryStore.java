package dev.ckpt.internal.memory;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.time.Clock;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentNavigableMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** A store in the heap. What it holds goes with it; its locks hold within it. */
public final class InMemoryStore implements CheckpointStore {

  private static final AtomicLong NUMBER = new AtomicLong();

  private record Stored(Slabs bytes, Instant modified) {}

  private final URI uri = URI.create("memory:" + NUMBER.incrementAndGet());
  private final Clock clock;
  private final ConcurrentNavigableMap<String, Stored> objects = new ConcurrentSkipListMap<>();
  private final Map<String, String> locks = new ConcurrentHashMap<>();
  private final Set<MemorySink> sinks = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  public InMemoryStore(Clock clock) {
    this.clock = clock;
  }

  @Override
  public URI uri() {
    return uri;
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    requireOpen(CheckpointStore.requireKey(key));
    if (small.remaining() > MAX_SMALL_OBJECT) {
      throw new IllegalArgumentException(
          key
              + " has "
              + small.remaining()
              + " bytes: more than "
              + MAX_SMALL_OBJECT
              + " need a sink");
    }
    Slabs bytes = new Slabs();
    bytes.append(small.duplicate());
    return publish(key, bytes) ? Decision.CREATED : Decision.EXISTS;
  }

  private boolean publish(String key, Slabs bytes) throws IOException {
    requireNoFolder(key);
    bytes.trim();
    return objects.putIfAbsent(key, new Stored(bytes, clock.instant())) == null;
  }

  /** As strict as a file system, so that what runs here runs there. */
  private void requireNoFolder(String key) throws IOException {
    String below = objects.ceilingKey(key + "/");
    boolean isFolder = below != null && below.startsWith(key + "/");
    for (int i = key.indexOf('/'); i >= 0 && !isFolder; i = key.indexOf('/', i + 1)) {
      isFolder = objects.containsKey(key.substring(0, i));
    }
    if (isFolder) {
      throw new FileSystemException(key, null, "one object's key cannot be a folder of another");
    }
  }

  @Override
  public Sink create(String key) throws IOException {
    requireOpen(CheckpointStore.requireKey(key));
    requireNoFolder(key);
    MemorySink sink = new MemorySink(key);
    sinks.add(sink);
    return sink;
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    return bytes(key, offset).read(offset, into);
  }

  /** Offered for ranges that do not straddle two slabs. */
  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    if (length < 0 || length > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("cannot map " + length + " bytes at once");
    }
    Slabs bytes = bytes(key, offset);
    if (bytes.length() - offset < length) {
      throw new EOFException(
          key + " ends at " + bytes.length() + ", before " + offset + " + " + length);
    }
    return bytes.view(offset, (int) length);
  }

  private Slabs bytes(String key, long offset) throws IOException {
    requireOpen(CheckpointStore.requireKey(key));
    if (offset < 0) {
      throw new IllegalArgumentException("offset " + offset);
    }
    Stored stored = objects.get(key);
    if (stored == null) {
      throw new NoSuchFileException(key, null, "not in " + uri);
    }
    return stored.bytes();
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    requireOpen(CheckpointStore.requirePrefix(prefix));
    // keys are ASCII: the order of strings is the order of their UTF-8 bytes
    boolean fromPrefix = prefix.compareTo(after) > 0;
    return objects.tailMap(fromPrefix ? prefix : after, fromPrefix).entrySet().stream()
        .takeWhile(e -> e.getKey().startsWith(prefix))
        .map(e -> new Entry(e.getKey(), e.getValue().bytes().length(), e.getValue().modified()));
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    for (String key : keys) {
      CheckpointStore.requireKey(key);
    }
    for (String key : keys) {
      requireOpen(key);
      objects.remove(key);
    }
  }

  @Override
  public Instant now() throws IOException {
    requireOpen("the clock");
    return clock.instant();
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    requireOpen(CheckpointStore.requireKey(key));
    String other = locks.putIfAbsent(key, holder);
    if (other != null) {
      throw new LockHeldException(key + " is locked by this process already: " + other);
    }
    AtomicBoolean released = new AtomicBoolean();
    return () -> {
      if (released.compareAndSet(false, true)) {
        locks.remove(key);
      }
    };
  }

  @Override
  public void close() {
    closed = true;
    sinks.forEach(MemorySink::abort);
  }

  private void requireOpen(String what) throws IOException {
    if (closed) {
      throw new IOException("the store " + uri + " is closed; asked for " + what);
    }
  }

  @Override
  public String toString() {
    return uri.toString();
  }

  private final class MemorySink implements Sink {

    private final String key;
    private final AtomicBoolean ended = new AtomicBoolean();
    private final Slabs bytes = new Slabs();

    MemorySink(String key) {
      this.key = key;
    }

    @Override
    public void write(ByteBuffer... sources) {
      if (ended.get()) {
        throw new IllegalStateException("the sink of " + key + " has ended");
      }
      for (ByteBuffer source : sources) {
        bytes.append(source);
      }
    }

    @Override
    public void complete() throws IOException {
      if (!ended.compareAndSet(false, true)) {
        throw new IllegalStateException("the sink of " + key + " has ended");
      }
      sinks.remove(this);
      if (!publish(key, bytes)) {
        throw new FileAlreadyExistsException(key, null, "objects are never overwritten");
      }
    }

    @Override
    public void abort() {
      ended.set(true);
      sinks.remove(this);
    }

    @Override
    public void close() {
      abort();
    }
  }
}
