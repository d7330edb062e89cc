package dev.ckpt.cli;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Whether somebody still reads results that come seldom. The JDK notices a reader that left only
 * when it writes; a GNU {@code tail} that shares standard output notices at once, and dies of it.
 * Any other {@code tail} is of no use here and changes nothing.
 */
final class Reader implements AutoCloseable {
  /** 128 and the number of SIGPIPE, as the JDK tells it. */
  private static final int BROKEN_PIPE = 141;

  private final @Nullable Process watch;

  private Reader(@Nullable Process watch) {
    this.watch = watch;
  }

  /** Watches standard output if it is a pipe. */
  static Reader of(Console console) {
    if (!console.piped()) {
      return new Reader(null);
    }
    try {
      String self = Long.toString(ProcessHandle.current().pid());
      return new Reader(
          new ProcessBuilder("tail", "-f", "--pid=" + self, "/dev/null")
              .redirectOutput(ProcessBuilder.Redirect.INHERIT)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start());
    } catch (IOException e) {
      return new Reader(null);
    }
  }

  /** Waits that long, or until nobody reads any more, or somebody interrupts. */
  boolean leftWithin(Duration time) {
    try {
      Process watching = watch;
      if (watching == null) {
        Thread.sleep(time.toMillis());
        return false;
      }
      long end = System.nanoTime() + time.toNanos();
      if (watching.waitFor(time.toNanos(), TimeUnit.NANOSECONDS)) {
        if (watching.exitValue() == BROKEN_PIPE) {
          return true;
        }
        TimeUnit.NANOSECONDS.sleep(end - System.nanoTime());
      }
      return false;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return true;
    }
  }

  @Override
  public void close() {
    if (watch != null) {
      watch.destroy();
    }
  }
}
