package dev.ckpt.testkit;

import java.io.IOException;
import java.net.URI;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.ProviderMismatchException;
import java.nio.file.WatchEvent;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Names with slashes between them; the working folder is the root. */
final class CrashingPath implements Path {

  private final CrashingFileSystem disk;
  private final boolean absolute;
  private final List<String> names;

  CrashingPath(CrashingFileSystem disk, boolean absolute, List<String> names) {
    this.disk = disk;
    this.absolute = absolute;
    this.names = List.copyOf(names);
  }

  static CrashingPath parse(CrashingFileSystem disk, String text) {
    List<String> names = Arrays.stream(text.split("/")).filter(name -> !name.isEmpty()).toList();
    return new CrashingPath(
        disk, text.startsWith("/"), names.isEmpty() && text.isEmpty() ? List.of("") : names);
  }

  static CrashingPath of(Path path) {
    if (path instanceof CrashingPath own) {
      return own;
    }
    throw new ProviderMismatchException(path + " is a path of another file system");
  }

  private CrashingPath with(boolean rooted, List<String> parts) {
    return new CrashingPath(disk, rooted, parts);
  }

  private CrashingPath other(Path path) {
    CrashingPath own = of(path);
    if (own.disk != disk) {
      throw new ProviderMismatchException(path + " is a path of another crashing file system");
    }
    return own;
  }

  /** All names from the root on, without dots. */
  List<String> fromRoot() {
    return ((CrashingPath) toAbsolutePath().normalize()).names;
  }

  @Override
  public CrashingFileSystem getFileSystem() {
    return disk;
  }

  @Override
  public boolean isAbsolute() {
    return absolute;
  }

  @Override
  public @Nullable Path getRoot() {
    return absolute ? with(true, List.of()) : null;
  }

  @Override
  public @Nullable Path getFileName() {
    return names.isEmpty() ? null : with(false, names.subList(names.size() - 1, names.size()));
  }

  @Override
  public @Nullable Path getParent() {
    if (names.isEmpty() || (names.size() == 1 && !absolute)) {
      return null;
    }
    return with(absolute, names.subList(0, names.size() - 1));
  }

  @Override
  public int getNameCount() {
    return names.size();
  }

  @Override
  public Path getName(int index) {
    return subpath(index, index + 1);
  }

  @Override
  public Path subpath(int begin, int end) {
    if (begin < 0 || end > names.size() || begin >= end) {
      throw new IllegalArgumentException(this + " has no names " + begin + " to " + end);
    }
    return with(false, names.subList(begin, end));
  }

  @Override
  public boolean startsWith(Path path) {
    return path instanceof CrashingPath that
        && that.disk == disk
        && that.absolute == absolute
        && that.names.size() <= names.size()
        && names.subList(0, that.names.size()).equals(that.names);
  }

  @Override
  public boolean endsWith(Path path) {
    if (!(path instanceof CrashingPath that) || that.disk != disk) {
      return false;
    }
    int more = names.size() - that.names.size();
    return that.absolute
        ? equals(that)
        : more >= 0 && names.subList(more, names.size()).equals(that.names);
  }

  @Override
  public Path normalize() {
    List<String> plain = new ArrayList<>();
    for (String name : names) {
      boolean below = !plain.isEmpty() && !plain.get(plain.size() - 1).equals("..");
      if (name.equals("..") && below) {
        plain.remove(plain.size() - 1);
      } else if (!name.equals(".") && !(name.equals("..") && absolute) && !name.isEmpty()) {
        plain.add(name);
      }
    }
    return with(absolute, plain.isEmpty() && !absolute ? List.of("") : plain);
  }

  @Override
  public Path resolve(Path path) {
    CrashingPath that = other(path);
    if (that.absolute || names.equals(List.of(""))) {
      return that;
    }
    if (that.names.equals(List.of(""))) {
      return this;
    }
    List<String> all = new ArrayList<>(names);
    all.addAll(that.names);
    return with(absolute, all);
  }

  @Override
  public Path relativize(Path path) {
    CrashingPath that = other(path);
    if (that.absolute != absolute) {
      throw new IllegalArgumentException("one of " + this + " and " + path + " is relative");
    }
    int same = 0;
    while (same < Math.min(names.size(), that.names.size())
        && names.get(same).equals(that.names.get(same))) {
      same++;
    }
    List<String> way = new ArrayList<>();
    for (int i = same; i < names.size(); i++) {
      way.add("..");
    }
    way.addAll(that.names.subList(same, that.names.size()));
    return with(false, way.isEmpty() ? List.of("") : way);
  }

  @Override
  public URI toUri() {
    return URI.create(disk.uri() + toAbsolutePath());
  }

  @Override
  public Path toAbsolutePath() {
    return absolute ? this : with(true, names.equals(List.of("")) ? List.of() : names);
  }

  @Override
  public Path toRealPath(LinkOption... options) throws IOException {
    Path plain = toAbsolutePath().normalize();
    disk.provider().checkAccess(plain);
    return plain;
  }

  @Override
  public WatchKey register(
      WatchService watcher, WatchEvent.Kind<?>[] events, WatchEvent.Modifier... modifiers) {
    throw new UnsupportedOperationException("nothing is watched on a crashing file system");
  }

  @Override
  public int compareTo(Path path) {
    return toString().compareTo(other(path).toString());
  }

  @Override
  public boolean equals(@Nullable Object path) {
    return path instanceof CrashingPath that
        && that.disk == disk
        && that.absolute == absolute
        && that.names.equals(names);
  }

  @Override
  public int hashCode() {
    return Objects.hash(System.identityHashCode(disk), absolute, names);
  }

  @Override
  public String toString() {
    return (absolute ? "/" : "") + String.join("/", names);
  }
}
