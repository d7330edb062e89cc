package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Gives finished files their names, as the head of {@link PosixStore} tells. */
final class Publisher {

  /** Guards look and rename within this JVM, where a file lock does not. */
  private static final Object RENAMING = new Object();

  private final Path root;
  private final Folders folders;
  private final Disk disk;
  private volatile @Nullable Boolean hardLinks;

  Publisher(Path root, Folders folders, Disk disk) {
    this.root = root;
    this.folders = folders;
    this.disk = disk;
  }

  /** A temporary file beside {@code target}. */
  Temporary temporary(Path target) throws IOException {
    Optional<BasicFileAttributes> there = Folders.attributes(target);
    if (there.isPresent() && !there.get().isRegularFile()) {
      throw new FileSystemException(
          target.toString(), null, "the key needs a file here, but this is none");
    }
    Temporary temporary = Temporary.in(Folders.parent(target), folders, disk);
    if (hardLinks == null) {
      try {
        hardLinks = tryHardLink(temporary.path());
      } catch (IOException e) {
        temporary.discard();
        throw e;
      }
    }
    return temporary;
  }

  /**
   * A link that fails while the same name can be given to a new file shows that only links are
   * lacking here; anything else, such as a full disk, is an error.
   */
  private boolean tryHardLink(Path existing) throws IOException {
    Path name = Temporary.newName(Folders.parent(existing));
    try {
      disk.link(existing, name);
    } catch (UnsupportedOperationException | FileSystemException e) {
      disk.createFile(name).close();
      disk.delete(name);
      return false;
    }
    disk.delete(name);
    return true;
  }

  /** Gives the file its name, durably. False if the name exists. */
  boolean publish(Path temporary, Path target) throws IOException {
    if (Boolean.TRUE.equals(hardLinks)) {
      if (!link(temporary, target)) {
        return false;
      }
    } else if (!renameIfFree(temporary, target)) {
      return false;
    }
    folders.force(Folders.parent(target));
    return true;
  }

  private boolean link(Path temporary, Path target) throws IOException {
    try {
      disk.link(temporary, target);
    } catch (FileAlreadyExistsException e) {
      if (!isSameFile(temporary, target)) {
        return false;
      }
    }
    try {
      disk.delete(temporary);
    } catch (IOException e) {
      // a second name for the object, which nobody sees and sweep removes
    }
    return true;
  }

  private static boolean isSameFile(Path temporary, Path target) throws IOException {
    try {
      return Files.isSameFile(temporary, target);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  private boolean renameIfFree(Path temporary, Path target) throws IOException {
    synchronized (RENAMING) {
      try (FileChannel channel = disk.openLockFile(root.resolve(".publishing"))) {
        FileLock lock = channel.lock();
        try {
          if (Files.exists(target, LinkOption.NOFOLLOW_LINKS)) {
            return false;
          }
          disk.rename(temporary, target);
          return true;
        } finally {
          lock.release();
        }
      } catch (OverlappingFileLockException e) {
        throw new IOException(
            "another class loader of this process is publishing in " + root + "; try again", e);
      }
    }
  }

  /** Makes an object durable whose writer may be, or may have died, between its link and force. */
  void makeDurable(Path target) throws IOException {
    Path folder = Folders.parent(target);
    try {
      disk.forceFile(target);
      folders.distrust(folder);
      folders.force(folder);
    } catch (NoSuchFileException e) {
      // it existed, and was deleted meanwhile
    }
  }
}
