package dev.ckpt.internal.commit;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Many small reads, shared out among a few threads: each waits for the medium, then decodes. */
final class SharedWork {

  /** What is done for one of them, on any thread. */
  @FunctionalInterface
  interface Step<K, V> {
    V of(K item) throws IOException;
  }

  private static final int MOST = 4;

  /** How many are taken at once; fewer than two such runs are not worth a thread. */
  private static final int RUN = 64;

  private SharedWork() {}

  /**
   * Does it for all, this thread being one of at most {@value #MOST}.
   *
   * @return the results in the order of the items
   * @throws IOException what a step threw, or if this thread was interrupted
   */
  static <K, V> List<V> map(List<K> items, Step<K, V> step) throws IOException {
    List<@Nullable V> results = new ArrayList<>(Collections.nCopies(items.size(), null));
    AtomicInteger next = new AtomicInteger();
    AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    Runnable work = () -> work(items, step, results, next, failure);
    int helpers =
        Math.min(Math.min(MOST, Runtime.getRuntime().availableProcessors()), items.size() / RUN)
            - 1;
    List<Thread> started = new ArrayList<>();
    for (int i = 1; i <= helpers; i++) {
      Thread thread = new Thread(work, "ckpt-read-" + i);
      thread.setDaemon(true);
      thread.start();
      started.add(thread);
    }
    work.run();
    for (Thread thread : started) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        next.set(items.size());
        Thread.currentThread().interrupt();
        throw new IOException("interrupted while reading records", e);
      }
    }
    Throwable thrown = failure.get();
    if (thrown instanceof IOException e) {
      throw e;
    } else if (thrown instanceof RuntimeException e) {
      throw e;
    } else if (thrown instanceof Error e) {
      throw e;
    }
    return results.stream().map(each -> java.util.Objects.requireNonNull(each)).toList();
  }

  // what a helper throws must reach the caller, whatever it is
  @SuppressWarnings("CatchingUnchecked")
  private static <K, V> void work(
      List<K> items,
      Step<K, V> step,
      List<@Nullable V> results,
      AtomicInteger next,
      AtomicReference<@Nullable Throwable> failure) {
    try {
      for (int from = next.getAndAdd(RUN); from < items.size(); from = next.getAndAdd(RUN)) {
        for (int i = from; i < Math.min(from + RUN, items.size()); i++) {
          results.set(i, step.of(items.get(i)));
        }
      }
    } catch (Throwable e) {
      failure.compareAndSet(null, e);
      next.set(items.size());
    }
  }
}
