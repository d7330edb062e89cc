package dev.ckpt.internal.save;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Progress;
import dev.ckpt.SaveHandle;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.run.Uninterruptibly;
import dev.ckpt.internal.shard.ShardFile;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.SaveCost;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One save from its staged state to its commit, on a writer thread of its own.
 *
 * <p>A writer can hang in the store for ever, and nothing can end it. So it can be <em>given
 * up</em> from outside ({@link #giveUp}): its handle fails, training goes on, and the writer,
 * should it ever wake, finds that it has lost. What makes that safe is the order of three things:
 * the phase moves from WRITING to COMMITTING by compare-and-set, so a task is given up either
 * before its manifest is attempted, or knowingly during; the staged bytes stay charged until {@link
 * #run} has left, so a late writer never sees another step's bytes; and whoever gives up wins an
 * ABORT before anything is cleaned ({@link Saver}).
 */
final class SaveTask implements Runnable, SaveHandle {
  private static final Logger log = LoggerFactory.getLogger(SaveTask.class);
  private static final long BACK_OFF_MILLIS = 100;
  private static final String FREE_SOME =
      "free some, or keep fewer (keep.latest, maxBytes); the next save tries again";

  /** How far it is. */
  enum Phase {
    WRITING,
    COMMITTING,
    GIVEN_UP,
    ENDED
  }

  /** What the task needs of the run; the same for all its saves. */
  record Run(
      CheckpointStore store,
      Keys keys,
      RunLog log,
      Committer committer,
      int attempt,
      long seed,
      SaveOptions options,
      Executor completions) {}

  private final Run run;
  private final CheckpointId id;
  private final Optional<CheckpointId> parent;
  private final Progress progress;
  private final Instant savedAt;
  private final Map<String, Double> metrics;
  private final StagedState state;
  private final Unsettled unsettled;
  private final Consumer<Manifest.Commit> late;
  private final Consumer<SaveTask> ended;
  private final long begun;

  private final CompletableFuture<Void> staged = new CompletableFuture<>();
  private final CompletableFuture<Checkpoint> committed = new CompletableFuture<>();

  /** The same as {@link #committed}, but nothing of a caller's hangs on it. */
  private final CompletableFuture<Checkpoint> outcome = new CompletableFuture<>();

  private final AtomicReference<Phase> phase = new AtomicReference<>(Phase.WRITING);
  private volatile Manifest.@Nullable Commit tried;
  private volatile boolean wasGivenUp;
  private volatile boolean wrote;
  private volatile boolean voted;
  private volatile boolean leavesFiles;
  private volatile @Nullable Checkpoint result;
  private volatile @Nullable CheckpointException failed;
  private volatile long standingStill = -1;
  private volatile long writing;

  /**
   * @param late told of an earlier save that failed, and turns out to have been committed
   * @param ended told of the outcome
   * @param begun when the training thread began to stand still, as {@link System#nanoTime} tells
   */
  SaveTask(
      Run run,
      CheckpointId id,
      Optional<CheckpointId> parent,
      Progress progress,
      Map<String, Double> metrics,
      StagedState state,
      Unsettled unsettled,
      Consumer<Manifest.Commit> late,
      Consumer<SaveTask> ended,
      long begun) {
    this.run = run;
    this.id = id;
    this.parent = parent;
    this.progress = progress;
    this.savedAt = run.options().clock().instant();
    this.metrics = Map.copyOf(metrics);
    this.state = state;
    this.unsettled = unsettled;
    this.late = late;
    this.ended = ended;
    this.begun = begun;
  }

  // ---- handle

  @Override
  public String id() {
    return id.toString();
  }

  @Override
  public CompletionStage<Void> staged() {
    return staged.minimalCompletionStage();
  }

  @Override
  public CompletionStage<Checkpoint> committed() {
    return committed.minimalCompletionStage();
  }

  @Override
  public Checkpoint join() {
    long nanos = run.options().deadline().toNanos();
    try {
      return outcome.get(nanos, TimeUnit.NANOSECONDS);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof CheckpointException known) {
        throw known;
      }
      throw new CheckpointException.SaveFailed(id + " failed", e.getCause());
    } catch (TimeoutException e) {
      throw new CheckpointException.CommitUnknown(
          id + " is still being written after " + run.options().deadline(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CheckpointException.CommitUnknown("interrupted while waiting for " + id, e);
    }
  }

  CheckpointId checkpointId() {
    return id;
  }

  Progress progress() {
    return progress;
  }

  StagedState state() {
    return state;
  }

  /** What it has cost, once it is committed. */
  SaveCost cost() {
    long still = standingStill;
    return new SaveCost(
        Duration.ofNanos(still < 0 ? System.nanoTime() - begun : still), Duration.ofNanos(writing));
  }

  /** Whether the outcome is known. */
  boolean decided() {
    return outcome.isDone();
  }

  /** What it committed, even if it had been given up by then. */
  Optional<Checkpoint> result() {
    return Optional.ofNullable(result);
  }

  /** The failure, if it failed. */
  Optional<CheckpointException> failure() {
    return Optional.ofNullable(failed);
  }

  /** Whether it failed before anybody could have decided about its id, and its writer has ended. */
  boolean retriable() {
    return failed != null && tried == null && !wasGivenUp && phase.get() == Phase.ENDED;
  }

  /** Whether it failed and may have left files that nothing decides about. */
  boolean leavesFiles() {
    return leavesFiles;
  }

  /** Whether it may have a shard. */
  boolean wrote() {
    return wrote;
  }

  /** Whether its vote is durable, and says what its files are. */
  boolean voted() {
    return voted;
  }

  /** Waits for the outcome at most that long. */
  boolean await(long nanos) {
    return Uninterruptibly.await(
        nanos,
        left -> {
          try {
            outcome.get(left, TimeUnit.NANOSECONDS);
          } catch (ExecutionException e) {
            return true;
          } catch (TimeoutException e) {
            return false;
          }
          return true;
        });
  }

  /** Nanoseconds since a byte last moved. */
  long standstill() {
    return System.nanoTime() - state.lastMove();
  }

  // ---- training thread

  /** The state may change again. */
  void markStaged() {
    standingStill = System.nanoTime() - begun;
    complete(() -> staged.complete(null));
  }

  /** The capture failed: there is nothing to write. */
  void failCapture(CheckpointException failure) {
    phase.set(Phase.ENDED);
    failed = failure;
    state.giveUp("the capture failed: " + failure.getMessage());
    failLater(failure);
  }

  /**
   * Gives the save up.
   *
   * @return whether somebody must now win an ABORT for it
   */
  boolean giveUp(String reason) {
    boolean early = phase.compareAndSet(Phase.WRITING, Phase.GIVEN_UP);
    if (!early && !phase.compareAndSet(Phase.COMMITTING, Phase.GIVEN_UP)) {
      return false;
    }
    CheckpointException failure =
        early
            ? new CheckpointException.SaveFailed(reason, null)
            : new CheckpointException.CommitUnknown(
                reason + "; it hung in the commit itself, which may still happen", null);
    failed = failure;
    wasGivenUp = true;
    state.giveUp(reason);
    failLater(failure);
    return true;
  }

  // ---- writer thread

  @Override
  public void run() {
    SaveEvents.Write event = new SaveEvents.Write();
    event.begin();
    long start = System.nanoTime();
    CheckpointException failure = null;
    try {
      result = save().checkpoint();
      writing = System.nanoTime() - start;
    } catch (CheckpointException e) {
      failure = e;
    } catch (Throwable e) {
      failure = new CheckpointException.SaveFailed(id + " was not saved: " + describe(e), e);
    }
    if (failure != null) {
      state.giveUp("the save has failed: " + failure.getMessage());
      // before anybody hears of the failure, and may save the same id again under the same keys
      Optional<Checkpoint> there = cleanUp(failure, phase.get() == Phase.GIVEN_UP);
      if (there.isPresent()) {
        log.debug("{} is committed, though {}", id, failure.getMessage());
        result = there.get();
        writing = System.nanoTime() - start;
        failure = null;
      }
    }
    if (phase.getAndSet(Phase.ENDED) != Phase.GIVEN_UP) {
      failed = failure;
    }
    state.leave();
    // whoever waits for the handle finds everything that follows from it already under way
    try {
      ended.accept(this);
    } catch (RuntimeException | Error e) { // the outcome must be told all the same
      log.warn("{}: what follows from it failed", id, e);
    }
    Checkpoint checkpoint = result;
    if (checkpoint != null) {
      outcome.complete(checkpoint);
      committed.complete(checkpoint);
      event.bytes = checkpoint.bytes();
      event.outcome = "committed";
    } else if (failure != null) {
      CheckpointException reason = failure;
      failLater(reason);
      event.outcome = failure.getClass().getSimpleName();
    }
    event.id = id.toString();
    event.commit();
  }

  private Manifest.Commit save() throws IOException, InterruptedException {
    run.log().checkNotFenced(run.attempt());
    unsettled.settle(id, run.committer(), state::moved, late);
    ShardEntry shard = writeShard();
    if (!state.finite() && run.options().nonFinite() == NonFinitePolicy.FAIL) {
      throw new CheckpointException.SaveFailed(
          id + " holds NaN or infinite values, and nonFinite is set to fail", null);
    }
    Vote vote =
        new Vote(
            id,
            0,
            1,
            parent,
            run.seed(),
            progress,
            savedAt,
            metrics,
            state.finite(),
            List.of(shard));
    retrying(
        Phase.WRITING,
        () -> {
          run.committer().vote(vote);
          return vote;
        });
    voted = true;
    state.moved();
    if (!phase.compareAndSet(Phase.WRITING, Phase.COMMITTING)) {
      throw new IOException("given up before the commit");
    }
    tried = Manifest.Commit.of(List.of(vote));
    return retrying(Phase.COMMITTING, () -> run.committer().commit(List.of(vote)));
  }

  /** A write of a record. */
  @FunctionalInterface
  private interface Write<T> {
    T write() throws IOException;
  }

  /**
   * Writes a record, tries it again like a shard, but never beyond the deadline: no byte moves
   * meanwhile. To write it twice is to write it once. If the store did not tell what became of one
   * of the tries, nobody knows what became of the record, whatever the last one said.
   *
   * @param in whoever gives the save up ends that phase, and the tries
   */
  private <T> T retrying(Phase in, Write<T> record) throws IOException, InterruptedException {
    Exception failure = null;
    CheckpointException.CommitUnknown unknown = null;
    for (int retry = 0; retry <= run.options().retries(); retry++) {
      if (retry > 0) {
        long pause = BACK_OFF_MILLIS << Math.min(retry, 6);
        if (standstill() + TimeUnit.MILLISECONDS.toNanos(pause)
            >= run.options().deadline().toNanos()) {
          break;
        }
        log.debug("{}: try {} failed, trying again", id, retry, failure);
        Thread.sleep(pause);
        if (phase.get() != in) {
          break;
        }
      }
      try {
        if (retry > 0 && isFenced(unknown)) {
          break;
        }
        return record.write();
      } catch (CheckpointException.CommitUnknown e) {
        unknown = e;
        failure = suppressing(e, failure);
      } catch (IOException e) {
        failure = suppressing(e, failure);
      }
    }
    if (unknown != null) {
      throw unknown;
    }
    throw failure instanceof IOException known ? known : new IOException("no try was made");
  }

  /**
   * Whether a newer attempt is there, and it is not known what became of the tries before it: that
   * is the outcome then.
   *
   * @throws CheckpointException.Fenced if it is, and all before have failed
   */
  private boolean isFenced(CheckpointException.@Nullable CommitUnknown unknown) throws IOException {
    try {
      run.log().checkNotFenced(run.attempt());
      return false;
    } catch (CheckpointException.Fenced e) {
      if (unknown == null) {
        throw e;
      }
      unknown.addSuppressed(e);
      return true;
    }
  }

  private static Exception suppressing(Exception failure, @Nullable Exception before) {
    if (before != null) {
      failure.addSuppressed(before);
    }
    return failure;
  }

  private ShardEntry writeShard() throws IOException, InterruptedException {
    IOException failure = null;
    for (int retry = 0; retry <= run.options().retries(); retry++) {
      if (retry > 0) {
        if (!state.repeatable() || phase.get() != Phase.WRITING) {
          break;
        }
        log.debug("{}: try {} failed, trying again", id, retry, failure);
        Thread.sleep(BACK_OFF_MILLIS << Math.min(retry, 6));
        state.moved();
      }
      try {
        return writeShard(retry);
      } catch (IOException e) {
        if (failure != null) {
          e.addSuppressed(failure);
        }
        failure = e;
      }
    }
    throw failure == null ? new IOException("no try was made") : failure;
  }

  private ShardEntry writeShard(int retry) throws IOException {
    ShardFile.requireRoom(run.store(), state.tensors(), id.toString(), FREE_SOME);
    ShardFormat format = run.options().format();
    String key = run.keys().shard(id, 0, 1, retry, format.name());
    wrote = true;
    if (phase.get() != Phase.WRITING) { // whoever gave it up may have found nothing to decide about
      throw new IOException("given up before it was written");
    }
    ShardEntry entry = ShardFile.write(run.store(), key, 0, format, state);
    state.moved();
    return entry;
  }

  /**
   * Removes what the failed save has written, as far as nobody else may commit it.
   *
   * @return what turns out to be committed all the same: the failure came behind the commit
   */
  private Optional<Checkpoint> cleanUp(CheckpointException failure, boolean lost) {
    boolean unknown = failure instanceof CheckpointException.CommitUnknown;
    leavesFiles = unknown && wrote;
    if (!wrote) {
      return Optional.empty();
    }
    // whoever took the run over may bring back what has a vote
    Manifest.Commit mine = tried;
    boolean decide = lost || mine != null || failure instanceof CheckpointException.Fenced;
    try {
      if (decide && (lost || !unknown)) {
        Manifest decision = run.committer().abort(id, "given up: " + failure.getMessage());
        if (decision instanceof Manifest.Abort) {
          run.committer().discard(id);
        } else if (mine != null && decision.equals(mine)) {
          return Optional.of(mine.checkpoint());
        }
      } else if (!unknown) {
        run.committer().forget(id);
      }
    } catch (Throwable e) { // also no memory: the outcome must be told, and the staged bytes freed
      leavesFiles = true;
      log.debug("{}: what it left behind stays until the next save or start", id, e);
    }
    return Optional.empty();
  }

  private void failLater(CheckpointException failure) {
    outcome.completeExceptionally(failure);
    complete(
        () -> {
          staged.completeExceptionally(failure);
          committed.completeExceptionally(failure);
        });
  }

  private void complete(Runnable completion) {
    run.completions().execute(completion);
  }

  private static String describe(Throwable e) {
    String said = e.getMessage() == null ? e.toString() : e.getMessage();
    // what the look before the write could not see: a quota, another writer, a file system's
    // reserve
    boolean full = said.contains("No space left") || said.contains("quota exceeded");
    return full ? said + ": " + FREE_SOME : said;
  }
}
