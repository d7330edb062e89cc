package dev.ckpt.internal.save;

import com.sun.management.HotSpotDiagnosticMXBean;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.SoftReference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds memory outside the heap without asking the user for a JVM flag. Direct buffers come first;
 * the JVM limits them, by default to the size of the heap, so what no longer fits, with room left
 * for the rest of the program, is mapped from a scratch file that has no name any more.
 *
 * <p>The scratch file is filled with zeros before it is mapped: touching a hole in a full file
 * system would kill the JVM (SIGBUS), writing one throws.
 */
public final class StagingMemory implements StagingPool.Source {
  private static final Logger log = LoggerFactory.getLogger(StagingMemory.class);
  private static final long LEFT_FOR_OTHERS = 64L << 20;

  private boolean told;

  /** The budget for a machine where none is configured: a quarter of the memory. */
  public static long defaultBudget() {
    if (ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean os) {
      return os.getTotalMemorySize() / 4;
    }
    return Runtime.getRuntime().maxMemory();
  }

  /**
   * Memory of managers that were closed, for the next one in this JVM: of several trainings one
   * after the other each would else leave a state's worth behind until a collection.
   */
  private static SoftReference<Queue<ByteBuffer>> spare =
      new SoftReference<>(new ConcurrentLinkedQueue<>());

  private static Queue<ByteBuffer> spare() {
    synchronized (StagingMemory.class) {
      Queue<ByteBuffer> queue = spare.get();
      if (queue == null) {
        queue = new ConcurrentLinkedQueue<>();
        spare = new SoftReference<>(queue);
      }
      return queue;
    }
  }

  @Override
  public void giveBack(ByteBuffer memory) {
    spare().add(memory.clear());
  }

  @Override
  public synchronized ByteBuffer allocate(int bytes) {
    ByteBuffer used = spare().poll();
    if (used != null && used.capacity() == bytes) {
      return used;
    }
    if (directLimit() - directUsed() - LEFT_FOR_OTHERS >= bytes) {
      try {
        return ByteBuffer.allocateDirect(bytes);
      } catch (OutOfMemoryError e) {
        log.debug("direct memory is exhausted below its limit", e);
      }
    }
    return mapScratch(bytes);
  }

  private ByteBuffer mapScratch(int bytes) {
    IOException failure = null;
    for (Path folder : scratchFolders()) {
      try {
        if (Files.getFileStore(folder).getUsableSpace() < 2L * bytes) {
          continue;
        }
        ByteBuffer mapped = mapScratch(folder, bytes);
        if (!told) {
          told = true;
          log.info(
              "staging memory beyond the JVM's direct-memory limit of {} MiB is mapped from {}",
              directLimit() >> 20,
              folder);
        }
        return mapped;
      } catch (IOException e) {
        failure = e;
      }
    }
    throw new UncheckedIOException(
        "no staging memory: direct memory is used up (-XX:MaxDirectMemorySize), and no scratch"
            + " folder of "
            + scratchFolders()
            + " has room",
        failure == null ? new IOException("no space left") : failure);
  }

  private static ByteBuffer mapScratch(Path folder, int bytes) throws IOException {
    Path file = Files.createTempFile(folder, "ckpt-staging-", ".tmp");
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      ByteBuffer zeros = ByteBuffer.allocate(64 << 10);
      for (long at = 0; at < bytes; ) {
        at += channel.write(zeros.clear().limit((int) Math.min(zeros.capacity(), bytes - at)), at);
      }
      return channel.map(MapMode.READ_WRITE, 0, bytes);
    } finally {
      Files.deleteIfExists(file);
    }
  }

  /** Memory-backed first: what is staged should not be written to a disk twice. */
  private static List<Path> scratchFolders() {
    List<Path> folders = new ArrayList<>();
    Path shared = Path.of("/dev/shm");
    if (Files.isWritable(shared)) {
      folders.add(shared);
    }
    folders.add(Path.of(System.getProperty("java.io.tmpdir", ".")));
    return folders;
  }

  private static long directLimit() {
    HotSpotDiagnosticMXBean hotspot =
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    long flag =
        hotspot == null ? 0 : Long.parseLong(hotspot.getVMOption("MaxDirectMemorySize").getValue());
    return flag > 0 ? flag : Runtime.getRuntime().maxMemory();
  }

  private static long directUsed() {
    for (BufferPoolMXBean pool : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)) {
      if (pool.getName().equals("direct")) {
        return Math.max(0, pool.getMemoryUsed());
      }
    }
    return 0;
  }
}
