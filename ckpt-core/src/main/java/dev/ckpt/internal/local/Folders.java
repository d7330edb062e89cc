package dev.ckpt.internal.local;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The folders of one store.
 *
 * <p>A folder's own entry stands in its parent, so a new file is durable only when the chain of
 * folders above it is. Each chain is forced once per store object, also where another process made
 * the folders: that one may have died before it forced them. What is known durable is remembered
 * with the folder's identity, so that a folder which was removed and made anew is forced again.
 */
final class Folders {

  private final Path root;
  private final Disk disk;

  /** The folders above the root whose entries this store made or may have made. */
  private final List<Path> aboveRoot = new ArrayList<>();

  private final ConcurrentHashMap<Path, Object> durable = new ConcurrentHashMap<>();

  Folders(Path root, Disk disk) {
    this.root = root;
    this.disk = disk;
    for (Path p = root; p != null && !Files.exists(p); p = p.getParent()) {
      if (p.getParent() != null) {
        aboveRoot.add(p.getParent());
      }
    }
  }

  /** Creates what is missing on the way to a folder of the store, without making it durable. */
  void create(Path folder) throws IOException {
    if (folder.equals(root)) {
      createRoot(root);
      return;
    }
    Optional<BasicFileAttributes> there = attributes(folder);
    if (there.isPresent()) {
      requireFolder(folder, there.get());
      requireNoLinks(parent(folder));
      return;
    }
    create(parent(folder));
    try {
      disk.createFolder(folder);
    } catch (FileAlreadyExistsException e) {
      Optional<BasicFileAttributes> now = attributes(folder);
      if (now.isPresent()) {
        requireFolder(folder, now.get());
      }
    } catch (AccessDeniedException e) {
      throw noRight(e);
    }
  }

  private void createRoot(Path path) throws IOException {
    if (Files.isDirectory(path)) {
      return;
    }
    Path parent = path.getParent();
    if (parent != null) {
      createRoot(parent);
    }
    try {
      disk.createFolder(path);
    } catch (FileAlreadyExistsException e) {
      if (!Files.isDirectory(path)) {
        throw new FileSystemException(
            path.toString(), null, "a folder is needed for the store, but this is a file");
      }
    } catch (AccessDeniedException e) {
      throw noRight(e);
    }
  }

  /** Makes the entries of a folder durable, and the folder with all that lead to it. */
  void force(Path folder) throws IOException {
    disk.forceFolder(folder);
    List<Path> forced = new ArrayList<>();
    for (Path f = folder; !f.equals(root) && !isKnownDurable(f); f = parent(f)) {
      disk.forceFolder(parent(f));
      forced.add(f);
    }
    if (!isKnownDurable(root)) {
      for (Path above : aboveRoot) {
        disk.forceFolder(above);
      }
      forced.add(root);
    }
    for (Path f : forced) {
      identity(f).ifPresent(identity -> durable.put(f, identity));
    }
  }

  /** Forgets what is known of the chain, so that the next {@link #force} forces all of it. */
  void distrust(Path folder) {
    for (Path f = folder; f.startsWith(root); f = parent(f)) {
      durable.remove(f);
      if (f.equals(root)) {
        return;
      }
    }
  }

  /** Removes a folder below the root if it is empty, then its parent, and so on. */
  Path prune(Path folder) throws IOException {
    Path f = folder;
    while (!f.equals(root)) {
      try {
        Optional<BasicFileAttributes> there = attributes(f);
        if (there.isPresent()) {
          requireFolder(f, there.get());
          disk.delete(f);
        }
      } catch (DirectoryNotEmptyException e) {
        return f;
      } catch (NoSuchFileException e) {
        // another process was quicker
      }
      durable.remove(f);
      f = parent(f);
    }
    return f;
  }

  /** Refuses a path that leads through a symbolic link somewhere below the root. */
  void requireNoLinks(Path path) throws IOException {
    for (Path p = path; !p.equals(root); p = parent(p)) {
      if (Files.isSymbolicLink(p)) {
        throw new FileSystemException(
            p.toString(),
            null,
            "a symbolic link inside a store is not followed; move the whole store and link its"
                + " root instead");
      }
    }
  }

  static Path parent(Path path) {
    Path parent = path.getParent();
    if (parent == null) {
      throw new IllegalArgumentException("has no folder above it: " + path);
    }
    return parent;
  }

  /** Attributes of the path itself, not of what a link points to; empty if nothing is there. */
  static Optional<BasicFileAttributes> attributes(Path path) throws IOException {
    try {
      return Optional.of(
          Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (FileSystemException e) {
      for (Path p = path.getParent(); p != null; p = p.getParent()) {
        if (Files.isRegularFile(p)) {
          return Optional.empty();
        }
      }
      throw e;
    }
  }

  FileSystemException noRight(AccessDeniedException cause) {
    FileSystemException explained =
        new AccessDeniedException(
            cause.getFile(),
            null,
            "no right to write there; give this user the right, or choose another folder than "
                + root
                + " for the store");
    explained.initCause(cause);
    return explained;
  }

  private void requireFolder(Path path, BasicFileAttributes there) throws IOException {
    if (there.isSymbolicLink()) {
      requireNoLinks(path);
    } else if (!there.isDirectory()) {
      throw new FileSystemException(
          path.toString(), null, "the key needs a folder here, but this is a file");
    }
  }

  private boolean isKnownDurable(Path folder) throws IOException {
    Object known = durable.get(folder);
    return known != null && identity(folder).map(known::equals).orElse(false);
  }

  private static Optional<Object> identity(Path folder) throws IOException {
    return attributes(folder).map(BasicFileAttributes::fileKey);
  }
}
