package dev.ckpt.internal.local;

import dev.ckpt.spi.CheckpointStore.LockHeldException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A lock of the operating system on a hidden file, whose text tells who holds it.
 *
 * <p>POSIX drops a process's locks on a file when the process closes <em>any</em> descriptor of it.
 * So this JVM's own locks are kept in a table, and a file that stands there is never opened again.
 * The table is the system properties, of which there is one for all class loaders. The locked byte
 * lies far behind the text, because Windows lets nobody read a locked range.
 */
final class FolderLock implements Closeable {

  private static final long LOCKED_BYTE = Long.MAX_VALUE - 1;
  private static final int MOST_TEXT = 1024;
  private static final String HERE = "dev.ckpt.lock.";

  private final String name;
  private final FileChannel channel;
  private final FileLock lock;
  private final AtomicBoolean closed = new AtomicBoolean();

  private FolderLock(String name, FileChannel channel, FileLock lock) {
    this.name = name;
    this.channel = channel;
    this.lock = lock;
  }

  static FolderLock take(Path file, String key, String holder, Disk disk) throws IOException {
    String line = holder.strip().replaceAll("\\R", " ");
    // a path alone is no name: several file systems have the same
    String name = HERE + file.toUri();
    Object other = System.getProperties().putIfAbsent(name, line);
    if (other != null) {
      throw new LockHeldException(key + " is locked by this process already: " + other);
    }
    FolderLock taken = null;
    try {
      taken = take(file, name, key, line, disk);
      return taken;
    } finally {
      if (taken == null) {
        System.getProperties().remove(name);
      }
    }
  }

  private static FolderLock take(Path file, String name, String key, String line, Disk disk)
      throws IOException {
    FileChannel channel = disk.openLockFile(file);
    try {
      FileLock lock = channel.tryLock(LOCKED_BYTE, 1, false);
      if (lock == null) {
        throw new LockHeldException(key + " is locked by another process: " + text(channel));
      }
      channel.truncate(0);
      try {
        channel.write(StandardCharsets.UTF_8.encode(line), 0);
      } catch (IOException e) {
        // on a full disk: whoever makes room needs the lock, and only people need its text
        channel.truncate(0);
      }
      FolderLock taken = new FolderLock(name, channel, lock);
      channel = null;
      return taken;
    } catch (OverlappingFileLockException e) {
      throw new LockHeldException(key + " is locked by another class loader of this process");
    } finally {
      if (channel != null) {
        channel.close();
      }
    }
  }

  private static String text(FileChannel channel) throws IOException {
    ByteBuffer text = ByteBuffer.allocate(MOST_TEXT);
    int length = channel.read(text, 0);
    return length <= 0 ? "it left no name" : StandardCharsets.UTF_8.decode(text.flip()).toString();
  }

  @Override
  public void close() throws IOException {
    if (closed.compareAndSet(false, true)) {
      try (channel) {
        channel.truncate(0);
        lock.release();
      } finally {
        System.getProperties().remove(name);
      }
    }
  }
}
