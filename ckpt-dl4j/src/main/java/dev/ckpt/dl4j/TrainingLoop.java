package dev.ckpt.dl4j;

import java.time.Duration;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The user's training data, entered where the run stands. DL4J's {@code fit} asks {@code hasNext()}
 * on the training thread, behind the update and its constraints, before the next batch: that is the
 * boundary. Behind the end of an epoch, {@code fit} counts it, and asks again or resets.
 *
 * <p>An order that the source draws when it is reset, and what it draws for a batch, come from
 * ND4J's generator seeded with the epoch and the place of the batch: so it is the same on whatever
 * thread, and after a resume. A source that shuffles what it had shuffled before is reset once for
 * each epoch that is done.
 */
final class TrainingLoop<T> {
  private static final Logger log = LoggerFactory.getLogger(TrainingLoop.class);
  private static final Duration AT_CLOSE = Duration.ofSeconds(2);

  private final Source<T> source;
  private final Session session;
  private final int ahead;
  private @Nullable Prefetcher<T> prefetcher;

  /** The epoch whose batches are given; -1 before the first. */
  private int entered = -1;

  /** How often the source was reset, less one: the epoch that it is in. */
  private int sourceEpoch = -1;

  /** The place in the epoch of the batch that is loaded next. Belongs to whoever loads. */
  private long loading;

  private boolean peeked;
  private boolean slowSkipSaid;

  TrainingLoop(Source<T> source, Session session, int ahead) {
    this.source = source;
    this.session = session;
    this.ahead = ahead;
    session.closing(this::detach);
  }

  boolean isOf(Session other) {
    return session == other;
  }

  boolean hasNext() {
    if (session.refusesLoader()) {
      return false;
    }
    session.requireTrainingThread();
    session.boundary();
    boolean ofThisEpoch = entered == session.position().epoch();
    if (peeked && ofThisEpoch) {
      session.offerHere(true); // if it was asked before the update, too
      return true;
    }
    peeked = false; // a batch that was asked for and not taken is of the epoch that has ended
    if (!ofThisEpoch) {
      session.requireTrainable();
    }
    boolean more;
    try {
      if (!ofThisEpoch) {
        enter();
      }
      more = load();
    } catch (Throwable e) {
      session.failed(e);
      throw e;
    }
    if (!more) {
      session.exhausted();
      session.parts().environment().epochHad(session.position().epochSamples());
    }
    session.offerHere(more);
    peeked = more;
    return more;
  }

  T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    peeked = false;
    T batch;
    try {
      Prefetcher<T> loader = prefetcher;
      batch = loader == null ? loaded() : loader.next();
    } catch (Throwable e) {
      session.failed(e);
      throw e;
    }
    long samples = source.samples(batch);
    Position position = session.position();
    if (position.batch() == 0 && source.size() == 0) {
      position.beginsWith(FirstBatch.of(position.epoch(), samples, source.arrays(batch)));
    }
    session.delivered(samples);
    return batch;
  }

  /** Whether there is a batch; with a prefetcher it is there. */
  private boolean load() {
    Prefetcher<T> loader = prefetcher;
    return loader == null
        ? session.parts().randomness().loading(entered, loading, source::hasNext)
        : loader.hasNext();
  }

  private T loaded() {
    return session.parts().randomness().loading(entered, loading++, source::next);
  }

  /** Ends the epoch if its batches have been given or none was left. */
  void reset() {
    session.requireTrainingThread();
    Callers.refuseCounting();
    Callers.refuseReaders();
    session.reset();
    peeked = false;
    if (entered != session.position().epoch()) {
      entered = -1;
    }
  }

  private void enter() {
    Callers.refuseWorkers();
    Callers.refuseLoaders();
    Callers.refuseCounting();
    Callers.refuseReaders();
    Prefetcher<T> before = prefetcher;
    if (before != null) {
      prefetcher = null;
      before.close(null); // two must not read the source
    }
    int epoch = session.position().epoch();
    loading = session.position().batchesToSkip(source.batchSize());
    boolean begun = loading > 0;
    long passed = goTo(epoch);
    session.position().enter(source.batchSize(), loading, passed);
    session.parts().environment().data(source, begun);
    session.enteredEpoch();
    entered = epoch;
    if (ahead > 0) {
      prefetcher = new Prefetcher<>(ahead, this::prefetch);
    }
  }

  private @Nullable T prefetch() {
    return session.parts().randomness().loading(entered, loading, source::hasNext)
        ? loaded()
        : null;
  }

  /**
   * Goes to the batch that is loaded next.
   *
   * @return samples before it
   */
  private long goTo(int epoch) {
    long key = session.parts().randomness().orderKey(epoch);
    boolean seeks = source.seek(key, loading);
    long passed = 0;
    if (!seeks) {
      go(epoch);
      saySlowSkip();
      passed = skip(epoch, loading);
    }
    while (loading > 0
        && !session.trainee().canEndEpochAfterResume()
        && !session.parts().randomness().loading(epoch, loading, source::hasNext)) {
      if (!seeks) {
        throw new IllegalStateException(
            "Of epoch "
                + epoch
                + " all batches are done that "
                + source.name()
                + " gives now, and SameDiff cannot end an epoch without one: give the data and the"
                + " batch size of the checkpoint until that epoch has ended, or ckpt.batches(...)");
      }
      source.seek(key, --loading); // its last one comes again
    }
    return seeks ? Math.min(source.size(), loading * source.batchSize()) : passed;
  }

  /** Resets the source as often as it would have been by now. */
  private void go(int epoch) {
    if (!source.resetSupported()) {
      if (sourceEpoch >= 0 || epoch > 0) {
        throw new IllegalStateException(
            source.name()
                + " cannot be reset, and the training is in its epoch "
                + (epoch + 1)
                + ": give an iterator that can");
      }
      sourceEpoch = epoch;
      return;
    }
    if (sourceEpoch >= epoch) {
      sourceEpoch = epoch - 1; // the same epoch again: only a source without history can
    }
    while (sourceEpoch < epoch) {
      sourceEpoch++;
      session.parts().randomness().order(sourceEpoch, source::reset);
      FirstBatch before = session.position().firstBefore();
      if (sourceEpoch < epoch && before != null && before.epoch() == sourceEpoch) {
        skip(sourceEpoch, 1); // the epoch before, to see that it is the same one
      }
    }
  }

  private void saySlowSkip() {
    if (loading > 0 && !slowSkipSaid) {
      slowSkipSaid = true;
      log.info(
          "{} batches of {} are read and dropped to resume inside the epoch",
          loading,
          source.name());
    }
  }

  /** Reads as many batches and gives the number of their samples. */
  private long skip(int epoch, long batches) {
    long samples = 0;
    for (long i = 0; i < batches; i++) {
      long place = i;
      boolean more = session.parts().randomness().loading(epoch, place, source::hasNext);
      if (!more) {
        break;
      }
      T batch = session.parts().randomness().loading(epoch, place, source::next);
      samples += source.samples(batch);
      if (i == 0) {
        compare(epoch, batch);
      }
    }
    return samples;
  }

  /** Says it if the data are others than before the resume, or come in another order. */
  private void compare(int epoch, T first) {
    FirstBatch before = session.position().firstBefore();
    if (before == null || before.epoch() != epoch) {
      return;
    }
    session.position().firstIsCompared();
    FirstBatch now = FirstBatch.of(epoch, source.samples(first), source.arrays(first));
    if (now.samples() != before.samples() && source.batchSize() == 0) {
      log.warn(
          "The first batch of epoch {} had {} samples in the checkpoint and has {} now: a begun"
              + " epoch goes on behind as many batches as are done, so some of its samples come"
              + " again or are left out; whole epochs follow",
          epoch,
          before.samples(),
          now.samples());
    } else if (now.samples() == before.samples() && !now.equals(before)) {
      log.warn(
          "{} gives other batches than before the resume: the first one of epoch {} is another. The"
              + " training goes on, but not to the bits of an uninterrupted one; of a begun epoch"
              + " some samples may come again and others not. Either the data are others, or their"
              + " order depends on what only that process knew: a java.util.Random, or how often"
              + " the iterator was reset, as an evaluation on it does. Evaluate on another"
              + " iterator, shuffle with ckpt.batches(...), draw from ckpt.random(...)",
          source.name(),
          epoch);
    }
  }

  /** The training is over, or has thrown: what hangs in the source does not keep it from that. */
  private void detach() {
    Prefetcher<T> loader = prefetcher;
    if (loader != null) {
      prefetcher = null;
      if (!loader.close(AT_CLOSE)) {
        log.warn(
            "{} has not given the batch that it is loading: its thread is left behind",
            source.name());
      }
    }
  }
}
