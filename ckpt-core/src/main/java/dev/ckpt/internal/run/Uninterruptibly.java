package dev.ckpt.internal.run;

/**
 * Bounded waits that an interrupt does not cut short. Interrupting a training (a cancelled future,
 * a notebook's stop) must not lose the save that is in flight; every wait here ends by its deadline
 * anyway, and the thread stays interrupted for whoever asks next.
 */
public final class Uninterruptibly {
  private Uninterruptibly() {}

  /** A wait of at most that many nanoseconds. */
  @FunctionalInterface
  public interface Wait<T, E extends Exception> {
    T atMost(long nanos) throws InterruptedException, E;
  }

  /** Waits to the end, whatever interrupts come. */
  public static <T, E extends Exception> T await(long nanos, Wait<T, E> wait) throws E {
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return wait.atMost(Math.max(0, nanos - (System.nanoTime() - start)));
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
}
