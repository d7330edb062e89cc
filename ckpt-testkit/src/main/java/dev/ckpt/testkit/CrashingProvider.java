package dev.ckpt.testkit;

import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.DiskNode.File;
import dev.ckpt.testkit.DiskNode.Folder;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessMode;
import java.nio.file.CopyOption;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileStore;
import java.nio.file.FileSystem;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.spi.FileSystemProvider;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The calls on a crashing file system. */
final class CrashingProvider extends FileSystemProvider {

  private static final Set<PosixFilePermission> FILE = PosixFilePermissions.fromString("rw-r--r--");
  private static final Set<PosixFilePermission> FOLDER =
      PosixFilePermissions.fromString("rwxr-xr-x");

  /** A name, and the folder that it stands in or would stand in. */
  private record Place(Folder folder, String name, @Nullable DiskNode node) {
    DiskNode existing(Path path) throws NoSuchFileException {
      DiskNode there = node;
      if (there == null) {
        throw new NoSuchFileException(path.toString());
      }
      return there;
    }
  }

  // ---- looking things up, with the tree's lock held

  private static CrashingFileSystem disk(Path path) {
    return CrashingPath.of(path).getFileSystem();
  }

  static DiskNode node(Path path) throws IOException {
    DiskNode node = disk(path).tree().root;
    for (String name : CrashingPath.of(path).fromRoot()) {
      if (!(node instanceof Folder folder)) {
        throw new FileSystemException(path.toString(), null, "Not a directory");
      }
      DiskNode next = folder.entries.get(name);
      if (next == null) {
        throw new NoSuchFileException(path.toString());
      }
      node = next;
    }
    return node;
  }

  private static Place place(Path path) throws IOException {
    Path plain = path.toAbsolutePath().normalize();
    Path parent = plain.getParent();
    Path name = plain.getFileName();
    if (parent == null || name == null) {
      throw new FileSystemException(path.toString(), null, "is the root");
    }
    if (!(node(parent) instanceof Folder folder)) {
      throw new FileSystemException(path.toString(), null, "Not a directory");
    }
    return new Place(folder, name.toString(), folder.entries.get(name.toString()));
  }

  private static Set<PosixFilePermission> permissions(
      FileAttribute<?>[] attributes, Set<PosixFilePermission> otherwise) {
    Set<PosixFilePermission> permissions = otherwise;
    for (FileAttribute<?> attribute : attributes) {
      if (!attribute.name().equals("posix:permissions")) {
        throw new UnsupportedOperationException(attribute.name());
      }
      permissions = EnumSet.noneOf(PosixFilePermission.class);
      for (Object each : (Collection<?>) attribute.value()) {
        permissions.add((PosixFilePermission) each);
      }
    }
    return permissions;
  }

  // ---- channels and streams

  @Override
  public SeekableByteChannel newByteChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    return newFileChannel(path, options, attributes);
  }

  @Override
  public FileChannel newFileChannel(
      Path path, Set<? extends OpenOption> options, FileAttribute<?>... attributes)
      throws IOException {
    CrashingFileSystem disk = disk(path);
    boolean write =
        options.contains(StandardOpenOption.WRITE) || options.contains(StandardOpenOption.APPEND);
    boolean fresh = write && options.contains(StandardOpenOption.CREATE_NEW);
    boolean create = write && options.contains(StandardOpenOption.CREATE);
    boolean there;
    synchronized (disk.tree()) {
      there = !(fresh || create) || place(path).node() != null;
    }
    DiskNode node =
        !there
            ? disk.call(
                Operation.CREATE,
                path,
                () -> {
                  Place place = place(path);
                  if (place.node() != null) {
                    throw new FileAlreadyExistsException(path.toString());
                  }
                  File made = disk.tree().newFile(permissions(attributes, FILE));
                  disk.tree().put(place.folder(), place.name(), made);
                  return made;
                })
            : disk.call(
                Operation.OPEN,
                path,
                () -> {
                  DiskNode existing = node(path);
                  if (fresh) {
                    throw new FileAlreadyExistsException(path.toString());
                  }
                  if (write && existing instanceof Folder) {
                    throw new FileSystemException(path.toString(), null, "Is a directory");
                  }
                  return existing;
                });
    CrashingChannel channel = new CrashingChannel(disk, path, node, options);
    if (there && write && options.contains(StandardOpenOption.TRUNCATE_EXISTING)) {
      channel.truncate(0);
    }
    return channel;
  }

  @Override
  public DirectoryStream<Path> newDirectoryStream(
      Path folder, DirectoryStream.Filter<? super Path> filter) throws IOException {
    CrashingFileSystem disk = disk(folder);
    List<Path> children =
        disk.call(
            Operation.LIST,
            folder,
            () -> {
              if (!(node(folder) instanceof Folder open)) {
                throw new NotDirectoryException(folder.toString());
              }
              return open.entries.keySet().stream().map(folder::resolve).toList();
            });
    return new Children(disk, folder, children, filter);
  }

  /** What stood in a folder when it was opened. */
  private static final class Children implements DirectoryStream<Path> {
    private final CrashingFileSystem disk;
    private final Iterator<Path> children;
    private boolean used;

    Children(
        CrashingFileSystem disk,
        Path folder,
        List<Path> children,
        DirectoryStream.Filter<? super Path> filter)
        throws IOException {
      this.disk = disk;
      List<Path> accepted = new java.util.ArrayList<>();
      for (Path child : children) {
        if (filter.accept(child)) {
          accepted.add(child);
        }
      }
      this.children = accepted.iterator();
      disk.handles().opened(this, "directory stream of " + folder);
    }

    @Override
    public Iterator<Path> iterator() {
      if (used) {
        throw new IllegalStateException("a directory stream is read once");
      }
      used = true;
      return new Iterator<>() {
        @Override
        public boolean hasNext() {
          return children.hasNext();
        }

        @Override
        public Path next() {
          if (!children.hasNext()) {
            throw new NoSuchElementException();
          }
          return children.next();
        }
      };
    }

    @Override
    public void close() {
      disk.handles().closed(this);
    }
  }

  // ---- changes of folders

  @Override
  public void createDirectory(Path path, FileAttribute<?>... attributes) throws IOException {
    CrashingFileSystem disk = disk(path);
    disk.call(
        Operation.MAKE_FOLDER,
        path,
        () -> {
          Place place = place(path);
          if (place.node() != null) {
            throw new FileAlreadyExistsException(path.toString());
          }
          Folder made = disk.tree().newFolder(permissions(attributes, FOLDER));
          disk.tree().put(place.folder(), place.name(), made);
          return made;
        });
  }

  @Override
  public void createLink(Path link, Path existing) throws IOException {
    CrashingFileSystem disk = disk(link);
    disk.call(
        Operation.LINK,
        link,
        () -> {
          DiskNode node = node(existing);
          Place place = place(link);
          if (place.node() != null) {
            throw new FileAlreadyExistsException(link.toString());
          }
          if (node instanceof Folder) {
            throw new FileSystemException(existing.toString(), null, "Operation not permitted");
          }
          disk.tree().put(place.folder(), place.name(), node);
          return node;
        });
  }

  @Override
  public void delete(Path path) throws IOException {
    CrashingFileSystem disk = disk(path);
    disk.call(
        Operation.DELETE,
        path,
        () -> {
          Place place = place(path);
          DiskNode node = place.existing(path);
          requireEmpty(path, node);
          disk.tree().put(place.folder(), place.name(), null);
          return node;
        });
  }

  private static void requireEmpty(Path path, DiskNode node) throws DirectoryNotEmptyException {
    if (node instanceof Folder folder && !folder.entries.isEmpty()) {
      throw new DirectoryNotEmptyException(path.toString());
    }
  }

  @Override
  public void move(Path from, Path to, CopyOption... options) throws IOException {
    CrashingFileSystem disk = disk(from);
    List<CopyOption> how = List.of(options);
    disk.call(
        Operation.MOVE,
        to,
        () -> {
          Place source = place(from);
          DiskNode node = source.existing(from);
          Place target = place(to);
          DiskNode before = target.node();
          if (before == node) {
            return node;
          }
          if (before != null
              && !how.contains(StandardCopyOption.ATOMIC_MOVE)
              && !how.contains(StandardCopyOption.REPLACE_EXISTING)) {
            throw new FileAlreadyExistsException(to.toString());
          }
          if (before != null) {
            requireEmpty(to, before);
          }
          disk.tree().rename(source.folder(), source.name(), target.folder(), target.name(), node);
          return node;
        });
  }

  @Override
  public void copy(Path from, Path to, CopyOption... options) throws IOException {
    if (List.of(options).contains(StandardCopyOption.REPLACE_EXISTING)) {
      Files.deleteIfExists(to);
    }
    if (Files.isDirectory(from)) {
      createDirectory(to);
      return;
    }
    try (FileChannel source = newFileChannel(from, Set.of(StandardOpenOption.READ));
        FileChannel target =
            newFileChannel(to, Set.of(StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW))) {
      source.transferTo(0, Long.MAX_VALUE, target);
    }
  }

  // ---- attributes

  @Override
  public boolean isSameFile(Path one, Path other) throws IOException {
    if (one.equals(other)) {
      return true;
    }
    if (!(other instanceof CrashingPath) || disk(one) != disk(other)) {
      return false;
    }
    return disk(one).call(Operation.LOOK, one, () -> node(one) == node(other));
  }

  @Override
  public boolean isHidden(Path path) {
    Path name = path.getFileName();
    return name != null && name.toString().startsWith(".");
  }

  @Override
  public FileStore getFileStore(Path path) throws IOException {
    checkAccess(path);
    return new CrashingFileStore();
  }

  /** Rights are kept, not enforced: it runs as root. */
  @Override
  public void checkAccess(Path path, AccessMode... modes) throws IOException {
    disk(path).call(Operation.LOOK, path, () -> node(path));
  }

  @Override
  public <V extends FileAttributeView> @Nullable V getFileAttributeView(
      Path path, Class<V> type, LinkOption... options) {
    CrashingAttributes.View view = new CrashingAttributes.View(disk(path), path);
    return type.isInstance(view) ? type.cast(view) : null;
  }

  @Override
  public <A extends BasicFileAttributes> A readAttributes(
      Path path, Class<A> type, LinkOption... options) throws IOException {
    CrashingAttributes attributes =
        disk(path).call(Operation.LOOK, path, () -> CrashingAttributes.of(node(path)));
    if (!type.isInstance(attributes)) {
      throw new UnsupportedOperationException(type.getName());
    }
    return type.cast(attributes);
  }

  @Override
  public Map<String, Object> readAttributes(Path path, String names, LinkOption... options)
      throws IOException {
    return disk(path)
        .call(Operation.LOOK, path, () -> CrashingAttributes.of(node(path)))
        .map(names);
  }

  @Override
  public void setAttribute(Path path, String name, Object value, LinkOption... options)
      throws IOException {
    new CrashingAttributes.View(disk(path), path).set(name, value);
  }

  // ---- by URI: this provider is not installed

  @Override
  public String getScheme() {
    return "ckpt-crash";
  }

  @Override
  public FileSystem newFileSystem(URI uri, Map<String, ?> settings) {
    throw new UnsupportedOperationException("use CrashingFileSystem.create()");
  }

  @Override
  public FileSystem getFileSystem(URI uri) {
    throw new UnsupportedOperationException("a crashing file system is known by its object only");
  }

  @Override
  public Path getPath(URI uri) {
    throw new UnsupportedOperationException("use getPath of the crashing file system");
  }
}
