package dev.ckpt.internal.run;

import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds the exit of the JVM until the training stands at a cut. On SIGTERM the hook waits for the
 * training thread to arrive and save; the training thread, once it has, waits for the JVM to end:
 * were it to go on, the exit would tear the native engine down under a running backward, which
 * crashes. Both waits end with the grace.
 */
public final class StopSignal implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(StopSignal.class);

  private final Duration grace;
  private final AtExit atExit;
  private final CountDownLatch arrived = new CountDownLatch(1);
  private final Thread hook = new Thread(this::hold, "ckpt-stop");
  private volatile @Nullable Thread training;
  private volatile boolean requested;
  private volatile boolean failed;

  /** What to do before the process is gone; on the hook's thread. */
  public interface AtExit {
    /**
     * It was asked to end.
     *
     * @param atCut whether the training has arrived; else the grace is over
     */
    void stopped(boolean atCut);

    /** The training thread has died, failed to begin, or ends the process; nobody has closed. */
    void abandoned();
  }

  /**
   * @param grace longest hold
   */
  public StopSignal(Duration grace, AtExit atExit) {
    this.grace = grace;
    this.atExit = atExit;
  }

  /** Starts to listen. */
  public void install() {
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** This thread will come to cuts from now on. */
  public void training(Thread thread) {
    training = thread;
  }

  /** The training failed before its first cut: at the exit that is said, and nothing waited for. */
  public void failed() {
    failed = true;
  }

  /** No thread will come to a cut any more. */
  public void idle() {
    training = null;
    arrived.countDown();
  }

  /** Whether the process is ending. */
  public boolean requested() {
    return requested;
  }

  /** The training thread has done what it could; holds it until the process ends. */
  public void arrive() {
    arrived.countDown();
    try {
      Thread.sleep(grace.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void hold() {
    Thread thread = training;
    requested = true;
    if (failed || (thread != null && (!thread.isAlive() || exits(thread)))) {
      atExit.abandoned();
      return;
    }
    if (thread == null) {
      return;
    }
    log.info("asked to end: saving at the next cut, at most {} s", grace.toSeconds());
    boolean atCut = false;
    try {
      atCut = arrived.await(grace.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    atExit.stopped(atCut);
  }

  /** A thread that waits in System.exit comes to no cut. */
  private static boolean exits(Thread thread) {
    return Arrays.stream(thread.getStackTrace())
        .anyMatch(frame -> frame.getClassName().equals("java.lang.Shutdown"));
  }

  @Override
  public void close() {
    idle();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      log.trace("the JVM is ending", e);
    }
  }
}
