package dev.ckpt.testkit;

import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.DiskNode.File;
import dev.ckpt.testkit.DiskNode.Folder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** An open file or folder. An interrupt closes it, as it does those of the JDK. */
final class CrashingChannel extends FileChannel {

  private static final int TRANSFER = 1 << 20;

  private final CrashingFileSystem disk;
  private final Path path;
  private final DiskNode node;
  private final boolean readable;
  private final boolean writable;
  private final boolean append;
  private final boolean deletes;
  private long position;

  CrashingChannel(
      CrashingFileSystem disk, Path path, DiskNode node, Set<? extends OpenOption> options) {
    this.disk = disk;
    this.path = path;
    this.node = node;
    this.append = options.contains(StandardOpenOption.APPEND);
    this.writable = append || options.contains(StandardOpenOption.WRITE);
    this.readable = options.contains(StandardOpenOption.READ) || !writable;
    this.deletes = options.contains(StandardOpenOption.DELETE_ON_CLOSE);
    disk.handles().opened(this, "channel of " + path);
  }

  private <T> T call(Operation operation, DiskAction<T> action) throws IOException {
    boolean done = false;
    try {
      begin();
      T result = disk.call(operation, path, action);
      done = true;
      return result;
    } finally {
      end(done);
    }
  }

  private File file() throws IOException {
    if (node instanceof File file) {
      return file;
    }
    throw new FileSystemException(path.toString(), null, "Is a directory");
  }

  private void requireOpen() throws IOException {
    if (!isOpen()) {
      throw new java.nio.channels.ClosedChannelException();
    }
  }

  // ---- reading

  @Override
  public int read(ByteBuffer into, long from) throws IOException {
    requireOpen();
    if (!readable) {
      throw new NonReadableChannelException();
    }
    File file = file();
    byte[] bytes = new byte[into.remaining()];
    int count =
        call(
            Operation.READ,
            () -> from >= file.length() && bytes.length > 0 ? -1 : file.read(from, bytes));
    if (count > 0) {
      into.put(bytes, 0, count);
    }
    return count;
  }

  @Override
  public synchronized int read(ByteBuffer into) throws IOException {
    int count = read(into, position);
    position += Math.max(0, count);
    return count;
  }

  @Override
  public synchronized long read(ByteBuffer[] into, int offset, int length) throws IOException {
    long total = 0;
    for (ByteBuffer each : List.of(into).subList(offset, offset + length)) {
      if (each.hasRemaining()) {
        int count = read(each);
        if (count < 0) {
          return total == 0 ? -1 : total;
        }
        total += count;
        if (each.hasRemaining()) {
          break;
        }
      }
    }
    return total;
  }

  // ---- writing

  /** A write of all bytes in one call, at a position, or at the end if it is negative. */
  private final class Write implements DiskAction<Integer> {
    private final File file;
    private final byte[] bytes;
    private final long at;

    Write(File file, byte[] bytes, long at) {
      this.file = file;
      this.bytes = bytes;
      this.at = at;
    }

    private int write(int count) {
      file.write(at < 0 ? file.length() : at, Arrays.copyOf(bytes, count));
      file.modified = disk.tree().now();
      return count;
    }

    @Override
    public Integer run() {
      return write(bytes.length);
    }

    @Override
    public void half() {
      write(bytes.length / 2);
    }

    @Override
    public Integer shorter() {
      return write((bytes.length + 1) / 2);
    }
  }

  private int write(byte[] bytes, long at) throws IOException {
    requireOpen();
    if (!writable) {
      throw new NonWritableChannelException();
    }
    return call(Operation.WRITE, new Write(file(), bytes, at));
  }

  @Override
  public int write(ByteBuffer source, long at) throws IOException {
    byte[] bytes = new byte[source.remaining()];
    source.duplicate().get(bytes);
    int count = write(bytes, append ? -1 : at);
    source.position(source.position() + count);
    return count;
  }

  @Override
  public int write(ByteBuffer source) throws IOException {
    return (int) write(new ByteBuffer[] {source}, 0, 1);
  }

  @Override
  public synchronized long write(ByteBuffer[] sources, int offset, int length) throws IOException {
    List<ByteBuffer> all = List.of(sources).subList(offset, offset + length);
    ByteBuffer joined = ByteBuffer.allocate(all.stream().mapToInt(ByteBuffer::remaining).sum());
    all.forEach(each -> joined.put(each.duplicate()));
    int count = write(joined.array(), append ? -1 : position);
    position = append ? size() : position + count;
    int left = count;
    for (ByteBuffer each : all) {
      int taken = Math.min(left, each.remaining());
      each.position(each.position() + taken);
      left -= taken;
    }
    return count;
  }

  @Override
  public synchronized FileChannel truncate(long size) throws IOException {
    requireOpen();
    if (!writable) {
      throw new NonWritableChannelException();
    }
    File file = file();
    call(
        Operation.TRUNCATE,
        () -> {
          file.truncate((int) Math.min(size, file.length()));
          return size;
        });
    position = Math.min(position, size);
    return this;
  }

  @Override
  public void force(boolean metadata) throws IOException {
    requireOpen();
    if (node instanceof Folder folder) {
      call(
          Operation.FORCE_FOLDER,
          () -> {
            disk.tree().force(folder);
            return folder;
          });
      return;
    }
    File file = file();
    call(
        Operation.FORCE,
        new DiskAction<File>() {
          @Override
          public File run() {
            file.force();
            return file;
          }

          @Override
          public void half() {
            file.forceHalf();
          }

          @Override
          public void fail() {
            file.failForce();
          }
        });
  }

  // ---- the rest

  @Override
  public synchronized long position() throws IOException {
    requireOpen();
    return position;
  }

  @Override
  public synchronized FileChannel position(long at) throws IOException {
    requireOpen();
    position = at;
    return this;
  }

  @Override
  public long size() throws IOException {
    requireOpen();
    return call(Operation.LOOK, () -> node instanceof File file ? (long) file.length() : 0L);
  }

  @Override
  public long transferTo(long from, long count, WritableByteChannel target) throws IOException {
    long moved = 0;
    while (moved < count) {
      ByteBuffer window = ByteBuffer.allocate((int) Math.min(count - moved, TRANSFER));
      if (read(window, from + moved) <= 0) {
        break;
      }
      window.flip();
      while (window.hasRemaining()) {
        moved += target.write(window);
      }
    }
    return moved;
  }

  @Override
  public long transferFrom(ReadableByteChannel source, long at, long count) throws IOException {
    long moved = 0;
    while (moved < count) {
      ByteBuffer window = ByteBuffer.allocate((int) Math.min(count - moved, TRANSFER));
      if (source.read(window) <= 0) {
        break;
      }
      window.flip();
      while (window.hasRemaining()) {
        moved += write(window, at + moved);
      }
    }
    return moved;
  }

  @Override
  public MappedByteBuffer map(MapMode mode, long from, long size) {
    throw new UnsupportedOperationException("a crashing file system maps no memory");
  }

  @Override
  public FileLock lock(long from, long size, boolean shared) throws IOException {
    return Objects.requireNonNull(tryLock(from, size, shared));
  }

  /** All lockers are one process, so an overlap is an exception, as in one JVM. */
  @Override
  public @Nullable FileLock tryLock(long from, long size, boolean shared) throws IOException {
    requireOpen();
    File file = file();
    return call(
        Operation.LOCK,
        () -> {
          if (file.locks.stream().anyMatch(lock -> lock.overlaps(from, size))) {
            throw new OverlappingFileLockException();
          }
          Lock lock = new Lock(file, from, size, shared);
          file.locks.add(lock);
          return lock;
        });
  }

  /** A range of this channel's file. */
  final class Lock extends FileLock {
    private final File file;

    private Lock(File file, long from, long size, boolean shared) {
      super(CrashingChannel.this, from, size, shared);
      this.file = file;
    }

    @Override
    public boolean isValid() {
      synchronized (disk.tree()) {
        return file.locks.contains(this);
      }
    }

    @Override
    public void release() {
      synchronized (disk.tree()) {
        file.locks.remove(this);
      }
    }
  }

  /** Works on a dead file system, too: the operating system closes what a process had open. */
  @Override
  protected void implCloseChannel() throws IOException {
    disk.handles().closed(this);
    synchronized (disk.tree()) {
      if (node instanceof File file) {
        file.locks.removeIf(lock -> lock.acquiredBy() == this);
      }
    }
    if (deletes) {
      Files.deleteIfExists(path);
    }
  }
}
