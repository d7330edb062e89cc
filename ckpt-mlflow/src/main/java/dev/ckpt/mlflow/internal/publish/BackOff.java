package dev.ckpt.mlflow.internal.publish;

import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Pauses between tries: each twice as long as the one before, up to a limit, and no two processes
 * at once.
 */
final class BackOff {
  private final Duration first;
  private final Duration longest;
  private int failures;

  BackOff(Duration first, Duration longest) {
    this.first = first;
    this.longest = longest;
  }

  /** Another try has failed. */
  Duration next(Optional<Duration> asked) {
    double doubled = first.toNanos() * Math.pow(2, Math.min(failures, 30));
    failures++;
    double jitter = 0.8 + 0.4 * ThreadLocalRandom.current().nextDouble();
    Duration own = Duration.ofNanos((long) (Math.min(doubled, longest.toNanos()) * jitter));
    return asked.filter(wish -> wish.compareTo(own) > 0).orElse(own);
  }

  void succeeded() {
    failures = 0;
  }

  /** How many tries in a row have failed. */
  int failures() {
    return failures;
  }
}
