package dev.ckpt.internal.local;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Walks a store in the order of its keys, one folder in memory per level and none open in between.
 *
 * <p>A folder sorts as its name with a slash, so {@code a-b} comes before {@code a/x}, and that
 * before {@code a0}: the order of the whole keys, as an object store has it. Keys are ASCII, so the
 * order of strings is the order of their UTF-8 bytes. Names that no key can have, links and what
 * vanishes meanwhile are passed over.
 */
final class Listing implements Iterator<CheckpointStore.Entry> {

  private final String after;
  private final ArrayDeque<Iterator<Node>> open = new ArrayDeque<>();
  private CheckpointStore.@Nullable Entry next;

  private record Node(Path path, String key, BasicFileAttributes attributes) {}

  Listing(Path folder, String prefix, String after) throws IOException {
    this.after = after;
    open.push(children(folder, prefix));
    advance();
  }

  @Override
  public boolean hasNext() {
    return next != null;
  }

  @Override
  public CheckpointStore.Entry next() {
    CheckpointStore.Entry entry = next;
    if (entry == null) {
      throw new NoSuchElementException();
    }
    try {
      advance();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return entry;
  }

  /** Names of the folders in one that hold an object, sorted; none if it is not there. */
  static List<String> folders(Path folder, String prefix) throws IOException {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> paths = Files.newDirectoryStream(folder)) {
      for (Path path : paths) {
        String name = path.getFileName().toString();
        if (isKey(prefix + name)
            && Folders.attributes(path).map(BasicFileAttributes::isDirectory).orElse(false)
            && holdsAnything(path, prefix + name + "/")) {
          names.add(name);
        }
      }
    } catch (NoSuchFileException | NotDirectoryException e) {
      return names;
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    Collections.sort(names);
    return names;
  }

  private static boolean holdsAnything(Path folder, String prefix) throws IOException {
    try {
      return new Listing(folder, prefix, "").hasNext();
    } catch (AccessDeniedException e) {
      return true; // what is hidden is not nothing
    }
  }

  private void advance() throws IOException {
    next = null;
    while (next == null && !open.isEmpty()) {
      Iterator<Node> level = open.getFirst();
      if (!level.hasNext()) {
        open.pop();
        continue;
      }
      Node node = level.next();
      if (node.attributes().isDirectory()) {
        open.push(children(node.path(), node.key()));
      } else {
        next =
            new CheckpointStore.Entry(
                node.key(),
                node.attributes().size(),
                node.attributes().lastModifiedTime().toInstant());
      }
    }
  }

  private Iterator<Node> children(Path folder, String prefix) throws IOException {
    List<Node> children = new ArrayList<>();
    try (DirectoryStream<Path> paths = Files.newDirectoryStream(folder)) {
      for (Path path : paths) {
        String key = prefix + path.getFileName();
        if (mayFollow(key + "/") && isKey(key)) {
          Optional<BasicFileAttributes> there = Folders.attributes(path);
          there.ifPresent(attributes -> add(children, path, key, attributes));
        }
      }
    } catch (NoSuchFileException | NotDirectoryException e) {
      return children.iterator();
    } catch (DirectoryIteratorException e) {
      throw e.getCause();
    }
    children.sort(Comparator.comparing(Node::key));
    return children.iterator();
  }

  /** Whether something in this folder can come after; spares the look at all that cannot. */
  private boolean mayFollow(String folder) {
    return folder.compareTo(after) > 0 || after.startsWith(folder);
  }

  private void add(List<Node> to, Path path, String key, BasicFileAttributes attributes) {
    if (attributes.isDirectory()) {
      String folder = key + "/";
      if (mayFollow(folder)) {
        to.add(new Node(path, folder, attributes));
      }
    } else if (attributes.isRegularFile() && key.compareTo(after) > 0) {
      to.add(new Node(path, key, attributes));
    }
  }

  private static boolean isKey(String key) {
    try {
      CheckpointStore.requireKey(key);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }
}
