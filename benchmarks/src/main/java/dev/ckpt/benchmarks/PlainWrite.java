package dev.ckpt.benchmarks;

import dev.ckpt.benchmarks.DirectState.Tensor;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.FutureTask;

/** The same bytes into a new file, and one force: no name, no checksum, no format, no commit. */
enum PlainWrite {
  SLICES_1_MIB(1 << 20),
  SLICES_8_MIB(8 << 20),
  GATHER(Integer.MAX_VALUE);

  private final int slice;

  PlainWrite(int slice) {
    this.slice = slice;
  }

  /** Time on the clock and on the CPU. */
  record Cost(long nanos, long cpuNanos) {}

  /** Writes, forces and closes on a thread of its own; then removes the file. */
  Cost measure(Path folder, DirectState state) throws Exception {
    Path file = Files.createTempFile(folder, "plain-", ".bin");
    try {
      FutureTask<Cost> task = new FutureTask<>(() -> timed(file, state));
      new Thread(task, "plain-write").start();
      return task.get();
    } finally {
      Files.delete(file);
      settle(folder);
    }
  }

  /** Has the file system finish what it still does for a deleted file. */
  static void settle(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private Cost timed(Path file, DirectState state) throws IOException {
    var threads = ManagementFactory.getThreadMXBean();
    long cpu = threads.getCurrentThreadCpuTime();
    long start = System.nanoTime();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
      if (this == GATHER) {
        gather(channel, state.tensors());
      } else {
        for (Tensor tensor : state.tensors()) {
          slices(channel, tensor.contents.duplicate());
        }
      }
      channel.force(true);
    }
    return new Cost(System.nanoTime() - start, threads.getCurrentThreadCpuTime() - cpu);
  }

  private void slices(FileChannel channel, ByteBuffer source) throws IOException {
    int end = source.limit();
    while (source.position() < end) {
      source.limit(source.position() + Math.min(slice, end - source.position()));
      while (source.hasRemaining()) {
        channel.write(source);
      }
    }
  }

  private static void gather(FileChannel channel, List<Tensor> tensors) throws IOException {
    ByteBuffer[] sources =
        tensors.stream().map(tensor -> tensor.contents.duplicate()).toArray(ByteBuffer[]::new);
    for (int first = 0; first < sources.length; ) {
      channel.write(Arrays.copyOfRange(sources, first, sources.length));
      while (first < sources.length && !sources[first].hasRemaining()) {
        first++;
      }
    }
  }
}
