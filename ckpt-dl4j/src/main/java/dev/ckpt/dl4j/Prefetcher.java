package dev.ckpt.dl4j;

import java.time.Duration;
import java.util.NoSuchElementException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Loads the batches of one epoch ahead, on a thread of its own. What was loaded and not taken is
 * never counted: the place in the data is that of the training.
 */
final class Prefetcher<T> {
  private static final AtomicInteger NUMBER = new AtomicInteger();

  /** One batch, or the end of them, or why there is none. */
  private record Item<T>(@Nullable T batch, @Nullable Throwable failure) {}

  private final BlockingQueue<Item<T>> ready;
  private final Thread thread;
  private volatile boolean closed;
  private @Nullable Item<T> head;

  /**
   * Begins to load.
   *
   * @param ahead how many batches wait at most
   * @param load gives the next one, or null at the end
   */
  Prefetcher(int ahead, Supplier<@Nullable T> load) {
    this.ready = new ArrayBlockingQueue<>(ahead);
    this.thread = new Thread(() -> fill(load), "ckpt-prefetch-" + NUMBER.incrementAndGet());
    thread.setDaemon(true);
    thread.start();
  }

  private void fill(Supplier<@Nullable T> load) {
    boolean more = true;
    while (more && !closed) {
      Item<T> item;
      try {
        item = new Item<>(load.get(), null);
      } catch (Throwable e) {
        item = new Item<>(null, e);
      }
      more = item.batch != null;
      try {
        ready.put(item);
      } catch (InterruptedException e) {
        return; // nobody but close() has this thread
      }
    }
  }

  /**
   * Waits for the next batch. An interrupt does not cut that short: it stays set, for the boundary.
   */
  boolean hasNext() {
    return head().batch != null;
  }

  T next() {
    T batch = head().batch;
    if (batch == null) {
      throw new NoSuchElementException();
    }
    head = null;
    return batch;
  }

  private Item<T> head() {
    Item<T> item = head;
    boolean interrupted = false;
    while (item == null) {
      try {
        item = ready.take();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    head = item;
    if (item.failure != null) {
      throw Prefetcher.<RuntimeException>undeclared(item.failure);
    }
    return item;
  }

  /** Also what is checked: iterators in Kotlin or Scala throw it, and none of DL4J declares it. */
  @SuppressWarnings("unchecked") // the type is there for the compiler alone
  private static <E extends Throwable> E undeclared(Throwable failure) throws E {
    throw (E) failure;
  }

  /**
   * Ends the loading, and waits for the batch that is being loaded. The thread is not interrupted,
   * which would close files under the source.
   *
   * @param atMost how long; null: as long as the source takes, as a training waits for its data
   * @return whether the loading has ended, so that the source belongs to the caller again
   */
  boolean close(@Nullable Duration atMost) {
    closed = true;
    long begin = System.nanoTime();
    boolean interrupted = false;
    while (thread.isAlive() && (atMost == null || System.nanoTime() - begin < atMost.toNanos())) {
      ready.clear();
      try {
        thread.join(TimeUnit.MILLISECONDS.toMillis(10));
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return !thread.isAlive();
  }
}
