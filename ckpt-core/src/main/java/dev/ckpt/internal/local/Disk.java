package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** Every step that changes the medium, one method each, so that tests see and disturb them. */
class Disk {

  private static final FileAttribute<?>[] NONE = {};
  private static final FileAttribute<?>[] FOLDER = {
    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
  };
  private static final FileAttribute<?>[] FILE = {
    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
  };

  void createFolder(Path folder) throws IOException {
    Files.createDirectory(folder, hasPermissions(folder) ? FOLDER : NONE);
  }

  FileChannel createFile(Path file) throws IOException {
    return FileChannel.open(
        file,
        Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
        hasPermissions(file) ? FILE : NONE);
  }

  FileChannel openLockFile(Path file) throws IOException {
    return FileChannel.open(
        file,
        Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
        hasPermissions(file) ? FILE : NONE);
  }

  long write(Path file, FileChannel channel, ByteBuffer[] sources) throws IOException {
    return channel.write(sources);
  }

  void force(Path file, FileChannel channel, boolean metadata) throws IOException {
    channel.force(metadata);
  }

  /** Makes durable what another writer may have written a moment ago. */
  void forceFile(Path file) throws IOException {
    // Windows flushes only through a handle that may write; elsewhere the right to read is enough
    StandardOpenOption mode =
        hasPermissions(file) ? StandardOpenOption.READ : StandardOpenOption.WRITE;
    try (FileChannel channel = FileChannel.open(file, mode)) {
      channel.force(true);
    }
  }

  /**
   * Makes the entries of a folder durable. Only POSIX systems open a folder like a file; Windows
   * has no such call, and there this does nothing.
   */
  void forceFolder(Path folder) throws IOException {
    if (hasPermissions(folder)) {
      try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
        channel.force(true);
      }
    }
  }

  void link(Path existing, Path name) throws IOException {
    Files.createLink(name, existing);
  }

  /** Moves within a folder; what stands at {@code to} may be replaced. */
  void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Deletes a file, or a folder that is empty. */
  void delete(Path path) throws IOException {
    Files.delete(path);
  }

  private static boolean hasPermissions(Path path) {
    return path.getFileSystem().supportedFileAttributeViews().contains("posix");
  }
}
