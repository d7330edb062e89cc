package dev.ckpt.testkit;

import java.util.LinkedHashMap;
import java.util.Map;

/** What is open, and where in the program it was opened. Thread-safe. */
final class OpenHandles {

  private final Map<Object, Throwable> open = new LinkedHashMap<>();

  /** Told of an opening; {@code handle} is compared by its own {@code equals}. */
  synchronized void opened(Object handle, String what) {
    open.put(handle, new Throwable(what + ", opened here by thread " + thread()));
  }

  synchronized void closed(Object handle) {
    open.remove(handle);
  }

  /**
   * Fails if something is open.
   *
   * @throws AssertionError with the stack trace of one opening as its cause, and of all others
   *     suppressed
   */
  synchronized void assertNone() {
    if (open.isEmpty()) {
      return;
    }
    StringBuilder names = new StringBuilder();
    open.values().forEach(where -> names.append("\n  ").append(where.getMessage()));
    AssertionError leak = new AssertionError(open.size() + " handle(s) left open:" + names);
    for (Throwable where : open.values()) {
      if (leak.getCause() == null) {
        leak.initCause(where);
      } else {
        leak.addSuppressed(where);
      }
    }
    throw leak;
  }

  private static String thread() {
    return Thread.currentThread().getName();
  }
}
