package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Removes old temporary files; follows no links. */
final class Sweep extends SimpleFileVisitor<Path> {

  private final Instant before;
  private final Set<Path> inUse;
  private final Disk disk;
  private final Set<Path> touched = new LinkedHashSet<>();
  private int removed;

  Sweep(Instant before, Set<Path> inUse, Disk disk) {
    this.before = before;
    this.inUse = inUse;
    this.disk = disk;
  }

  /** The folders it removed files from. */
  Set<Path> touched() {
    return touched;
  }

  int removed() {
    return removed;
  }

  @Override
  public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
    if (attributes.isRegularFile()
        && Temporary.isTemporary(file)
        && attributes.lastModifiedTime().toInstant().isBefore(before)
        && !inUse.contains(file)) {
      try {
        disk.delete(file);
        removed++;
        touched.add(Folders.parent(file));
      } catch (NoSuchFileException e) {
        // its writer ended just now
      }
    }
    return FileVisitResult.CONTINUE;
  }

  @Override
  public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
    if (e instanceof NoSuchFileException) {
      return FileVisitResult.CONTINUE;
    }
    throw e;
  }

  @Override
  public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e)
      throws IOException {
    if (e == null || e instanceof NoSuchFileException) {
      return FileVisitResult.CONTINUE;
    }
    throw e;
  }
}
