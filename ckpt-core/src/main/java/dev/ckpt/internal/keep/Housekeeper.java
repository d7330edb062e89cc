package dev.ckpt.internal.keep;

import dev.ckpt.internal.run.Uninterruptibly;
import dev.ckpt.spi.CheckpointListener;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Daemon threads for what nobody waits for: one for listeners and retention, one for completions of
 * handles. What fails here is logged and harms nothing.
 */
public final class Housekeeper implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Housekeeper.class);

  private final ThreadFactory threads;
  private final ThreadPoolExecutor thread;
  private final ThreadPoolExecutor completions;
  private final List<CheckpointListener> listeners;
  private final Set<Class<?>> warned = new HashSet<>();
  private final Set<String> waiting = ConcurrentHashMap.newKeySet();

  /**
   * @param listeners told of events, in this order
   */
  public Housekeeper(ThreadFactory threads, List<CheckpointListener> listeners) {
    this.threads = threads;
    this.thread = single(threads);
    this.completions = single(threads);
    this.listeners = List.copyOf(listeners);
  }

  private static ThreadPoolExecutor single(ThreadFactory threads) {
    ThreadPoolExecutor executor =
        new ThreadPoolExecutor(1, 1, 1, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), threads);
    executor.allowCoreThreadTimeOut(true);
    return executor;
  }

  /** A piece of work that may fail. */
  @FunctionalInterface
  public interface Chore {
    void run() throws IOException;
  }

  /** Does it when its turn comes. */
  public void later(String what, Chore chore) {
    if (!queued(what, chore)) {
      log.debug("{} is left to the next start: this one is closed", what);
    }
  }

  private boolean queued(String what, Chore chore) {
    try {
      thread.execute(
          () -> {
            try {
              chore.run();
            } catch (IOException | RuntimeException e) {
              log.warn("{} failed; training and saves go on: {}", what, e.toString());
              log.debug("{} failed", what, e);
            }
          });
      return true;
    } catch (RejectedExecutionException e) {
      return false;
    }
  }

  /**
   * Does it behind what is queued by then, for work that is long and looks at everything: asked for
   * again before it begins, it is done once, so that nothing waits behind more than one.
   */
  public void onceLater(String what, Chore chore) {
    if (waiting.add(what)) {
      later(what, () -> letOthersPass(what, chore));
    }
  }

  private void letOthersPass(String what, Chore chore) throws IOException {
    // closed meanwhile: what is queued is still done, and this is
    if (thread.getQueue().isEmpty() || !queued(what, () -> begin(what, chore))) {
      begin(what, chore);
    }
  }

  private void begin(String what, Chore chore) throws IOException {
    waiting.remove(what);
    chore.run();
  }

  /** Tells every listener; what one throws does not keep the event from the next. */
  void tell(java.util.function.Consumer<CheckpointListener> event) {
    for (CheckpointListener listener : listeners) {
      try {
        event.accept(listener);
      } catch (RuntimeException | LinkageError e) {
        if (warned.add(listener.getClass())) {
          log.warn("checkpoint listener {} failed", listener, e);
        }
      }
    }
  }

  /** Where handles complete: never behind a chore or a listener that hangs. */
  public Executor completions() {
    return task -> {
      try {
        completions.execute(task);
      } catch (RejectedExecutionException e) {
        // closed: a completion must still reach its handle
        task.run();
      }
    };
  }

  /**
   * Does something on a thread of its own and waits for it, at most that long: for calls into a
   * store that may hang.
   *
   * @throws TimeoutException if it is not done by then; it may still be done later
   * @throws IOException what it threw
   */
  public <T> T within(Duration deadline, Callable<T> work) throws TimeoutException, IOException {
    FutureTask<T> task = new FutureTask<>(work);
    threads.newThread(task).start();
    try {
      return Uninterruptibly.<T, Exception>await(
          deadline.toNanos(), left -> task.get(left, TimeUnit.NANOSECONDS));
    } catch (TimeoutException e) {
      throw e;
    } catch (Exception e) {
      if (e.getCause() instanceof IOException failure) {
        throw failure;
      }
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IOException(e.getCause());
    }
  }

  /** Takes no more work; what is queued is still done, by a daemon. */
  @Override
  public void close() {
    thread.shutdown();
    completions.shutdown();
  }

  /** Waits for the queue to empty after {@link #close()}. */
  public boolean awaitEnd(Duration deadline) {
    return Uninterruptibly.await(
        deadline.toNanos(), left -> thread.awaitTermination(left, TimeUnit.NANOSECONDS));
  }
}
