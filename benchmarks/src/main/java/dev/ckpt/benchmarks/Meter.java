package dev.ckpt.benchmarks;

import com.sun.management.ThreadMXBean;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Reads what the JVM counts: CPU time and allocation of threads, memory outside the heap. A save's
 * writer thread ends with the save, so it reads its own counters at its last call into the store;
 * the library's other threads live on and are read from outside.
 */
final class Meter {

  private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
  private final List<BufferPoolMXBean> pools =
      ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
          .filter(pool -> pool.getName().startsWith("direct") || pool.getName().equals("mapped"))
          .toList();
  private final AtomicLong peak = new AtomicLong();
  private volatile long writer;
  private volatile long writerCpu;
  private volatile long writerAllocated;

  /** CPU nanoseconds and allocated bytes of the library's threads that live on, by id. */
  record Background(Map<Long, long[]> counters) {}

  Background background() {
    Map<Long, long[]> counters = new HashMap<>();
    for (ThreadInfo thread : threads.dumpAllThreads(false, false, 0)) {
      long id = thread.getThreadId();
      if (thread.getThreadName().startsWith("ckpt-") && id != writer) {
        counters.put(
            id, new long[] {threads.getThreadCpuTime(id), threads.getThreadAllocatedBytes(id)});
      }
    }
    return new Background(counters);
  }

  /** What those threads, and new ones, consumed since. */
  long[] since(Background before) {
    long[] sum = new long[2];
    background()
        .counters()
        .forEach(
            (id, now) -> {
              long[] then = before.counters().getOrDefault(id, new long[2]);
              sum[0] += Math.max(0, now[0] - then[0]);
              sum[1] += Math.max(0, now[1] - then[1]);
            });
    return sum;
  }

  /** Called on the writer thread. */
  void writerIsDone() {
    writer = Thread.currentThread().getId();
    writerCpu = threads.getCurrentThreadCpuTime();
    writerAllocated = threads.getThreadAllocatedBytes(writer);
  }

  long writerCpuNanos() {
    return writerCpu;
  }

  long writerAllocatedBytes() {
    return writerAllocated;
  }

  /** Bytes that this thread allocated on the heap so far. */
  long allocatedHere() {
    return threads.getThreadAllocatedBytes(Thread.currentThread().getId());
  }

  /** Bytes outside the heap now: direct and mapped. */
  long offHeap() {
    long bytes = 0;
    for (int i = 0; i < pools.size(); i++) {
      bytes += Math.max(0, pools.get(i).getMemoryUsed());
    }
    return bytes;
  }

  void sampleOffHeap() {
    peak.accumulateAndGet(offHeap(), Math::max);
  }

  long offHeapPeak() {
    return peak.get();
  }
}
