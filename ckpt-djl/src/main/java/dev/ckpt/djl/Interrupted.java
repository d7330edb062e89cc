package dev.ckpt.djl;

import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The training thread was interrupted, as by a notebook's Stop, and the training ended by that: no
 * failure, and no sign of a crash loop. The thread's interrupt is cleared when this is thrown.
 */
final class Interrupted extends CancellationException {
  private static final long serialVersionUID = 1L;

  private Interrupted(String message) {
    super(message);
  }

  /** Clears the thread's interrupt, which this says. */
  static Interrupted because(String message) {
    Thread.interrupted();
    return new Interrupted(message);
  }

  /** Whether an interrupt of this very thread broke what it did, as the JDK and DJL tell it. */
  static boolean broke(Throwable thrown) {
    // behind an ExecutionException it is another thread's
    for (@Nullable Throwable e = thrown;
        e != null && !(e instanceof ExecutionException);
        e = e.getCause()) {
      if (e instanceof InterruptedException || e instanceof ClosedByInterruptException) {
        return true;
      }
      // which is also what a read says that timed out, in its own class or with a message
      if (e instanceof InterruptedIOException
          && (Thread.currentThread().isInterrupted()
              || e.getClass() == InterruptedIOException.class && e.getMessage() == null)) {
        return true;
      }
    }
    return false;
  }

  /**
   * @param what was being done with the store, for the message
   * @return what to throw for {@code thrown}
   */
  static RuntimeException or(RuntimeException thrown, String what) {
    if (!broke(thrown)) {
      return thrown;
    }
    Interrupted said = because("Interrupted while " + what + ": nothing was trained. Do it again");
    said.initCause(thrown);
    return said;
  }
}
