package dev.ckpt.testkit;

import java.time.Duration;

/**
 * Holds calls until it is released; like a medium that hangs it does not react to interrupts, and
 * leaves the interrupt status as it was. Once released it is open for good.
 */
public final class Gate {

  private int arrivals;
  private int held;
  private boolean released;

  Gate() {}

  synchronized void pass() {
    arrivals++;
    held++;
    notifyAll();
    boolean interrupted = false;
    while (!released) {
      try {
        wait();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    held--;
    notifyAll();
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Waits until {@code n} calls have arrived in all.
   *
   * @throws AssertionError if they do not within {@code atMost}
   */
  public synchronized void awaitArrivals(int n, Duration atMost) throws InterruptedException {
    long deadline = System.nanoTime() + atMost.toNanos();
    while (arrivals < n) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        throw new AssertionError(arrivals + " of " + n + " calls arrived within " + atMost);
      }
      wait(left / 1_000_000 + 1);
    }
  }

  /** How many calls are held just now. */
  public synchronized int held() {
    return held;
  }

  /** Lets all calls go on, those held and those to come. Idempotent. */
  public synchronized void release() {
    released = true;
    notifyAll();
  }
}
