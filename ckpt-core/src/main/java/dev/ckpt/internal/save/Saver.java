package dev.ckpt.internal.save;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Moment;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Progress;
import dev.ckpt.SaveHandle;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.run.Uninterruptibly;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Decides at each cut whether to save, copies the state, and hands it to a writer thread. At most
 * one save is in flight; a periodic one that comes meanwhile is skipped, every other waits for it,
 * up to the deadline.
 *
 * <p>The methods belong to the training thread, apart from {@link #failures}, what the writer calls
 * back, and {@link #close}: whoever opens the run again closes this saver from another thread,
 * which waits for the cut that the training thread is in.
 */
public final class Saver {
  private static final int MOST_KNOWN = 64;
  private static final long WAKING_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private final SaveTask.Run run;
  private final SaveOptions options;
  private final StagingPool pool;
  private final Map<String, Checkpointable> parts;
  private final Outcomes outcomes;
  private final FailureLog failures;
  private final SpecNames names = new SpecNames();
  private final Unsettled unsettled = new Unsettled();

  private final ReentrantLock cut = new ReentrantLock();
  private volatile boolean closed;
  private @Nullable SaveTask current;
  private @Nullable SaveTask lastAskedFor;
  private @Nullable SaveTask lastRefused;
  private final NavigableMap<CheckpointId, SaveTask> started = new TreeMap<>();
  private volatile Optional<CheckpointId> applied = Optional.empty();
  private final SinceSave since;

  // shared with writers, guarded by this
  private @Nullable CheckpointId lastCommitted;
  private Optional<CheckpointId> lastFinite = Optional.empty();

  /**
   * A saver for one attempt.
   *
   * @param seed of the branch
   * @param parts the state by part name; read at each save
   * @param completions where handles complete
   * @param outcomes told what becomes of each save
   */
  public static Saver of(
      CheckpointStore store,
      RunLog log,
      Committer committer,
      int attempt,
      long seed,
      SaveOptions options,
      StagingPool pool,
      Map<String, Checkpointable> parts,
      Executor completions,
      Outcomes outcomes) {
    SaveTask.Run run =
        new SaveTask.Run(store, log.keys(), log, committer, attempt, seed, options, completions);
    return new Saver(run, pool, parts, outcomes);
  }

  private Saver(
      SaveTask.Run run, StagingPool pool, Map<String, Checkpointable> parts, Outcomes outcomes) {
    this.run = run;
    this.options = run.options();
    this.pool = pool;
    this.parts = parts;
    this.outcomes = outcomes;
    this.failures = new FailureLog(options.onFailure());
    this.since = new SinceSave(options.ticker());
  }

  /**
   * Where the branch stands after a resume.
   *
   * @param finite whether what was applied is
   */
  public void startFrom(Optional<CheckpointId> applied, boolean finite, long step) {
    this.applied = applied;
    synchronized (this) {
      lastFinite = finite ? applied : Optional.empty();
    }
    since.startFrom(step);
  }

  /**
   * A cut.
   *
   * @param forced whether to save whatever the trigger says
   */
  public Optional<SaveHandle> offer(
      Moment.Kind kind, Progress progress, boolean forced, Supplier<Map<String, Double>> metrics) {
    cut.lock();
    try {
      return atCut(kind, progress, forced, metrics);
    } finally {
      cut.unlock();
    }
  }

  private Optional<SaveHandle> atCut(
      Moment.Kind kind, Progress progress, boolean forced, Supplier<Map<String, Double>> metrics) {
    requireOpen();
    reportPending();
    Moment moment = since.moment(kind, progress, current);
    if (!forced && !options.trigger().shouldSave(moment)) {
      return Optional.empty();
    }
    boolean periodic = kind == Moment.Kind.STEP && !forced;
    return Optional.ofNullable(save(progress, periodic, metrics));
  }

  /** Saves, whatever the trigger says. */
  public SaveHandle save(Progress progress, Map<String, Double> metrics) {
    cut.lock();
    try {
      requireOpen();
      SaveHandle handle = save(progress, false, () -> metrics);
      if (handle == null) {
        throw new AssertionError("only a periodic save is skipped");
      }
      return handle;
    } finally {
      cut.unlock();
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the manager is closed: the run was opened again");
    }
  }

  /**
   * Finishes the save in flight, from any thread; nothing is saved afterwards. A training thread
   * that does not leave its cut within the deadline is left alone: what it writes is fenced.
   */
  public void close(Duration atMost) {
    closed = true;
    boolean held =
        Uninterruptibly.await(atMost.toNanos(), left -> cut.tryLock(left, TimeUnit.NANOSECONDS));
    if (held) {
      try {
        drain();
      } finally {
        cut.unlock();
      }
    }
  }

  /** Saves; null only if it is periodic and another save is in flight. */
  private @Nullable SaveHandle save(
      Progress progress, boolean periodic, Supplier<Map<String, Double>> metrics) {
    long begun = System.nanoTime();
    reportPending();
    CheckpointId id = CheckpointId.of(run.attempt(), progress);
    SaveTask known = known(id);
    if (known != null) {
      return known;
    }
    SaveTask before = current;
    if (before != null && !before.decided() && !settle(before, periodic)) {
      if (periodic) {
        SaveEvents.Skip event = new SaveEvents.Skip();
        event.step = progress.step();
        event.commit();
        return null;
      }
      return refused(
          id,
          "the save of "
              + before.id()
              + " is still being written after "
              + options.deadline()
              + ": a faster store, or a longer deadline, is needed");
    }
    return start(id, progress, metrics.get(), begun);
  }

  /**
   * The save that an id already had. An id is tried again only if its save failed before anything
   * could be decided; and ids only go forward, because their order is the order in time.
   */
  private @Nullable SaveTask known(CheckpointId id) {
    SaveTask same = started.get(id);
    if (same != null && !(same.decided() && same.retriable())) {
      lastAskedFor = same;
      return same;
    }
    if (!started.isEmpty() && id.compareTo(started.lastKey()) < 0) {
      return refused(
          id,
          "progress went back from "
              + started.lastKey()
              + " to "
              + id
              + ": to go back, open a manager that resumes from an earlier checkpoint");
    }
    return null;
  }

  /**
   * Waits for the save in flight, and gives it up if it stands still. A process that was suspended
   * (a SIGSTOP, a laptop, a paused container) finds all clocks run on when it wakes: a writer that
   * nobody has waited for yet gets a moment to show that it moves.
   */
  private boolean settle(SaveTask task, boolean periodic) {
    long deadline = options.deadline().toNanos();
    boolean waited = false;
    if (!periodic) {
      long start = System.nanoTime();
      while (!task.decided()) {
        long left = deadline - (System.nanoTime() - start);
        long untilStuck = deadline - task.standstill();
        if (left <= 0 || untilStuck <= 0) {
          break;
        }
        waited = true;
        if (task.await(Math.min(left, untilStuck))) {
          return true;
        }
      }
    }
    if (task.decided()) {
      return true;
    }
    if (task.standstill() < deadline) {
      return false;
    }
    if (waited || !task.await(Math.min(deadline, WAKING_NANOS))) {
      giveUp(task);
    }
    return true;
  }

  private void giveUp(SaveTask task) {
    String why =
        task.standstill() >= options.deadline().toNanos()
            ? ": the store has not moved for "
            : ": it was not finished within ";
    if (task.giveUp(
        "gave up the save of "
            + task.id()
            + why
            + options.deadline()
            + "; its memory is set aside until the store answers")) {
      wasGivenUp(task);
      task.failure().ifPresent(failure -> failed(task, failure));
    }
  }

  private void wasGivenUp(SaveTask task) {
    if (task.wrote()) {
      unsettled.add(task.checkpointId(), !task.voted(), false);
    }
  }

  private void failed(SaveTask task, CheckpointException failure) {
    if (failures.failed(failure)) {
      outcomes.failed(task.id(), task.progress(), failure);
    }
  }

  private SaveTask start(
      CheckpointId id, Progress progress, Map<String, Double> metrics, long begun) {
    SaveEvents.Stage event = new SaveEvents.Stage();
    event.begin();
    StagedState state =
        new StagedState(pool, names, options.header(), options.deadline().toNanos());
    SaveTask task =
        new SaveTask(
            run, id, newest(), progress, metrics, state, unsettled, this::late, this::ended, begun);
    since.started(progress.step(), current);
    current = task;
    lastAskedFor = task;
    started.put(id, task);
    if (started.size() > MOST_KNOWN) {
      started.pollFirstEntry();
    }
    Thread writer = options.threads().newThread(task);
    boolean running = false;
    try {
      parts.forEach(state::capture);
      state.seal();
      if (!state.fits()) {
        requireUncharged(state);
        state.stream();
        tellStreaming(state);
        event.streamed = true;
        startWriter(writer, state);
        running = true;
      }
      state.copyPending();
      task.markStaged();
      if (!running) {
        startWriter(writer, state);
        running = true;
      }
    } catch (RuntimeException | Error e) {
      CheckpointException failure =
          e instanceof CheckpointException known
              ? known
              : new CheckpointException.SaveFailed(id + ": the capture failed: " + e, e);
      if (!running) {
        task.failCapture(failure);
        failed(task, failure);
      } else if (!state.stopped()) {
        if (task.giveUp(String.valueOf(failure.getMessage()))) {
          wasGivenUp(task);
        }
        failed(task, failure);
      } // else the writer has stopped this side, and reports why itself
    } finally {
      state.leave();
      event.id = id.toString();
      event.bytes = state.stagedBytes();
      event.commit();
    }
    return task;
  }

  private static void startWriter(Thread writer, StagedState state) {
    state.writerComes();
    try {
      writer.start();
    } catch (Throwable e) {
      state.leave();
      throw e;
    }
  }

  /** A state that only does not fit because a hanging save holds memory is not streamed. */
  private void requireUncharged(StagedState state) {
    long whole = state.stagedBytes() + state.pendingBytes();
    if (whole <= pool.budget()) {
      throw new CheckpointException.SaveFailed(
          "saves are refused: "
              + ((pool.budget() - pool.available()) >> 20)
              + " of "
              + (pool.budget() >> 20)
              + " MiB staging memory are held by saves that hang in "
              + run.store().uri(),
          null);
    }
  }

  private SaveTask refused(CheckpointId id, String why) {
    StagedState nothing = new StagedState(pool, names, options.header(), 0);
    SaveTask task =
        new SaveTask(
            run,
            id,
            newest(),
            Progress.START,
            Map.of(),
            nothing,
            unsettled,
            commit -> {},
            done -> {},
            0);
    CheckpointException failure = new CheckpointException.SaveFailed(why, null);
    task.failCapture(failure);
    failures.failed(failure);
    lastAskedFor = task;
    lastRefused = task;
    return task;
  }

  /** Whether nothing was captured for it: another cut may have more luck. */
  public boolean wasRefused(SaveHandle handle) {
    return handle == lastRefused;
  }

  /**
   * Whether the last state that was to be saved is committed; call after {@link #drain}. A state
   * that was resumed, and that nothing was to be saved after, is.
   */
  public boolean lastIsCommitted() {
    SaveTask last = lastAskedFor;
    return last == null ? applied.isPresent() : last.result().isPresent();
  }

  /**
   * Waits for the save in flight; gives it up if the deadline passes.
   *
   * @return what became of it; empty if there was none
   */
  public Optional<SaveHandle> drain() {
    cut.lock();
    try {
      SaveTask task = current;
      if (task != null && !task.decided() && !settle(task, false)) {
        giveUp(task);
      }
      return Optional.ofNullable(task);
    } finally {
      cut.unlock();
    }
  }

  /** What failed so far, oldest first; bounded. */
  public List<CheckpointException> failures() {
    return failures.all();
  }

  /** How many saves failed so far. */
  public long failed() {
    return failures.count();
  }

  /** The newest checkpoint that this process committed. */
  public synchronized Optional<CheckpointId> lastCommitted() {
    return Optional.ofNullable(lastCommitted);
  }

  /** The newest checkpoint that this process committed, else the one that it went on from. */
  public Optional<CheckpointId> newest() {
    return lastCommitted().or(() -> applied);
  }

  private synchronized Optional<CheckpointId> lastFinite() {
    return lastFinite;
  }

  /** What {@link #reportPending} would throw. */
  public Optional<CheckpointException> pending() {
    return failures.pending();
  }

  /** Throws what happened in the background, if the policy or its kind says so. */
  public void reportPending() {
    failures.report();
  }

  private void ended(SaveTask task) {
    Optional<Checkpoint> committed = task.result();
    if (committed.isPresent()) {
      unsettled.remove(task.checkpointId());
      committed(committed.get(), task.checkpointId());
      outcomes.committed(committed.get(), task.cost());
    } else {
      if (task.leavesFiles()) {
        unsettled.add(task.checkpointId(), !task.voted(), true);
      } else if (task.wrote()) {
        unsettled.remove(task.checkpointId());
      }
      task.failure().ifPresent(failure -> failed(task, failure));
    }
  }

  /** A save whose commit got no answer was committed. */
  private void late(Manifest.Commit commit) {
    committed(commit.checkpoint(), commit.id());
    outcomes.committedLate(commit.checkpoint());
  }

  private void committed(Checkpoint checkpoint, CheckpointId id) {
    failures.committed();
    synchronized (this) {
      if (lastCommitted == null || lastCommitted.compareTo(id) < 0) {
        lastCommitted = id;
      }
      if (checkpoint.finite() && lastFinite.filter(last -> last.compareTo(id) > 0).isEmpty()) {
        lastFinite = Optional.of(id);
      }
    }
    if (!checkpoint.finite() && options.nonFinite() != NonFinitePolicy.KEEP) {
      failures.warnOnce(
          "nonFinite",
          checkpoint.id()
              + " holds NaN or infinite values: it is kept, but never the latest or the best; "
              + lastFinite()
                  .map(last -> "the last finite one is " + last)
                  .orElse("there is no finite one yet"));
    }
  }

  private void tellStreaming(StagedState state) {
    failures.warnOnce(
        "streaming",
        "the state of "
            + ((state.stagedBytes() + state.pendingBytes()) >> 20)
            + " MiB is larger than the staging budget of "
            + (pool.budget() >> 20)
            + " MiB: training waits for the store at each save (staging.budget raises it)");
  }
}
