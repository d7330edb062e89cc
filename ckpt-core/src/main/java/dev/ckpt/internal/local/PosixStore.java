package dev.ckpt.internal.local;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * A store in a folder: a key is a path below it, an object one file.
 *
 * <p><b>Publishing.</b> Bytes go to a temporary file in the folder where they are to appear; it is
 * forced; then it gets its name by a hard link, which the system refuses if the name exists; the
 * temporary name is removed; the folder is forced, and those that lead to it. So a name that stands
 * there holds all its bytes, whoever dies when, and of many writers one wins. If the link is
 * refused, the two names are compared: if they are one file, the answer to this very link had been
 * lost (NFS), and it had succeeded.
 *
 * <p><b>Without hard links</b> (exFAT, some network and user-space file systems; tried once, before
 * the first write) the temporary file is renamed to its name instead, after a look whether the name
 * is free. Look and rename are one step for all processes by a lock of the operating system, which
 * dies with its holder. So here, too, nothing torn is ever visible and nothing is overwritten, as
 * long as the file system keeps locks; one that refuses them is refused.
 *
 * <p><b>Interrupts.</b> The JDK closes a file channel when its thread is interrupted, so an
 * interrupted thread gets {@link java.nio.channels.ClosedByInterruptException}, and keeps its
 * interrupt status. The sink it was writing is lost and can only be aborted, which works on an
 * interrupted thread; no channel is shared, so no other thread notices. A {@link #putIfAbsent} cut
 * short this way is as ambiguous as any other that throws.
 *
 * <p>The root is created by the first write: to look at a folder that does not exist makes none.
 */
public final class PosixStore implements CheckpointStore {

  private static final Duration CLOCK_TRUSTED = Duration.ofMinutes(1);
  private static final int HEAP_WINDOW = 1 << 20;

  private final Path root;
  private final URI uri;
  private final Disk disk;
  private final Folders folders;
  private final Publisher publisher;
  private final Set<PosixSink> sinks = ConcurrentHashMap.newKeySet();
  private final ExecutorService forcing;
  private volatile boolean closed;
  private volatile @Nullable Clock clock;

  private record Clock(Duration ahead, long measuredNanos) {}

  /** A store in a folder, which need not exist. */
  public static PosixStore in(Path folder) throws IOException {
    return new PosixStore(folder, new Disk());
  }

  PosixStore(Path folder, Disk disk) throws IOException {
    this.root = realPath(folder.toAbsolutePath());
    if (Files.exists(root) && !Files.isDirectory(root)) {
      throw new FileSystemException(
          root.toString(), null, "a store is a folder, but this is a file");
    }
    String text = root.toUri().toString();
    this.uri = URI.create(text.endsWith("/") ? text.substring(0, text.length() - 1) : text);
    this.disk = disk;
    this.folders = new Folders(root, disk);
    this.publisher = new Publisher(root, folders, disk);
    this.forcing =
        new ThreadPoolExecutor(
            0,
            Integer.MAX_VALUE,
            5,
            TimeUnit.SECONDS,
            new SynchronousQueue<>(),
            task -> {
              Thread thread = new Thread(task, "ckpt-write-back");
              thread.setDaemon(true);
              return thread;
            });
  }

  /** The same folder gives the same path before and after it was created. */
  private static Path realPath(Path path) throws IOException {
    if (Files.exists(path)) {
      return path.toRealPath();
    }
    Path plain = path.normalize();
    return realPath(Folders.parent(plain)).resolve(plain.getFileName());
  }

  @Override
  public URI uri() {
    return uri;
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    Path target = path(key);
    if (small.remaining() > MAX_SMALL_OBJECT) {
      throw new IllegalArgumentException(
          key
              + " has "
              + small.remaining()
              + " bytes: more than "
              + MAX_SMALL_OBJECT
              + " need a sink");
    }
    if (!isObject(target)) {
      Temporary temporary = publisher.temporary(target);
      try {
        temporary.write(small.duplicate());
        temporary.force(true);
        temporary.close();
        if (publisher.publish(temporary.path(), target)) {
          return Decision.CREATED;
        }
      } finally {
        temporary.discard();
      }
    }
    publisher.makeDurable(target);
    return Decision.EXISTS;
  }

  @Override
  public Sink create(String key) throws IOException {
    Path target = path(key);
    Temporary temporary = publisher.temporary(target);
    PosixSink sink = new PosixSink(publisher, key, target, temporary, forcing, sinks::remove);
    sinks.add(sink);
    if (closed) {
      sink.abort();
      requireOpen();
    }
    return sink;
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    Path file = existing(key, offset);
    long length = length(key, file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      int start = into.position();
      int end = into.limit();
      // an object has the length that it had a moment ago: no look behind its end is needed
      int wanted = start + (int) Math.min(end - start, Math.max(0, length - offset));
      try {
        while (into.position() < wanted) {
          // a heap buffer is read through a direct one, which the JDK keeps: bounded
          int left = wanted - into.position();
          into.limit(into.position() + (into.isDirect() ? left : Math.min(left, HEAP_WINDOW)));
          if (channel.read(into, offset + (into.position() - start)) < 0) {
            break;
          }
        }
      } finally {
        into.limit(end);
      }
      return into.position() - start;
    } catch (IOException e) {
      throw named(key, e);
    }
  }

  /** What the system says of a bad sector names no file. */
  private static IOException named(String key, IOException e) {
    return e instanceof FileSystemException || e instanceof ClosedChannelException
        ? e
        : new IOException("cannot read " + key + ": " + e.getMessage(), e);
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    if (length < 0 || length > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("cannot map " + length + " bytes at once");
    }
    Path file = existing(key, offset);
    length(key, file);
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      if (channel.size() - offset < length) {
        throw new EOFException(
            key + " ends at " + channel.size() + ", before " + offset + " + " + length);
      }
      return Optional.of(channel.map(FileChannel.MapMode.READ_ONLY, offset, length));
    } catch (UnsupportedOperationException e) {
      return Optional.empty();
    } catch (EOFException e) {
      throw e;
    } catch (IOException e) {
      throw named(key, e);
    }
  }

  /** Where an object is read from; whether it is there, and no link, is {@link #length}'s. */
  private Path existing(String key, long offset) throws IOException {
    if (offset < 0) {
      throw new IllegalArgumentException("offset " + offset);
    }
    CheckpointStore.requireKey(key);
    requireOpen();
    Path file = root.resolve(key);
    folders.requireNoLinks(Folders.parent(file));
    return file;
  }

  private long length(String key, Path file) throws IOException {
    Optional<BasicFileAttributes> there = Folders.attributes(file);
    if (there.isPresent() && there.get().isRegularFile()) {
      return there.get().size();
    }
    folders.requireNoLinks(file);
    throw new NoSuchFileException(key, null, "not in " + uri);
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    requireOpen();
    Path start = folder(prefix);
    Listing listing = new Listing(start, prefix, after);
    int traits = Spliterator.ORDERED | Spliterator.DISTINCT | Spliterator.NONNULL;
    return StreamSupport.stream(Spliterators.spliteratorUnknownSize(listing, traits), false);
  }

  /** A folder that holds no object is none of a key. */
  @Override
  public List<String> folders(String prefix) throws IOException {
    requireOpen();
    return Listing.folders(folder(prefix), prefix);
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    Set<Path> files = new LinkedHashSet<>();
    for (String key : keys) {
      files.add(path(key));
    }
    Set<Path> touched = new LinkedHashSet<>();
    for (Path file : files) {
      if (isObject(file)) {
        try {
          disk.delete(file);
          touched.add(Folders.parent(file));
        } catch (NoSuchFileException e) {
          // somebody else deleted it
        }
      }
    }
    removeEmpty(touched);
  }

  private void removeEmpty(Set<Path> touched) throws IOException {
    Set<Path> left = new LinkedHashSet<>();
    for (Path folder : touched) {
      left.add(folders.prune(folder));
    }
    for (Path folder : left) {
      try {
        disk.forceFolder(folder);
      } catch (NoSuchFileException e) {
        // removed meanwhile, and by then empty
      }
    }
  }

  @Override
  public int sweep(String prefix, Instant before) throws IOException {
    requireOpen();
    Path start = folder(prefix);
    if (!Files.isDirectory(start)) {
      return 0;
    }
    Set<Path> mine = sinks.stream().map(PosixSink::temporary).collect(Collectors.toSet());
    Sweep sweep = new Sweep(before, mine, disk);
    Files.walkFileTree(start, sweep);
    removeEmpty(sweep.touched());
    return sweep.removed();
  }

  @Override
  public Optional<Long> usableBytes() throws IOException {
    requireOpen();
    Path there = root;
    while (!Files.exists(there) && there.getParent() != null) {
      there = there.getParent();
    }
    FileStore fileStore = Files.getFileStore(there);
    long bytes = fileStore.getUsableSpace();
    // a file system of nothing at all does not know its size (FUSE without statfs)
    return bytes < 0 || fileStore.getTotalSpace() == 0 ? Optional.empty() : Optional.of(bytes);
  }

  /** Measured on a fresh file, then carried on by the system's clock for a minute. */
  @Override
  public Instant now() throws IOException {
    requireOpen();
    Clock known = clock;
    if (known == null || System.nanoTime() - known.measuredNanos() > CLOCK_TRUSTED.toNanos()) {
      Temporary fresh = Temporary.in(root, folders, disk);
      try {
        Instant there = Files.getLastModifiedTime(fresh.path()).toInstant();
        known = new Clock(Duration.between(Instant.now(), there), System.nanoTime());
        clock = known;
      } finally {
        fresh.discard();
      }
    }
    return Instant.now().plus(known.ahead());
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    Path beside = path(key);
    folders.create(Folders.parent(beside));
    return FolderLock.take(
        beside.resolveSibling(".lock-" + beside.getFileName()), key, holder, disk);
  }

  @Override
  public void close() {
    closed = true;
    sinks.forEach(PosixSink::abort);
    forcing.shutdown();
  }

  private void requireOpen() throws IOException {
    if (closed) {
      throw new IOException("the store " + uri + " is closed");
    }
  }

  private Path path(String key) throws IOException {
    CheckpointStore.requireKey(key);
    requireOpen();
    Path path = root.resolve(key);
    folders.requireNoLinks(path);
    return path;
  }

  private Path folder(String prefix) throws IOException {
    CheckpointStore.requirePrefix(prefix);
    Path folder = prefix.isEmpty() ? root : root.resolve(prefix.substring(0, prefix.length() - 1));
    folders.requireNoLinks(folder);
    return folder;
  }

  private static boolean isObject(Path file) throws IOException {
    return Folders.attributes(file).map(BasicFileAttributes::isRegularFile).orElse(false);
  }

  @Override
  public String toString() {
    return uri.toString();
  }
}
