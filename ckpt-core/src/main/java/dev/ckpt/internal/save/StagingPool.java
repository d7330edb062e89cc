package dev.ckpt.internal.save;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Reused off-heap memory with a hard budget, in segments of {@link #SEGMENT_BYTES}. A segment that
 * is not given back stays charged: that is the whole of quarantine. A writer that hangs keeps its
 * segments until it has provably ended, so nothing it may still read is ever overwritten.
 *
 * <p>Thread-safe.
 */
public final class StagingPool {

  /** Size of a segment: a multiple of every element size and of the shard's alignment. */
  public static final int SEGMENT_BYTES = 4 << 20;

  /** Where new segments come from. */
  @FunctionalInterface
  public interface Source {

    /** A new buffer of {@code bytes}, off the heap; called with no lock of the pool's held. */
    ByteBuffer allocate(int bytes);

    /** Takes back a buffer that it allocated and nobody uses any more. */
    default void giveBack(ByteBuffer memory) {}
  }

  /** One piece of staging memory, with a view for the one that fills it and one for the reader. */
  static final class Segment {
    final ByteBuffer writer;
    final ByteBuffer reader;

    Segment(ByteBuffer memory) {
      this.writer = memory.order(ByteOrder.LITTLE_ENDIAN);
      this.reader = memory.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition released = lock.newCondition();
  private final ArrayDeque<Segment> idle = new ArrayDeque<>();
  private final Source source;
  private final int most;
  private int made;
  private int preparing;

  /**
   * @param budget most bytes ever allocated, rounded down to segments, at least one
   */
  public StagingPool(long budget, Source source) {
    this.source = source;
    this.most = (int) Math.min(Integer.MAX_VALUE, Math.max(1, budget / SEGMENT_BYTES));
  }

  /** Most bytes that it ever holds. */
  public long budget() {
    return (long) most * SEGMENT_BYTES;
  }

  /** Bytes allocated so far. */
  public long allocated() {
    lock.lock();
    try {
      return (long) made * SEGMENT_BYTES;
    } finally {
      lock.unlock();
    }
  }

  /** Bytes that can be had without waiting. */
  long available() {
    lock.lock();
    try {
      return (long) (most - made + idle.size() + preparing) * SEGMENT_BYTES;
    } finally {
      lock.unlock();
    }
  }

  /** A segment, if the budget has one left. */
  @Nullable Segment tryAcquire() {
    lock.lock();
    try {
      while (idle.isEmpty() && made == most && preparing > 0) {
        released.awaitUninterruptibly(); // no longer than it takes to allocate one
      }
      Segment segment = idle.pollLast();
      if (segment != null) {
        return segment;
      }
      if (made == most) {
        return null;
      }
      made++;
    } finally {
      lock.unlock();
    }
    return make();
  }

  /** A new segment, for which room was reserved in {@link #made}. */
  private Segment make() {
    try {
      return new Segment(source.allocate(SEGMENT_BYTES));
    } catch (Throwable e) {
      lock.lock();
      try {
        made--;
      } finally {
        lock.unlock();
      }
      throw e;
    }
  }

  /**
   * Allocates, and so touches for the first time, what a state of that many bytes will need: behind
   * the training, instead of in its first save. Saves may go on meanwhile.
   */
  public void prepare(long bytes) {
    while (reserve(bytes)) {
      try {
        release(make());
      } finally {
        lock.lock();
        try {
          preparing--;
          released.signalAll();
        } finally {
          lock.unlock();
        }
      }
    }
  }

  private boolean reserve(long bytes) {
    lock.lock();
    try {
      if (made == most || (long) made * SEGMENT_BYTES >= bytes) {
        return false;
      }
      made++;
      preparing++;
      return true;
    } finally {
      lock.unlock();
    }
  }

  /** A segment, waiting for one at most that long, interrupted or not; null if none came. */
  @Nullable Segment acquire(long nanos) {
    long deadline = System.nanoTime() + nanos;
    boolean interrupted = false;
    try {
      while (true) {
        Segment segment = tryAcquire();
        long left = deadline - System.nanoTime();
        if (segment != null || left <= 0) {
          return segment;
        }
        try {
          awaitRelease(left);
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void awaitRelease(long nanos) throws InterruptedException {
    lock.lock();
    try {
      if (idle.isEmpty()) {
        released.awaitNanos(Math.min(nanos, TimeUnit.SECONDS.toNanos(1)));
      }
    } finally {
      lock.unlock();
    }
  }

  /** Gives the idle segments back to their source; segments in use stay what they are. */
  public void close() {
    lock.lock();
    try {
      for (Segment segment = idle.poll(); segment != null; segment = idle.poll()) {
        made--;
        source.giveBack(segment.writer);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Gives a segment back; nobody may touch it afterwards. */
  void release(Segment segment) {
    lock.lock();
    try {
      idle.addLast(segment);
      released.signal();
    } finally {
      lock.unlock();
    }
  }
}
