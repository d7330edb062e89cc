package dev.ckpt.dl4j;

import java.util.function.Supplier;

/**
 * The epoch whose batches our iterator gives, and how far the program is with it. It sees updates
 * and the ends of DL4J's epochs by the trainee's own counters. On the training thread.
 */
final class GivenEpoch {
  private static final int NONE = -1;

  private final Supplier<Trainee> trainee;
  private boolean entered;
  private boolean exhausted;
  private boolean offerDue;
  private long given;
  private long openSamples = NONE;
  private int epochAtEntry;
  private int iterationAtEntry;
  private int iterationAtDelivery;

  /** When it ended, until something follows. */
  private int iterationAtEnd = NONE;

  GivenEpoch(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  void enter() {
    entered = true;
    exhausted = false;
    given = 0;
    iterationAtEnd = NONE;
    epochAtEntry = trainee.get().epoch();
    iterationAtEntry = trainee.get().iteration();
  }

  void give(long samples) {
    openSamples = samples;
    given++;
    iterationAtDelivery = trainee.get().iteration();
  }

  /** There is no further batch. */
  void exhaust() {
    exhausted = true;
  }

  void end() {
    iterationAtEnd = entered ? trainee.get().iteration() : NONE;
    entered = false;
    exhausted = false;
    offerDue = false;
    given = 0;
  }

  /** Whether it has been entered and not been ended. */
  boolean isEntered() {
    return entered;
  }

  boolean isExhausted() {
    return exhausted;
  }

  /** Whether it has given a batch in this process. */
  boolean hasGiven() {
    return given > 0;
  }

  /** Whether the loop holds a batch. */
  boolean isOpen() {
    return openSamples >= 0;
  }

  /** Samples of the batch that the loop holds; 0 if it holds none. */
  long openSamples() {
    return Math.max(0, openSamples);
  }

  /** The loop is done with the batch that it held. */
  void close() {
    openSamples = NONE;
    offerDue = true;
  }

  /** Whether a batch was done, and nothing was offered since. */
  boolean isOfferDue() {
    return offerDue;
  }

  void offered() {
    offerDue = false;
  }

  /** Whether the batch that came last waits for its update: several may be merged into one. */
  boolean isHeld() {
    return entered && offerDue && trainee.get().iteration() == iterationAtDelivery;
  }

  /** Whether DL4J's own count tells that its loop is done with it. */
  boolean isCounted() {
    return entered && trainee.get().epoch() != epochAtEntry;
  }

  /** Whether the program is behind it; not inside of a loop that has yet to tell the listeners. */
  boolean isOver() {
    return isCounted() || (entered && exhausted && !Callers.isFit());
  }

  /** Whether it has ended, and nothing was trained since. */
  boolean isJustEnded() {
    return iterationAtEnd != NONE && iterationAtEnd == trainee.get().iteration();
  }

  /** From now on whoever ends one means another. */
  void forgetEnd() {
    iterationAtEnd = NONE;
  }

  /**
   * Refuses what has not trained the network.
   *
   * @throws IllegalStateException saying what it may be
   */
  void requireUpdated() {
    if (given > 0 && trainee.get().iteration() == iterationAtEntry) {
      throw new IllegalStateException(
          "None of the "
              + given
              + " batches of this epoch updated the network as a whole. Either another one is"
              + " trained with them, a copy perhaps: give the network that is trained to"
              + " ckpt.resume(net). Or layers are pretrained (net.pretrain), each with updaters"
              + " that nobody can read: do that before the run is resumed, without"
              + " ckpt.iterator(...).");
    }
  }
}
