package dev.ckpt.testkit;

import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A file or a folder, as processes see it and as the disk has it. Guarded by its disk. */
abstract sealed class DiskNode {

  final long number;
  FileTime modified;
  Set<PosixFilePermission> permissions;

  DiskNode(long number, FileTime modified, Set<PosixFilePermission> permissions) {
    this.number = number;
    this.modified = modified;
    this.permissions = permissions.isEmpty() ? Set.of() : EnumSet.copyOf(permissions);
  }

  /** A folder: its entries now, and at its last force. */
  static final class Folder extends DiskNode {
    final TreeMap<String, DiskNode> entries = new TreeMap<>();
    final TreeMap<String, DiskNode> durable = new TreeMap<>();

    Folder(long number, FileTime modified, Set<PosixFilePermission> permissions) {
      super(number, modified, permissions);
    }
  }

  /**
   * A file: its contents now, and on the disk. Between them stand dirty pages, which the next force
   * writes, and lost ones, which a failed force dropped: later ones take them for written.
   */
  static final class File extends DiskNode {
    static final int PAGE = 4096;

    private byte[] bytes = {};
    private int length;
    private byte[] onDisk = {}; // replaced, never changed
    private boolean everForced;
    private BitSet dirty = new BitSet();
    private BitSet lost = new BitSet();

    /** Ranges that some channel has locked. */
    final List<CrashingChannel.Lock> locks = new ArrayList<>();

    File(long number, FileTime modified, Set<PosixFilePermission> permissions) {
      super(number, modified, permissions);
    }

    int length() {
      return length;
    }

    int read(long from, byte[] into) {
      int count = (int) Math.min(into.length, Math.max(0, length - from));
      if (count > 0) {
        System.arraycopy(bytes, (int) from, into, 0, count);
      }
      return count;
    }

    void write(long at, byte[] source) {
      if (source.length == 0) {
        return;
      }
      int end = Math.toIntExact(at + source.length);
      if (end > bytes.length) {
        bytes = Arrays.copyOf(bytes, Math.max(end, Math.min(bytes.length * 2, 1 << 30)));
      }
      System.arraycopy(source, 0, bytes, (int) at, source.length);
      int first = (int) Math.min(at, length) / PAGE;
      length = Math.max(length, end);
      dirty.set(first, (end - 1) / PAGE + 1);
      lost.clear(first, (end - 1) / PAGE + 1);
    }

    void truncate(int size) {
      if (size < length) {
        Arrays.fill(bytes, size, length, (byte) 0);
        length = size;
        int gone = (size + PAGE - 1) / PAGE;
        dirty.clear(gone, Math.max(gone, dirty.length()));
        lost.clear(gone, Math.max(gone, lost.length()));
        if (size % PAGE != 0) {
          dirty.set(size / PAGE);
        }
      }
    }

    void force() {
      byte[] now = Arrays.copyOf(onDisk, length);
      dirty.stream().forEach(page -> copyPage(page, bytes, now));
      onDisk = now;
      dirty.clear();
      everForced = true;
    }

    /** A force that was cut short: the first half of the pages is on the disk. */
    void forceHalf() {
      int half = dirty.cardinality() / 2;
      for (int i = 0; i < half; i++) {
        int page = dirty.nextSetBit(0);
        onDisk =
            Arrays.copyOf(onDisk, Math.min(length, Math.max(onDisk.length, (page + 1) * PAGE)));
        copyPage(page, bytes, onDisk);
        dirty.clear(page);
        everForced = true;
      }
    }

    /** What Linux does when a force fails: the pages count as clean, and are not on the disk. */
    void failForce() {
      lost.or(dirty);
      dirty.clear();
    }

    boolean isForced() {
      return everForced && dirty.isEmpty() && lost.isEmpty() && onDisk.length == length;
    }

    /** Contents after a loss of power; null if the file is gone. */
    byte @Nullable [] after(PowerLoss loss) {
      if (isForced()) {
        return onDisk;
      }
      if (loss.damage() == PowerLoss.Damage.DELETED) {
        return everForced ? onDisk : null;
      }
      byte[] kept = Arrays.copyOf(bytes, length);
      byte[] before = Arrays.copyOf(onDisk, length);
      lost.stream().forEach(page -> copyPage(page, before, kept));
      BitSet unforced = new BitSet();
      unforced.or(dirty);
      unforced.or(lost);
      int first =
          Math.min(
              length,
              unforced.isEmpty() ? Math.min(onDisk.length, length) : unforced.nextSetBit(0) * PAGE);
      return switch (loss.damage()) {
        case KEPT, DELETED -> kept;
        case EMPTIED -> Arrays.copyOf(kept, first);
        case CUT -> Arrays.copyOf(kept, first + (length - first) / 2);
        case ZEROED -> {
          unforced.stream().forEach(page -> copyPage(page, new byte[length], kept));
          yield kept;
        }
        case FLIPPED -> {
          flip(kept, unforced, loss.seed());
          yield kept;
        }
      };
    }

    private static void flip(byte[] bytes, BitSet pages, long seed) {
      List<Integer> places = new ArrayList<>();
      pages.stream()
          .forEach(
              page -> {
                for (int i = page * PAGE; i < Math.min(bytes.length, (page + 1) * PAGE); i++) {
                  places.add(i);
                }
              });
      if (!places.isEmpty()) {
        Random random = new Random(seed);
        bytes[places.get(random.nextInt(places.size()))] ^= (byte) (1 << random.nextInt(8));
      }
    }

    private static void copyPage(int page, byte[] from, byte[] to) {
      int start = page * PAGE;
      int end = Math.min(Math.min(from.length, to.length), start + PAGE);
      if (start < end) {
        System.arraycopy(from, start, to, start, end - start);
      }
    }

    /** The same file on another disk, with nothing left to force. */
    File forced(byte[] contents) {
      File file = new File(number, modified, permissions);
      file.bytes = contents.clone();
      file.length = contents.length;
      file.onDisk = contents;
      file.everForced = true;
      return file;
    }

    /** The same file on another disk, with all that is not forced. */
    File copy() {
      File file = new File(number, modified, permissions);
      file.bytes = Arrays.copyOf(bytes, length);
      file.length = length;
      file.onDisk = onDisk;
      file.everForced = everForced;
      file.dirty = (BitSet) dirty.clone();
      file.lost = (BitSet) lost.clone();
      return file;
    }
  }
}
