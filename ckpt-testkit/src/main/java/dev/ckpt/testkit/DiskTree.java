package dev.ckpt.testkit;

import dev.ckpt.testkit.DiskNode.File;
import dev.ckpt.testkit.DiskNode.Folder;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The files and folders of one disk, and the changes of folders that are not forced yet. Not
 * thread-safe: its file system holds a lock.
 */
final class DiskTree {

  /** What one name of a folder means from then on. */
  private record Change(Folder folder, String name, @Nullable DiskNode node) {
    void applyTo(Map<String, DiskNode> entries) {
      if (node == null) {
        entries.remove(name);
      } else {
        entries.put(name, node);
      }
    }
  }

  /** Changes that survive together or not at all. */
  private record Operation(List<Change> changes) {}

  final Folder root;
  private final AtomicLong numbers;
  private final List<Operation> pending = new ArrayList<>();

  /** How far this disk's clock is ahead of the system's. */
  Duration ahead;

  DiskTree() {
    this(
        new Folder(1, FileTime.from(Instant.now()), Set.of(PosixFilePermission.values())),
        new AtomicLong(1),
        Duration.ZERO);
  }

  private DiskTree(Folder root, AtomicLong numbers, Duration ahead) {
    this.root = root;
    this.numbers = numbers;
    this.ahead = ahead;
  }

  FileTime now() {
    return FileTime.from(Instant.now().plus(ahead));
  }

  // ---- changes, which are volatile until forced

  File newFile(Set<PosixFilePermission> permissions) {
    return new File(numbers.incrementAndGet(), now(), permissions);
  }

  Folder newFolder(Set<PosixFilePermission> permissions) {
    return new Folder(numbers.incrementAndGet(), now(), permissions);
  }

  void put(Folder folder, String name, @Nullable DiskNode node) {
    change(List.of(new Change(folder, name, node)));
  }

  void rename(Folder from, String name, Folder to, String newName, DiskNode node) {
    change(List.of(new Change(to, newName, node), new Change(from, name, null)));
  }

  private void change(List<Change> changes) {
    for (Change change : changes) {
      change.applyTo(change.folder().entries);
      change.folder().modified = now();
    }
    pending.add(new Operation(changes));
  }

  /** Makes the entries of a folder durable; a rename into or out of it with both its sides. */
  void force(Folder folder) {
    for (Iterator<Operation> each = pending.iterator(); each.hasNext(); ) {
      List<Change> changes = each.next().changes();
      if (changes.stream().anyMatch(change -> change.folder() == folder)) {
        changes.forEach(change -> change.applyTo(change.folder().durable));
        each.remove();
      }
    }
  }

  // ---- other disks

  /** This disk as it is, with all that is not forced. */
  DiskTree copy() {
    Map<DiskNode, DiskNode> copies = new IdentityHashMap<>();
    DiskTree copy =
        new DiskTree((Folder) copied(root, copies), new AtomicLong(numbers.get()), ahead);
    for (Operation operation : pending) {
      List<Change> changes = new ArrayList<>();
      for (Change change : operation.changes()) {
        DiskNode node = change.node();
        changes.add(
            new Change(
                (Folder) copied(change.folder(), copies),
                change.name(),
                node == null ? null : copied(node, copies)));
      }
      copy.pending.add(new Operation(changes));
    }
    return copy;
  }

  private static DiskNode copied(DiskNode node, Map<DiskNode, DiskNode> copies) {
    DiskNode known = copies.get(node);
    if (known != null) {
      return known;
    }
    if (node instanceof File file) {
      File copy = file.copy();
      copies.put(node, copy);
      return copy;
    }
    Folder folder = (Folder) node;
    Folder copy = new Folder(folder.number, folder.modified, folder.permissions);
    copies.put(node, copy);
    folder.entries.forEach((name, child) -> copy.entries.put(name, copied(child, copies)));
    folder.durable.forEach((name, child) -> copy.durable.put(name, copied(child, copies)));
    return copy;
  }

  /** This disk after a loss of power: all that is left of it is forced. */
  DiskTree after(PowerLoss loss) {
    Map<Folder, TreeMap<String, DiskNode>> left = new IdentityHashMap<>();
    for (Operation operation : loss.survivors(pending)) {
      for (Change change : operation.changes()) {
        change.applyTo(
            left.computeIfAbsent(change.folder(), folder -> new TreeMap<>(folder.durable)));
      }
    }
    Map<File, File> files = new IdentityHashMap<>();
    return new DiskTree(after(root, left, files, loss), new AtomicLong(numbers.get() + 1), ahead);
  }

  private static Folder after(
      Folder folder,
      Map<Folder, TreeMap<String, DiskNode>> left,
      Map<File, File> files,
      PowerLoss loss) {
    Folder after = new Folder(folder.number, folder.modified, folder.permissions);
    left.getOrDefault(folder, folder.durable)
        .forEach(
            (name, child) -> {
              if (child instanceof Folder below) {
                after.entries.put(name, after(below, left, files, loss));
              } else if (child instanceof File file) {
                File known = files.get(file);
                byte[] contents = known != null ? null : file.after(loss);
                if (contents != null) {
                  known = file.forced(contents);
                  files.put(file, known);
                }
                if (known != null) {
                  after.entries.put(name, known);
                }
              }
            });
    after.durable.putAll(after.entries);
    return after;
  }

  /** All that can be read, in one number: equal trees have equal ones. */
  long fingerprint() {
    return fingerprint(root, 17, new IdentityHashMap<>());
  }

  private static long fingerprint(Folder folder, long seed, Map<DiskNode, Integer> seen) {
    long sum = seed;
    for (Map.Entry<String, DiskNode> entry : folder.entries.entrySet()) {
      sum = sum * 1_000_003 + entry.getKey().hashCode();
      if (entry.getValue() instanceof Folder below) {
        sum = fingerprint(below, sum * 31 + 1, seen) * 31 + 2;
      } else if (entry.getValue() instanceof File file) {
        byte[] contents = new byte[file.length()];
        file.read(0, contents);
        // two names of one file are not the same as two equal files
        Integer place = seen.putIfAbsent(file, seen.size());
        sum = sum * 1_000_003 + Arrays.hashCode(contents) + (place == null ? 0 : place + 1);
      }
    }
    return sum;
  }
}
