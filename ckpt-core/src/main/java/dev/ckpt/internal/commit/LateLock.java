package dev.ckpt.internal.commit;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The lock of a start that went on although somebody else held it: a daemon thread tries again
 * until it has it. Until then a maintenance might find the lock free, and this run unused.
 */
final class LateLock implements Closeable {
  private static final Logger log = LoggerFactory.getLogger(LateLock.class);
  private static final long A_MOMENT_MILLIS = 500;

  private final CheckpointStore store;
  private final String key;
  private final String holder;
  private final CountDownLatch closed = new CountDownLatch(1);
  private @Nullable Closeable lock;

  private LateLock(CheckpointStore store, String key, String holder) {
    this.store = store;
    this.key = key;
    this.holder = holder;
  }

  static LateLock of(CheckpointStore store, String key, String holder) {
    LateLock late = new LateLock(store, key, holder);
    Thread thread = new Thread(late::tryUntilClosed, "ckpt-lock");
    thread.setDaemon(true);
    thread.start();
    return late;
  }

  private void tryUntilClosed() {
    try {
      while (!closed.await(A_MOMENT_MILLIS, TimeUnit.MILLISECONDS)) {
        Closeable taken = taken();
        if (taken != null) {
          keep(taken);
          return;
        }
      }
    } catch (InterruptedException | IOException e) {
      log.debug("{} is not locked by this process", key, e);
    }
  }

  private @Nullable Closeable taken() {
    try {
      return store.lock(key, holder);
    } catch (IOException | RuntimeException e) {
      // held still, or the store does not answer: next time
      log.trace("{} cannot be locked yet", key, e);
      return null;
    }
  }

  private void keep(Closeable taken) throws IOException {
    synchronized (this) {
      if (closed.getCount() > 0) {
        lock = taken;
        return;
      }
    }
    taken.close();
  }

  /** Never waits for a store that hangs: what is locked after this is let go at once. */
  @Override
  public void close() throws IOException {
    Closeable held;
    synchronized (this) {
      closed.countDown();
      held = lock;
      lock = null;
    }
    if (held != null) {
      held.close();
    }
  }
}
