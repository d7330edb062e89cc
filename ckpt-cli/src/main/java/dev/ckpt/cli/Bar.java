package dev.ckpt.cli;

import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How far a command is, drawn over and over on one line of stderr, if that is a terminal. Bytes may
 * be told from any thread.
 */
final class Bar implements AutoCloseable {
  private static final int WIDTH = 24;
  private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(100);

  private final Console console;
  private final long whole;
  private final long started = System.nanoTime();
  private final AtomicLong done = new AtomicLong();
  private final AtomicLong drawn = new AtomicLong(started);

  /** A bar for that many bytes. */
  Bar(Console console, long whole) {
    this.console = console;
    this.whole = whole;
  }

  void add(long bytes) {
    long now = done.addAndGet(bytes);
    long last = drawn.get();
    long at = System.nanoTime();
    if (console.watched() && at - last >= PAUSE && drawn.compareAndSet(last, at)) {
      console.err.print("\r" + line(now) + "\u001b[K");
      console.err.flush();
    }
  }

  private String line(long bytes) {
    double part = whole == 0 ? 1 : Math.min(1.0, (double) bytes / whole);
    int full = (int) (part * WIDTH);
    return String.format(
        Locale.ROOT,
        "[%s%s] %3d %%  %s of %s  %s",
        "=".repeat(full),
        " ".repeat(WIDTH - full),
        (int) (part * 100),
        Text.size(bytes),
        Text.size(whole),
        speed(bytes));
  }

  /** Bytes that were told of. */
  long bytes() {
    return done.get();
  }

  double seconds() {
    return (System.nanoTime() - started) / 1e9;
  }

  /** Bytes in each second so far: {@code 1.23 GB/s}. */
  String speed(long bytes) {
    return Text.size((long) (bytes / Math.max(1e-9, seconds()))) + "/s";
  }

  /** Leaves no trace of the bar on the terminal. */
  @Override
  public void close() {
    if (console.watched() && drawn.get() != started) {
      console.err.print("\r\u001b[K");
      console.err.flush();
    }
  }
}
