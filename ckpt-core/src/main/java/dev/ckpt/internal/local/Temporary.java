package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.UUID;
import java.util.regex.Pattern;

/** A file that no listing shows, in the folder where its contents are to appear. */
final class Temporary {

  private static final Pattern NAME = Pattern.compile("\\.tmp-[0-9a-f-]{36}");

  /**
   * JDK channels copy heap buffers to direct ones of the same size and keep those: bounded here.
   */
  private static final int HEAP_WINDOW = 1 << 20;

  private static final int ATTEMPTS = 1000;

  private final Disk disk;
  private final Path path;
  private final FileChannel channel;

  private Temporary(Disk disk, Path path, FileChannel channel) {
    this.disk = disk;
    this.path = path;
    this.channel = channel;
  }

  /** Creates one, and the folder if need be. */
  static Temporary in(Path folder, Folders folders, Disk disk) throws IOException {
    for (int attempt = 1; ; attempt++) {
      Path path = newName(folder);
      try {
        folders.create(folder);
        return new Temporary(disk, path, disk.createFile(path));
      } catch (NoSuchFileException | FileAlreadyExistsException e) {
        // a deletion may empty and remove the folder at any moment before the file stands in it
        if (attempt == ATTEMPTS) {
          throw e;
        }
      } catch (AccessDeniedException e) {
        throw e.getReason() != null ? e : folders.noRight(e);
      }
    }
  }

  static Path newName(Path folder) {
    return folder.resolve(".tmp-" + UUID.randomUUID());
  }

  static boolean isTemporary(Path path) {
    return NAME.matcher(path.getFileName().toString()).matches();
  }

  Path path() {
    return path;
  }

  void write(ByteBuffer... sources) throws IOException {
    long total = 0;
    long onHeap = 0;
    for (ByteBuffer source : sources) {
      total += source.remaining();
      onHeap += source.isDirect() ? 0 : source.remaining();
    }
    if (onHeap <= HEAP_WINDOW) {
      writeFully(sources, total);
      return;
    }
    for (ByteBuffer source : sources) {
      int window = source.isDirect() ? source.remaining() : HEAP_WINDOW;
      while (source.hasRemaining()) {
        ByteBuffer slice = source.slice();
        slice.limit(Math.min(window, slice.limit()));
        int length = slice.remaining();
        writeFully(new ByteBuffer[] {slice}, length);
        source.position(source.position() + length);
      }
    }
  }

  private void writeFully(ByteBuffer[] sources, long total) throws IOException {
    long left = total;
    while (left > 0) {
      left -= disk.write(path, channel, sources);
    }
  }

  /** Makes what was written so far durable; on an error the file must be given up for good. */
  void force(boolean metadata) throws IOException {
    disk.force(path, channel, metadata);
  }

  void close() throws IOException {
    channel.close();
  }

  /** Closes and removes it, as far as possible; {@link PosixStore#sweep} gets the rest. */
  void discard() {
    try {
      channel.close();
    } catch (IOException e) {
      // it is given up anyway
    }
    try {
      disk.delete(path);
    } catch (IOException e) {
      // already gone, or left to sweep
    }
  }
}
