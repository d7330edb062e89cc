package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Moment.Kind;
import dev.ckpt.SaveHandle;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A training of which the listener is all there is. Nobody sees its data, so nobody knows that a
 * batch is the last one of its epoch, and DL4J cannot enter an epoch only to end it: it begins it
 * anew. So how long an epoch is, is learned from the one before, and what is due at its last batch
 * is saved when the epoch ends. In the first epoch a save may come at the last batch; the end of
 * the epoch is then saved as well. If the process dies between the two, the program ends the epoch
 * with {@link #endEpoch}.
 */
final class ListenerOnly {
  private static final Logger log = LoggerFactory.getLogger(Session.class);

  private final CheckpointManager manager;
  private final Parts parts;
  private final Supplier<Trainee> trainee;
  private final Function<Kind, Optional<SaveHandle>> offer;
  private boolean said;
  private boolean savedInLastUpdate;

  ListenerOnly(
      CheckpointManager manager,
      Parts parts,
      Supplier<Trainee> trainee,
      Function<Kind, Optional<SaveHandle>> offer) {
    this.manager = manager;
    this.parts = parts;
    this.trainee = trainee;
    this.offer = offer;
  }

  /**
   * An update was made, seen from inside it.
   *
   * @return whether it is counted: not if a batch makes several
   */
  boolean update(long samples) {
    if (trainee.get().updatesWithinBatches()) {
      return false;
    }
    sayOnce();
    parts.counters().ahead(1, 0);
    try {
      parts.position().batchDone(samples);
      savedInLastUpdate = !parts.position().mayBeEndOfEpoch() && offer.apply(Kind.STEP).isPresent();
    } finally {
      parts.counters().ahead(0, 0);
    }
    return true;
  }

  /** The epoch has ended and is not counted yet. */
  void epochEnds() {
    sayOnce();
    boolean savedAsBegun = savedInLastUpdate;
    savedInLastUpdate = false;
    parts.counters().ahead(0, 1);
    try {
      parts.position().wholeEpochDone();
      if (offer.apply(Kind.EPOCH_END).isEmpty()
          && offer.apply(Kind.STEP).isEmpty() // for what was due at the last batch
          && savedAsBegun) {
        manager.save(parts.position().progress(), parts.metrics().all());
      }
    } finally {
      parts.counters().ahead(0, 0);
    }
  }

  /**
   * Ends an epoch whose batches were all done when it was saved, as DL4J does behind them.
   *
   * @param heard what {@code CutListener} calls at the end of an epoch
   */
  void endEpoch(Runnable heard) {
    int epoch = parts.position().epoch();
    trainee.get().tellEpochEnd();
    if (parts.position().epoch() == epoch) {
      heard.run(); // the listener is not added yet, or is not told
    }
    trainee.get().counters(trainee.get().iteration(), trainee.get().epoch() + 1);
  }

  private void sayOnce() {
    if (!said) {
      said = true;
      log.warn(
          "The iterator is not wrapped: {}. Train with ckpt.fit(...) or iterate over"
              + " ckpt.iterator(...), which find the place in the data by themselves.",
          trainee.get().updatesWithinBatches()
              ? "with truncated BPTT checkpoints are saved at the ends of epochs only"
              : "a resume begins at batch ckpt.progress().batch() of the epoch, to which the"
                  + " program must go; if no batch follows, it must not fit but call"
                  + " ckpt.endEpoch()");
    }
  }
}
