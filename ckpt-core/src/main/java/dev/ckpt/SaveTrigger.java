package dev.ckpt;

import java.time.Duration;
import java.util.List;

/**
 * Says whether to save at a cut. A pure function of the moment; called on the training thread at
 * every cut, so it neither blocks nor allocates.
 */
@FunctionalInterface
public interface SaveTrigger {

  boolean shouldSave(Moment now);

  /** At each step whose number {@code n} divides. */
  static SaveTrigger everySteps(long n) {
    if (n < 1) {
      throw new IllegalArgumentException("everySteps needs at least 1, not " + n);
    }
    return now -> now.kind() == Moment.Kind.STEP && now.progress().step() % n == 0;
  }

  /**
   * At the first step after {@code interval} has passed since the last save. One that failed is
   * tried again earlier: after a minute, then after twice as long each time, and after {@code
   * interval} at the latest.
   */
  static SaveTrigger every(Duration interval) {
    if (interval.isNegative() || interval.isZero()) {
      throw new IllegalArgumentException("every needs a positive duration, not " + interval);
    }
    return now -> now.kind() == Moment.Kind.STEP && now.sinceSave().compareTo(interval) >= 0;
  }

  /** When an epoch, its validation and its listeners are done. */
  static SaveTrigger everyEpoch() {
    return on(Moment.Kind.EPOCH_END);
  }

  /** When the process is asked to end. */
  static SaveTrigger onStop() {
    return on(Moment.Kind.STOP);
  }

  /** When the training throws at a cut. */
  static SaveTrigger onException() {
    return on(Moment.Kind.EXCEPTION);
  }

  /** When the training reaches its goal. */
  static SaveTrigger onCompletion() {
    return on(Moment.Kind.COMPLETION);
  }

  /** When one of them says so. */
  static SaveTrigger anyOf(SaveTrigger... triggers) {
    List<SaveTrigger> all = List.of(triggers);
    return now -> {
      for (int i = 0; i < all.size(); i++) {
        if (all.get(i).shouldSave(now)) {
          return true;
        }
      }
      return false;
    };
  }

  private static SaveTrigger on(Moment.Kind kind) {
    return now -> now.kind() == kind;
  }
}
