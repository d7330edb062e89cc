package dev.ckpt.internal.save;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.FiniteScan;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The state of one checkpoint between the training thread, which fills it, and the writer thread,
 * which drains it.
 *
 * <p><b>One stream, two speeds.</b> All tensors lie one behind the other, each aligned to 64 bytes,
 * in a stream of bytes over a list of segments. Filling goes forward and draining goes forward. If
 * the stream fits the staging budget, it is filled at memory speed, then the writer starts, and the
 * segments stay until the checkpoint is committed, so that a failed write can be tried again. If it
 * does not fit, the writer starts at once, drained segments return to the pool, and filling waits
 * for them, never longer than the deadline: the save is as slow as the store, but it is a save.
 *
 * <p><b>Order.</b> What must be copied during the capture call is copied then; everything else only
 * when all parts have registered, because only then is the layout known, and because a later
 * version of this class may copy it beside the training. The order in the stream is the order on
 * disk.
 *
 * <p><b>Giving up.</b> {@link #giveUp} makes both sides stop at their next byte. Segments go back
 * in {@link #release()}, which belongs to the side that ends last: the writer, once it was started.
 */
final class StagedState implements ShardFormat.Contents {

  private static final int ALIGNMENT = 64;
  private static final long SLICE_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  /** A tensor on its way. */
  private static final class Column {
    final TensorSpec spec;
    final TensorSource source;
    long start = -1;

    Column(TensorSpec spec, TensorSource source) {
      this.spec = spec;
      this.source = source;
    }
  }

  private final StagingPool pool;
  private final SpecNames names;
  private final Map<String, String> header;
  private final long waitNanos;

  private final List<Column> columns = new ArrayList<>();
  private final List<Column> pending = new ArrayList<>();
  private final SmallValues values = new SmallValues();
  private @Nullable List<TensorSpec> specs;
  private ByteBuffer encodedValues = ByteBuffer.allocate(0);

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition moved = lock.newCondition();
  private final List<StagingPool.@Nullable Segment> segments = new ArrayList<>();
  private long filled;
  private boolean streaming;
  private int sides = 1;
  private @Nullable String givenUp;

  private final FiniteScan scan = new FiniteScan();
  private volatile long lastMove;
  private boolean finite = true;

  StagedState(StagingPool pool, SpecNames names, Map<String, String> header, long waitNanos) {
    this.pool = pool;
    this.names = names;
    this.header = header;
    this.waitNanos = waitNanos;
    this.lastMove = System.nanoTime();
  }

  // ---- the training thread's side

  /** Has a part register its state; copies what cannot wait. */
  void capture(String part, Checkpointable state) {
    state.capture(new PartSink(part, names, this, values));
  }

  /** Takes a tensor in; copies it now if it cannot wait. */
  void add(TensorSpec spec, TensorSource source, Stability stability) {
    Column column = new Column(spec, source);
    if (stability == Stability.COPY_NOW) {
      columns.add(column);
      copy(column);
    } else {
      pending.add(column);
    }
  }

  /** Fixes the layout. No part registers anything after this. */
  void seal() {
    columns.addAll(pending);
    specs = columns.stream().map(column -> column.spec).toList();
    encodedValues = ByteBuffer.wrap(values.encode()).asReadOnlyBuffer();
  }

  /** Bytes that still have to be copied. */
  long pendingBytes() {
    return pending.stream().mapToLong(column -> aligned(column.spec.bytes())).sum();
  }

  /** Bytes copied so far. */
  long stagedBytes() {
    lock.lock();
    try {
      return filled;
    } finally {
      lock.unlock();
    }
  }

  /** Lets drained segments go back at once: the whole does not fit the budget. */
  void stream() {
    lock.lock();
    try {
      streaming = true;
    } finally {
      lock.unlock();
    }
  }

  /** Copies everything that was registered and could wait. */
  void copyPending() {
    for (Column column : pending) {
      copy(column);
    }
    pending.clear();
  }

  private void copy(Column column) {
    TensorSource source = column.source;
    long bytes = column.spec.bytes();
    long start = aligned(stagedBytes());
    lock.lock();
    try {
      column.start = start;
      filled = start;
      moved.signalAll();
    } finally {
      lock.unlock();
    }
    for (long offset = 0; offset < bytes; ) {
      long at = start + offset;
      StagingPool.Segment segment = segmentFor((int) (at / StagingPool.SEGMENT_BYTES));
      int inside = (int) (at % StagingPool.SEGMENT_BYTES);
      int length = (int) Math.min(bytes - offset, StagingPool.SEGMENT_BYTES - inside);
      ByteBuffer window = segment.writer;
      window.limit(inside + length).position(inside);
      source.copy(offset, window);
      if (window.hasRemaining()) {
        throw new IllegalStateException(
            column.spec.name() + ": its source left " + window.remaining() + " bytes unfilled");
      }
      offset += length;
      lock.lock();
      try {
        filled = start + offset;
        lastMove = System.nanoTime();
        moved.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  private StagingPool.Segment segmentFor(int index) {
    lock.lock();
    try {
      requireGoing();
      if (index < segments.size()) {
        StagingPool.Segment present = segments.get(index);
        if (present == null) {
          throw new IllegalStateException("a drained segment is filled again");
        }
        return present;
      }
    } finally {
      lock.unlock();
    }
    StagingPool.Segment segment = nextSegment();
    lock.lock();
    try {
      segments.add(segment);
      return segment;
    } finally {
      lock.unlock();
    }
  }

  private StagingPool.Segment nextSegment() {
    StagingPool.Segment segment = pool.tryAcquire();
    long start = System.nanoTime();
    while (segment == null && streaming && System.nanoTime() - start < waitNanos) {
      // in slices: the writer that would free a segment may have failed
      segment = pool.acquire(Math.min(waitNanos, SLICE_NANOS));
      if (segment == null) {
        requireGoing();
      }
    }
    if (segment == null
        && !streaming
        && (long) segments.size() * StagingPool.SEGMENT_BYTES >= pool.budget()) {
      throw new CheckpointException.SaveFailed(
          "what must be copied at once (COPY_NOW, bytes) needs more than the staging budget of "
              + (pool.budget() >> 20)
              + " MiB: raise staging.budget, or capture tensors as STABLE_UNTIL_UPDATE, which can"
              + " be streamed",
          null);
    }
    if (segment == null) {
      throw new CheckpointException.SaveFailed(
          "no staging memory: the budget of "
              + (pool.budget() >> 20)
              + " MiB is held by a save that hangs; the store does not answer",
          null);
    }
    return segment;
  }

  private void requireGoing() {
    lock.lock();
    try {
      if (givenUp != null) {
        throw new CheckpointException.SaveFailed(givenUp, null);
      }
    } finally {
      lock.unlock();
    }
  }

  /** Whether everything can be staged now, without waiting for a segment to be drained. */
  boolean fits() {
    lock.lock();
    try {
      long room = (long) segments.size() * StagingPool.SEGMENT_BYTES + pool.available();
      return aligned(filled) + pendingBytes() <= room;
    } finally {
      lock.unlock();
    }
  }

  // ---- the writer thread's side

  @Override
  public Map<String, String> header() {
    return header;
  }

  @Override
  public List<TensorSpec> tensors() {
    return java.util.Objects.requireNonNull(specs, "sealed");
  }

  @Override
  public ByteBuffer values() {
    return encodedValues.duplicate();
  }

  @Override
  public ByteBuffer window(int tensor, long offset, int max) throws IOException {
    Column column = columns.get(tensor);
    long left = column.spec.bytes() - offset;
    ByteBuffer window;
    lock.lock();
    try {
      long end = Math.max(0, offset) + 1;
      awaitFilled(column, end);
      if (givenUp != null) {
        throw new IOException(givenUp);
      }
      lastMove = System.nanoTime();
      long at = column.start + offset;
      int index = (int) (at / StagingPool.SEGMENT_BYTES);
      if (streaming) {
        releaseBefore(index);
      }
      int inside = (int) (at % StagingPool.SEGMENT_BYTES);
      long length =
          Math.min(Math.min(left, max), Math.min(filled - at, StagingPool.SEGMENT_BYTES - inside));
      StagingPool.Segment segment = segments.get(index);
      if (segment == null) {
        throw new IOException("bytes that were drained cannot be read again");
      }
      window = segment.reader;
      window.limit(inside + (int) length).position(inside);
    } finally {
      lock.unlock();
    }
    if (finite && column.spec.type().isFloating()) {
      finite = scan.allFinite(window, column.spec.type());
    }
    return window;
  }

  private void awaitFilled(Column column, long end) throws IOException {
    try {
      while (givenUp == null && (column.start < 0 || filled < column.start + end)) {
        if (!moved.await(waitNanos, TimeUnit.NANOSECONDS)) {
          throw new IOException("the training thread stopped filling " + column.spec.name());
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new java.io.InterruptedIOException("interrupted while draining");
    }
  }

  /** Whether no floating-point byte that was drained belongs to a NaN or an infinity. */
  boolean finite() {
    return finite;
  }

  /** Whether the writer can start over. */
  boolean repeatable() {
    lock.lock();
    try {
      return !streaming;
    } finally {
      lock.unlock();
    }
  }

  /** {@link System#nanoTime()} of the last byte that moved. */
  long lastMove() {
    return lastMove;
  }

  /** Notes that something moved that is not a byte of a tensor. */
  void moved() {
    lastMove = System.nanoTime();
  }

  // ---- both sides

  /** Makes both sides stop; the reason becomes their error. */
  void giveUp(String reason) {
    lock.lock();
    try {
      if (givenUp == null) {
        givenUp = reason;
      }
      moved.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** The writer will come: from now on there are two sides. */
  void writerComes() {
    lock.lock();
    try {
      sides++;
    } finally {
      lock.unlock();
    }
  }

  /** Whether somebody made both sides stop. */
  boolean stopped() {
    lock.lock();
    try {
      return givenUp != null;
    } finally {
      lock.unlock();
    }
  }

  /** One side has touched its last byte. The segments go back with the last side. */
  void leave() {
    lock.lock();
    try {
      if (--sides == 0) {
        releaseBefore(segments.size());
        segments.clear();
        // handles outlive their state: what the sources hold must not stay with them
        columns.clear();
        pending.clear();
        specs = null;
        encodedValues = ByteBuffer.allocate(0);
      }
    } finally {
      lock.unlock();
    }
  }

  private void releaseBefore(int index) {
    for (int i = index - 1; i >= 0; i--) {
      StagingPool.Segment segment = segments.get(i);
      if (segment == null) {
        return;
      }
      segments.set(i, null);
      pool.release(segment);
    }
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
