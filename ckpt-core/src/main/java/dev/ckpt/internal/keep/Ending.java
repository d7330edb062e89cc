package dev.ckpt.internal.keep;

import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.run.Failure;
import dev.ckpt.internal.run.Uninterruptibly;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The last word of an attempt: how it ended and where it stood, said once.
 *
 * <p>A failure is remembered, not written: a program may catch what its data threw and train on,
 * and an attempt's first word stands for ever. It is forgotten as soon as a later step is seen.
 * Thread-safe; only {@link #say} waits.
 */
public final class Ending {
  private static final Logger log = LoggerFactory.getLogger(Ending.class);

  private final RunLog run;
  private final Housekeeper house;
  private final int attempt;
  private final InstantSource clock;

  private volatile boolean started;
  private volatile long step;
  private volatile OptionalLong lastStep = OptionalLong.empty();
  private final AtomicReference<@Nullable Failure> failure = new AtomicReference<>();
  private volatile boolean fenced;
  private @Nullable EndRecord tried;
  private long triedAt;
  private final ReentrantLock saying = new ReentrantLock();
  private volatile boolean said;

  public Ending(RunLog run, Housekeeper house, int attempt, InstantSource clock) {
    this.run = run;
    this.house = house;
    this.attempt = attempt;
    this.clock = clock;
  }

  /** The attempt has resumed: from here on it has an end, whether it fails or not. */
  public void startsAt(long step) {
    this.step = step;
    started = true;
  }

  /** The training stands at a cut. */
  public void at(long now) {
    Failure before = failure.get();
    if (before != null && now > before.step().orElse(-1)) {
      failure.compareAndSet(before, null);
    }
    step = now;
  }

  /** The training threw; the first of what it threw at a step counts. */
  public void failed(Throwable thrown, long at) {
    if (Failure.counts(thrown)) {
      failure.compareAndSet(null, Failure.of(thrown, at));
    }
    fenced |= Failure.isFenced(thrown);
  }

  /**
   * The resume threw: the attempt has an end, though it never began.
   *
   * @param at step of the checkpoint that was to be applied, 0 for a fresh start
   */
  public void failedToResume(Throwable thrown, long at) {
    if (Failure.counts(thrown)) {
      failure.compareAndSet(null, Failure.ofResume(thrown, at));
    }
    fenced |= Failure.isFenced(thrown);
  }

  /** The training threw where it was last seen. */
  public void failedHere(Throwable thrown) {
    failed(thrown, step);
  }

  /** Whether what was thrown is still to be said. */
  public boolean wasThrown() {
    return hasFailed() || fenced;
  }

  private boolean hasFailed() {
    return failure.get() != null;
  }

  /**
   * Records that the run reached its goal, as {@link #say}.
   *
   * @param last the checkpoint that holds its final state
   */
  public boolean completed(Map<String, Long> goal, Optional<CheckpointId> last, Duration atMost) {
    lastStep = last.map(id -> OptionalLong.of(id.step())).orElse(OptionalLong.empty());
    return say(EndRecord.COMPLETED, goal, atMost);
  }

  /**
   * Records it, once. What the training threw is said in place of {@link EndRecord#CLOSED} and
   * {@link EndRecord#STOPPED}. A try that got no answer may still be under way: the next one says
   * the same again, unless the training went on.
   *
   * @param goal of a completed run
   * @return whether an end is recorded
   */
  public boolean say(String how, Map<String, Long> goal, Duration atMost) {
    // a hook that has two seconds must not wait behind a close() that has sixty
    if (!Uninterruptibly.await(
        atMost.toNanos(), left -> saying.tryLock(left, TimeUnit.NANOSECONDS))) {
      return said;
    }
    try {
      return sayAlone(how, goal, atMost);
    } finally {
      saying.unlock();
    }
  }

  private boolean sayAlone(String how, Map<String, Long> goal, Duration atMost) {
    if (said || !(started || wasThrown())) {
      return said;
    }
    EndRecord record = next(how, goal);
    try {
      house.within(
          atMost,
          () -> {
            // a stop leaves no time for a save to hear of it
            boolean ask = fenced || record.how().equals(EndRecord.STOPPED);
            Optional<EndRecord> word = ask ? withFence(record) : Optional.of(record);
            if (word.isPresent()) {
              run.ended(word.get());
            }
            return true;
          });
      said = true;
    } catch (IOException | TimeoutException | RuntimeException e) {
      log.warn("run '{}': how it ended could not be recorded: {}", run.keys().run(), e.toString());
    }
    return said;
  }

  /**
   * Who took the run is the first attempt after this one: the same however often it is asked. If
   * nobody has, what was thrown is no word of this run, and one that never began has no end.
   */
  private Optional<EndRecord> withFence(EndRecord record) throws IOException {
    Optional<Integer> by = run.attemptAfter(attempt).flatMap(run.keys()::attemptOf);
    if (by.isEmpty() || !Set.of(EndRecord.CLOSED, EndRecord.STOPPED).contains(record.how())) {
      return started || hasFailed() ? Optional.of(record) : Optional.empty();
    }
    return Optional.of(
        new EndRecord(
            attempt,
            EndRecord.CLOSED,
            record.goal(),
            record.endedAt(),
            Optional.of("fenced by attempt " + by.get()),
            started ? record.step() : OptionalLong.empty()));
  }

  private EndRecord next(String how, Map<String, Long> goal) {
    EndRecord before = tried;
    boolean again =
        before != null
            && (how.equals(EndRecord.COMPLETED)
                ? before.goal().equals(goal)
                : !before.how().equals(EndRecord.COMPLETED) || triedAt == step);
    EndRecord next = before != null && again ? before : record(how, goal);
    tried = next;
    triedAt = step;
    return next;
  }

  private EndRecord record(String how, Map<String, Long> goal) {
    Failure failed = failure.get();
    if (how.equals(EndRecord.COMPLETED)) {
      return new EndRecord(attempt, how, goal, clock.instant(), Optional.empty(), lastStep);
    }
    if (failed != null) {
      return new EndRecord(
          attempt,
          EndRecord.FAILED,
          Map.of(),
          clock.instant(),
          Optional.of(failed.cause()),
          failed.step());
    }
    // also where the newest checkpoint says the same: that one may be deleted one day
    return new EndRecord(
        attempt, how, Map.of(), clock.instant(), Optional.empty(), OptionalLong.of(step));
  }
}
