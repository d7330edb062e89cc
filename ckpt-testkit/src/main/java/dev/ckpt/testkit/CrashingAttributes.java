package dev.ckpt.testkit;

import dev.ckpt.testkit.CrashingFileSystem.Operation;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.GroupPrincipal;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What is known of a file or folder. */
record CrashingAttributes(
    Object fileKey,
    boolean isDirectory,
    long size,
    FileTime lastModifiedTime,
    Set<PosixFilePermission> permissions)
    implements PosixFileAttributes {

  private record Owner(String getName) implements GroupPrincipal {}

  private static final Owner OWNER = new Owner("owner");

  /** With the tree's lock held. */
  static CrashingAttributes of(DiskNode node) {
    return new CrashingAttributes(
        node.number,
        node instanceof DiskNode.Folder,
        node instanceof DiskNode.File file ? file.length() : 0,
        node.modified,
        Set.copyOf(node.permissions));
  }

  @Override
  public FileTime lastAccessTime() {
    return lastModifiedTime;
  }

  @Override
  public FileTime creationTime() {
    return lastModifiedTime;
  }

  @Override
  public boolean isRegularFile() {
    return !isDirectory;
  }

  @Override
  public boolean isSymbolicLink() {
    return false;
  }

  @Override
  public boolean isOther() {
    return false;
  }

  @Override
  public UserPrincipal owner() {
    return OWNER;
  }

  @Override
  public GroupPrincipal group() {
    return OWNER;
  }

  /** Some of them by name, such as {@code posix:*} or {@code size,fileKey}. */
  Map<String, Object> map(String names) {
    Map<String, Object> all = new HashMap<>();
    all.put("fileKey", fileKey);
    all.put("isDirectory", isDirectory);
    all.put("isRegularFile", !isDirectory);
    all.put("isSymbolicLink", false);
    all.put("isOther", false);
    all.put("size", size);
    all.put("lastModifiedTime", lastModifiedTime);
    all.put("lastAccessTime", lastModifiedTime);
    all.put("creationTime", lastModifiedTime);
    all.put("permissions", permissions);
    all.put("owner", OWNER);
    all.put("group", OWNER);
    List<String> wanted = Arrays.asList(names.substring(names.indexOf(':') + 1).split(","));
    if (!wanted.contains("*")) {
      all.keySet().retainAll(wanted);
    }
    return all;
  }

  /** A view of one path. */
  static final class View implements PosixFileAttributeView {
    private final CrashingFileSystem disk;
    private final Path path;

    View(CrashingFileSystem disk, Path path) {
      this.disk = disk;
      this.path = path;
    }

    void set(String name, Object value) throws IOException {
      switch (name.substring(name.indexOf(':') + 1)) {
        case "lastModifiedTime" -> setTimes((FileTime) value, null, null);
        case "lastAccessTime", "creationTime" -> setTimes(null, null, null);
        case "permissions" -> {
          Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
          ((Collection<?>) value).forEach(each -> permissions.add((PosixFilePermission) each));
          setPermissions(permissions);
        }
        default -> throw new UnsupportedOperationException(name);
      }
    }

    @Override
    public String name() {
      return "posix";
    }

    @Override
    public PosixFileAttributes readAttributes() throws IOException {
      return disk.call(
          Operation.LOOK, path, () -> CrashingAttributes.of(CrashingProvider.node(path)));
    }

    /** Only the time of the last change is kept. */
    @Override
    public void setTimes(
        @Nullable FileTime modified, @Nullable FileTime accessed, @Nullable FileTime created)
        throws IOException {
      disk.call(
          Operation.SET_ATTRIBUTE,
          path,
          () -> {
            DiskNode node = CrashingProvider.node(path);
            if (modified != null) {
              node.modified = modified;
            }
            return node;
          });
    }

    @Override
    public void setPermissions(Set<PosixFilePermission> permissions) throws IOException {
      disk.call(
          Operation.SET_ATTRIBUTE,
          path,
          () -> {
            DiskNode node = CrashingProvider.node(path);
            node.permissions = Set.copyOf(permissions);
            return node;
          });
    }

    @Override
    public UserPrincipal getOwner() {
      return OWNER;
    }

    @Override
    public void setOwner(UserPrincipal owner) {
      throw new UnsupportedOperationException("everything belongs to one user");
    }

    @Override
    public void setGroup(GroupPrincipal group) {
      throw new UnsupportedOperationException("everything belongs to one user");
    }
  }
}
