package dev.ckpt.internal.save;

import dev.ckpt.Moment;
import dev.ckpt.Progress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * How long ago a trigger was last obeyed. A save that failed leaves the training as far behind as
 * before, so a trigger by time must not wait as long again; nor must an outage become a save at
 * each step. So after a failure everything counts from the failed save for a pause that doubles
 * with each further one, and then from the last save that did not fail. Belongs to the training
 * thread.
 */
final class SinceSave {
  private static final long FIRST_PAUSE = TimeUnit.MINUTES.toNanos(1);
  private static final int MOST_DOUBLINGS = 20;

  private final LongSupplier ticker;

  /** Of the last save that was started. */
  private long step;

  private long ticks;

  /** Of the last one before that which did not fail, or of the start. */
  private long goodStep;

  private long goodTicks;

  /** The last one, once it is known to have failed, and when that was. */
  private @Nullable SaveTask failed;

  private long failedTicks;
  private int failures;

  SinceSave(LongSupplier ticker) {
    this.ticker = ticker;
    startFrom(0);
  }

  /** Where the training begins. */
  void startFrom(long begins) {
    step = begins;
    goodStep = begins;
    ticks = ticker.getAsLong();
    goodTicks = ticks;
  }

  /**
   * A save begins.
   *
   * @param before the one before it
   */
  void started(long at, @Nullable SaveTask before) {
    long now = ticker.getAsLong();
    look(before, now);
    if (!hasFailed(before)) {
      failures = 0;
      goodStep = step;
      goodTicks = ticks;
    }
    step = at;
    ticks = now;
  }

  /** What a trigger sees at a cut. */
  Moment moment(Moment.Kind kind, Progress progress, @Nullable SaveTask last) {
    long now = ticker.getAsLong();
    look(last, now);
    boolean again =
        hasFailed(last)
            && now - failedTicks >= FIRST_PAUSE << Math.min(failures - 1, MOST_DOUBLINGS);
    return new Moment(
        kind,
        progress,
        progress.step() - (again ? goodStep : step),
        Duration.ofNanos(now - (again ? goodTicks : ticks)));
  }

  /** One that was given up may have been committed all the same since it was looked at. */
  private boolean hasFailed(@Nullable SaveTask last) {
    return last != null && failed == last && last.result().isEmpty();
  }

  private void look(@Nullable SaveTask last, long now) {
    if (last != null && failed != last && last.decided() && last.result().isEmpty()) {
      failed = last;
      failedTicks = now;
      failures++;
    }
  }
}
