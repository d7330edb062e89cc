package dev.ckpt;

import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Ending;
import dev.ckpt.internal.keep.Keeper;
import dev.ckpt.internal.mend.RunningLimit;
import dev.ckpt.internal.mend.StoreLimit;
import dev.ckpt.internal.restore.Restorer;
import dev.ckpt.internal.restore.Resumption;
import dev.ckpt.internal.restore.TakenRun;
import dev.ckpt.internal.run.OpenRuns;
import dev.ckpt.internal.run.Parameters;
import dev.ckpt.internal.run.StopSignal;
import dev.ckpt.internal.save.Saver;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.SaveCost;
import java.io.Closeable;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Saves and resumes one run.
 *
 * <pre>{@code
 * try (CheckpointManager ckpt =
 *     CheckpointManager.in(Path.of("checkpoints")).part("simulation", simulation).open()) {
 *   long step = ckpt.resume().map(from -> from.checkpoint().progress().step()).orElse(0L);
 *   while (step < 1_000_000) {
 *     simulation.advance();
 *     ckpt.offer(Moment.Kind.STEP, Progress.step(++step), Map::of);
 *   }
 *   ckpt.offer(Moment.Kind.COMPLETION, Progress.step(step), Map::of);
 *   ckpt.complete(Map.of("steps", step));
 * }
 * }</pre>
 *
 * <p>{@link #resume}, {@link #offer}, {@link #save}, {@link #beforeUpdate} and {@link #complete}
 * belong to one thread, the training thread; the rest may be called from any. {@code offer} and
 * {@code save} copy the state and return; they wait for nothing but the save before, and that never
 * longer than the deadline. What fails in the background reaches {@link #failures()}, the log, and,
 * with {@link FailurePolicy#FAIL}, the next call.
 */
public final class CheckpointManager implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(CheckpointManager.class);
  private static final Duration A_MOMENT = Duration.ofMillis(200);
  private static final Duration AT_EXIT = Duration.ofSeconds(2);
  private static final Duration SWEEP_GRACE = Duration.ofMinutes(10);

  private final CheckpointManagerBuilder.Setup setup;
  private final TakenRun taken;
  private final Committer committer;
  private final Saver saver;
  private final Ending ending;
  private final StopSignal signal;
  private final Map<String, Checkpointable> parts = new LinkedHashMap<>();
  private final Object closing = new Object();
  private final AtomicReference<@Nullable String> requested = new AtomicReference<>();

  private boolean resumed;
  private long step;
  private long completedAt = Long.MAX_VALUE;
  private volatile boolean workLeft;
  private @Nullable String poisoned;
  private @Nullable Keeper keeper;
  private @Nullable RunningLimit limit;
  private volatile boolean closed;

  /** Takes the run over from a manager of this JVM, if one has it, and its next attempt. */
  static CheckpointManager open(CheckpointManagerBuilder.Setup setup) throws IOException {
    CheckpointManager manager = OpenRuns.open(setup.identity(), () -> new CheckpointManager(setup));
    if (manager.completed().isPresent() && OpenRuns.completedHere(setup.identity())) {
      log.warn(
          "run '{}' was completed by this very process and is opened again: what is trained now"
              + " goes on from its end. To train another model, give it a run name of its own.",
          manager.run());
    }
    return manager;
  }

  private CheckpointManager(CheckpointManagerBuilder.Setup setup) throws IOException {
    this.setup = setup;
    this.parts.putAll(setup.parts());
    this.committer = new Committer(setup.store(), setup.keys());
    this.taken = TakenRun.take(setup.store(), setup.keys(), setup.start(), setup.options().clock());
    try {
      this.saver =
          Saver.of(
              setup.store(),
              taken.log(),
              committer,
              taken.attempt(),
              taken.seed(),
              setup.options(),
              setup.pool(),
              Collections.unmodifiableMap(parts),
              setup.house().completions(),
              new Outcomes());
      this.ending =
          new Ending(taken.log(), setup.house(), taken.attempt(), setup.options().clock());
      tellOtherParameters();
      this.signal = new StopSignal(setup.stopGrace(), new Exit());
      signal.install();
    } catch (Throwable e) {
      taken.release();
      throw e;
    }
  }

  private void tellOtherParameters() throws IOException {
    Map<String, String> now = taken.admission().attempt().provenance();
    if (taken.attempt() > 1 && now.keySet().stream().anyMatch(Parameters::isFact)) {
      List<Map<String, String>> before =
          taken
              .log()
              .lineage()
              .attempts()
              .headMap(taken.attempt(), false)
              .descendingMap()
              .values()
              .stream()
              .map(AttemptRecord::provenance)
              .toList();
      Parameters.changed(now, before)
          .ifPresent(
              difference ->
                  log.warn(
                      "run '{}' goes on with other parameters than before: {}. To train each of"
                          + " them, set no run name, or one for each.",
                      taken.log().keys().run(),
                      difference));
    }
  }

  /** Checkpoints in a folder, created if needed. */
  public static CheckpointManagerBuilder in(Path directory) {
    return new CheckpointManagerBuilder().directory(directory);
  }

  /** Checkpoints in a store, which stays open when the manager is closed. */
  public static CheckpointManagerBuilder in(CheckpointStore store) {
    return new CheckpointManagerBuilder().store(store);
  }

  /** Everything as a config says; the builder's own calls win over it. */
  public static CheckpointManagerBuilder from(CheckpointConfig config) {
    return new CheckpointManagerBuilder().config(config);
  }

  /** Name of the run. */
  public String run() {
    return setup.keys().run();
  }

  /** Number of this attempt: 1 for the first process of a run. */
  public int attempt() {
    return taken.attempt();
  }

  /** The seed of this branch: configured, or drawn once by the branch's first attempt. */
  public long seed() {
    return taken.seed();
  }

  /**
   * Adds a part, before {@link #resume}.
   *
   * @param part letters, digits, {@code . _ -}
   * @throws IllegalStateException after {@code resume}
   */
  public void register(String part, Checkpointable state) {
    if (resumed) {
      throw new IllegalStateException("register parts before resume()");
    }
    parts.put(CheckpointManagerBuilder.checkedPart(part), state);
  }

  /**
   * Finds the checkpoint to start from, verifies every byte of it, has every part {@link
   * Checkpointable#check check} it, and then has every part restore it. Called once, before the
   * first save. Blocks as long as the store does. What it throws is recorded as the attempt's end
   * when this manager is closed, as {@link #failed} is: a part that throws each time is a crash
   * loop in the end. {@link CheckpointException}s and a store's failures are none, however often
   * they come: a start that mends what they say is never refused for them.
   *
   * @return what was restored; empty for a fresh start
   * @throws CheckpointException.Corrupt if there are checkpoints and none is whole
   * @throws CheckpointException.NotFound if what was asked for is not there
   * @throws CheckpointException.Incompatible if it does not fit the parts, or is of a newer
   *     version; nothing was changed
   * @throws UncheckedIOException if the store fails
   */
  public Optional<Restored> resume() {
    if (closed || resumed || poisoned != null) {
      throw new IllegalStateException(
          closed ? "the manager is closed" : "resume() is called once, before the first save");
    }
    Resumption resumption =
        new Resumption(
            new Restorer(setup.store(), taken.log(), setup.formats()::named, verifiers()),
            taken.log(),
            taken.candidates(),
            setup.start().how(),
            attempt());
    try {
      Optional<Restored> restored = resumption.into(parts);
      resumed = true;
      started(restored, resumption.applied());
      return restored;
    } catch (IOException e) {
      UncheckedIOException said =
          new UncheckedIOException(
              "cannot resume run '"
                  + run()
                  + "' from "
                  + setup.store().uri()
                  + ": "
                  + e.getMessage(),
              e);
      failedToResume(said, resumption.step());
      throw said;
    } catch (Throwable e) {
      failedToResume(e, resumption.step());
      throw e;
    } finally {
      poisoned = resumption.halfDone();
    }
  }

  private void failedToResume(Throwable thrown, long step) {
    ending.failedToResume(thrown, step);
    signal.failed();
  }

  private void started(Optional<Restored> restored, Optional<CheckpointId> applied)
      throws IOException {
    step = restored.map(r -> r.checkpoint().progress().step()).orElse(0L);
    boolean finite = restored.map(from -> from.checkpoint().finite()).orElse(true);
    saver.startFrom(applied, finite, step);
    ending.startsAt(step);
    taken.completed().ifPresent(done -> lookForWorkLeft(done, applied));
    signal.training(Thread.currentThread());
    String from =
        restored
            .map(
                r -> {
                  Progress at = r.checkpoint().progress();
                  return String.format(
                      "resumed from %s (step %d, epoch %d, batch %d)",
                      r.checkpoint().id(), at.step(), at.epoch(), at.batch());
                })
            .orElse("fresh start");
    log.info(
        "run '{}' attempt {} in {}: {}, {}; seed {}",
        run(),
        attempt(),
        setup.store().uri(),
        from,
        restored.isPresent() || setup.start().how() instanceof Resume.Never
            ? taken.candidates().why()
            : "nothing was committed yet",
        seed());
    Keeper made =
        new Keeper(
            setup.store(),
            taken.log(),
            committer,
            setup.formats()::named,
            setup.retention(),
            setup.house(),
            attempt(),
            SWEEP_GRACE);
    keeper = made;
    setup.maxBytes().ifPresent(most -> limit = limit(most, made));
    long expected = restored.map(r -> r.checkpoint().bytes()).orElse(0L);
    setup.house().later("preparing memory", () -> setup.pool().prepare(expected));
    setup.house().later("looking at the run", () -> made.start(taken.log().lineage(), applied));
    setup
        .house()
        .later(
            "cleaning up after earlier attempts",
            () -> {
              try {
                made.sweep();
              } finally {
                taken.log().forget();
              }
            });
  }

  private RunningLimit limit(long most, Keeper keeping) {
    StoreLimit made =
        new StoreLimit(
            setup.store(),
            setup.formats()::named,
            most,
            RunningLimit.best(run(), setup.retention().best()),
            SWEEP_GRACE);
    return new RunningLimit(made, run(), attempt(), keeping);
  }

  private void lookForWorkLeft(RunLog.Completion done, Optional<CheckpointId> applied) {
    if (!done.last().equals(applied)) {
      workLeft = true;
      log.warn(
          "run '{}' had reached its goal {} with {}, but goes on from {}: it is not taken for"
              + " complete, and what lies between is trained again",
          run(),
          done.end().goal(),
          done.last().map(CheckpointId::toString).orElse("a checkpoint that is gone"),
          applied.map(CheckpointId::toString).orElse("nothing"));
    }
  }

  /**
   * A cut: saves if the trigger says so, or if a save was requested. Once the process was asked to
   * end it saves as for {@link Moment.Kind#STOP}, waits for the commit, then holds this thread
   * until the process ends.
   *
   * @param metrics asked only if a save is made
   * @return the save, if one was started or this very state is saved already
   * @throws CheckpointException with {@link FailurePolicy#FAIL}, or if this process was fenced
   * @throws IllegalStateException behind the step at which this manager recorded the run as
   *     complete: what is trained on would stand in no record. Open the run again for that
   */
  public Optional<SaveHandle> offer(
      Moment.Kind kind, Progress progress, Supplier<Map<String, Double>> metrics) {
    requireReady();
    requireNotCompleteBefore(progress.step());
    step = progress.step();
    boolean stop = signal.requested();
    String request = requested.getAndSet(null);
    Optional<SaveHandle> save = Optional.empty();
    ending.at(progress.step());
    try {
      save = saver.offer(stop ? Moment.Kind.STOP : kind, progress, request != null, metrics);
    } catch (CheckpointException e) {
      ending.failedHere(e);
      throw e;
    } finally {
      if (request != null && save.filter(made -> !saver.wasRefused(made)).isEmpty()) {
        requested.compareAndSet(null, request);
      }
    }
    if (stop) {
      saver.drain();
      signal.arrive();
    }
    return save;
  }

  /** Saves now, whatever the trigger says; waits for the save in flight, up to the deadline. */
  public SaveHandle save(Progress progress, Map<String, Double> metrics) {
    requireReady();
    step = progress.step();
    ending.at(progress.step());
    try {
      return saver.save(progress, metrics);
    } catch (CheckpointException e) {
      ending.failedHere(e);
      throw e;
    }
  }

  /**
   * Says that the training threw, for a loop of one's own: {@code catch (Throwable e) {
   * ckpt.failed(e, Progress.step(step)); throw e; }}. The attempt is then recorded as failed, with
   * the cause, when this manager is closed, or when the process ends without that; so a start can
   * tell a crash loop from a machine that died. An attempt whose exception nobody told is recorded
   * as closed.
   *
   * <p>From any thread; waits for nothing. Of what is thrown at one step the first counts. It is
   * forgotten if the training goes on to a later step, or completes. {@link
   * CheckpointException.Fenced} is no failure: the run goes on elsewhere.
   *
   * @param at where the training stood
   */
  public void failed(Throwable thrown, Progress at) {
    ending.failed(thrown, at.step());
  }

  /**
   * Asks for a save at the next cut: an operator, a notebook, a database's commit. If that cut can
   * start none, the one after it is asked; one that fails is not asked for again.
   */
  public void requestSave(String reason) {
    requested.set(reason);
  }

  /** Whether the process was asked to end, so that a long stretch without cuts should look. */
  public boolean stopRequested() {
    return signal.requested();
  }

  /**
   * The state is about to change: joins copies that are still under way. Called before each update,
   * from the first day, by whatever sees the update first.
   */
  public void beforeUpdate() {
    // captures are synchronous: nothing is under way between two cuts
  }

  /**
   * Records that the run reached its goal, once its last state is committed: save it before, or
   * {@link #offer} it as {@link Moment.Kind#COMPLETION}.
   *
   * @param goal such as {@code {"epochs": 20}}; a later start with a larger goal trains on
   * @return whether it was recorded: not if the last save failed or was refused, or if there is no
   *     checkpoint at all
   */
  public boolean complete(Map<String, Long> goal) {
    requireReady();
    saver.drain();
    if (!saver.lastIsCommitted()) {
      log.warn(
          "run '{}' is not recorded as complete: its last state is not committed; the next start"
              + " goes on from the newest checkpoint",
          run());
      return false;
    }
    signal.idle();
    OpenRuns.completed(setup.identity());
    boolean recorded = ending.completed(goal, saver.newest(), setup.options().deadline());
    if (recorded) {
      completedAt = Math.min(completedAt, step);
    }
    return recorded;
  }

  private void requireNotCompleteBefore(long now) {
    if (now > completedAt) {
      throw new IllegalStateException(
          "run '"
              + run()
              + "' is recorded as complete at step "
              + completedAt
              + ": to train on to a larger goal, open it again");
    }
  }

  /**
   * The goal with which this branch had been completed when this manager was opened. Empty, too,
   * once {@link #resume} has gone on from another checkpoint than the final one, because that is
   * damaged, not finite, or an older one was asked for: then there is work left.
   */
  public Optional<Map<String, Long>> completed() {
    return workLeft ? Optional.empty() : taken.completed().map(done -> done.end().goal());
  }

  /** The checkpoints of this run, to look at; what is in flight is not among them. */
  public Checkpoints checkpoints() {
    return Checkpoints.read(setup.store(), run());
  }

  /** Loads what a new run begins with. */
  @FunctionalInterface
  public interface Initializer {
    /** Takes from {@code source} what {@code from} says; nothing of it stays open. */
    void load(InitFrom from, Checkpoints.Opened source);

    /**
     * The run goes on from a checkpoint of its own, and {@code from} is not looked at: a chance to
     * say what differs from what it began with.
     *
     * @return whether it began with weights of another run at all
     */
    default boolean resumed(InitFrom from) {
      return true;
    }
  }

  /**
   * Opens the checkpoint that {@code initFrom} names, if this is a fresh start: for adapters, once,
   * behind {@link #resume}, on the training thread. Blocks as the stores do.
   *
   * @return the checkpoint that was loaded; empty if none is asked for, or the run was resumed
   * @throws CheckpointException.NotFound if it is not there
   * @throws CheckpointException.Corrupt if it is damaged
   * @throws CheckpointException.Incompatible as the initializer says; or if the run was resumed and
   *     had begun with fresh weights, so that those asked for would never be used
   */
  public Optional<Checkpoint> initialize(Initializer initializer) {
    if (!resumed || setup.initFrom().isEmpty()) {
      return Optional.empty();
    }
    InitFrom from = setup.initFrom().get();
    if (saver.newest().isPresent()) {
      requireBegunWith(from, initializer);
      return Optional.empty();
    }
    if (from.store().isEmpty() && from.run().equals(run())) {
      throw new CheckpointException.NotFound(
          "initFrom: '"
              + run()
              + "' is this run itself, which has no checkpoint yet: name the run to begin with, or"
              + " give this one another name");
    }
    if (from.store().isEmpty()) {
      return Optional.of(initialize(from, setup.store(), initializer));
    }
    try (CheckpointStore other = Stores.open(from.store())) {
      return Optional.of(initialize(from, other, initializer));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot use the store of initFrom: " + e.getMessage(), e);
    }
  }

  private void requireBegunWith(InitFrom from, Initializer initializer) {
    if (!initializer.resumed(from)) {
      throw new CheckpointException.Incompatible(
          "initFrom: run '"
              + run()
              + "' had begun with fresh weights and goes on from "
              + saver.newest().map(CheckpointId::toString).orElse("its own")
              + ", so the weights that initFrom names would not be used. Give the new run a name of"
              + " its own; or begin this one again (resume: never); or leave initFrom out to go"
              + " on.");
    }
  }

  private Checkpoint initialize(InitFrom from, CheckpointStore store, Initializer initializer) {
    Checkpoints run =
        Checkpoints.named(store, from.run(), from.store().isEmpty() ? run() : "", "initFrom: ");
    try (Checkpoints.Opened source = run.open(run.find(from.checkpoint()).id())) {
      initializer.load(from, source);
      return source.checkpoint();
    }
  }

  /**
   * The committed checkpoint whose weights the training is to end with: the best one of this branch
   * by {@code restoreBest}. Blocks as the store does.
   *
   * @return empty if none is asked for, or none has the metric
   */
  public Optional<Checkpoint> best() {
    Optional<Checkpoint> best =
        setup.restoreBest().flatMap(by -> checkpoints().best(by.metric(), by.mode()));
    if (best.isEmpty() && setup.restoreBest().isPresent()) {
      log.warn(
          "run '{}': no finite checkpoint has the metric of restoreBest ({}): the model holds the"
              + " last weights. Set restoreBest to one of {} and start again",
          run(),
          setup.restoreBest().get().text(),
          checkpoints().list().stream()
              .flatMap(each -> each.metrics().keySet().stream())
              .distinct()
              .sorted()
              .toList());
    }
    return best;
  }

  /** What failed so far, oldest first; the first 64. */
  public List<CheckpointException> failures() {
    return saver.failures();
  }

  /**
   * Finishes the save in flight, and what follows from it, within the deadline; then lets go of the
   * run. Idempotent.
   *
   * @throws CheckpointException.SaveFailed with {@link FailurePolicy#FAIL}, if a failure was not
   *     thrown before
   */
  @Override
  public void close() {
    synchronized (closing) {
      if (!closed) {
        closed = true;
        finish();
      }
    }
  }

  private void finish() {
    long start = System.nanoTime();
    saver.close(left(start));
    saver.pending().ifPresent(ending::failedHere);
    ending.say(EndRecord.CLOSED, Map.of(), left(start));
    Keeper keeping = keeper;
    if (keeping != null) {
      setup.house().later("telling listeners of the end", keeping::closed);
    }
    setup.house().close();
    if (!setup.house().awaitEnd(left(start))) {
      log.warn(
          "the store, or a listener, is still busy; what is left to clean up waits for the next"
              + " start");
    }
    signal.close();
    OpenRuns.closed(setup.identity(), this);
    try {
      setup.house().within(left(start), this::letGo);
    } catch (IOException | TimeoutException e) {
      log.warn("run '{}' was not closed cleanly: {}", run(), e.toString());
    }
    if (saver.failed() > 0) {
      log.warn(
          "run '{}': {} save(s) failed; {}",
          run(),
          saver.failed(),
          saver
              .lastCommitted()
              .map(id -> "the newest checkpoint of this attempt is " + id)
              .orElse("this attempt has committed none"));
    }
    saver.reportPending();
  }

  /** What is left of the deadline, but always a moment for a store that answers. */
  private Duration left(long start) {
    Duration left = setup.options().deadline().minusNanos(System.nanoTime() - start);
    return left.compareTo(A_MOMENT) < 0 ? A_MOMENT : left;
  }

  private boolean letGo() throws IOException {
    try (Closeable lock = taken::release;
        Closeable store = setup.ownsStore() ? setup.store() : () -> {}) {
      log.debug("closing {} and {}", lock, store);
    }
    setup.pool().close();
    return true;
  }

  /** What follows from each save, behind the training. */
  private final class Outcomes implements dev.ckpt.internal.save.Outcomes {
    @Override
    public void committed(Checkpoint checkpoint, SaveCost cost) {
      Keeper keeping = keeper;
      if (keeping != null) {
        setup.house().later("retention", () -> keeping.committed(checkpoint, cost));
      }
      limitBytes();
    }

    @Override
    public void committedLate(Checkpoint checkpoint) {
      Keeper keeping = keeper;
      if (keeping != null) {
        setup.house().later("retention", () -> keeping.committedLate(checkpoint));
      }
      limitBytes();
    }

    private void limitBytes() {
      RunningLimit limited = limit;
      if (limited != null) {
        setup
            .house()
            .onceLater("the limit of bytes", () -> limited.apply(Checkpoints.runs(setup.store())));
      }
    }

    @Override
    public void failed(String id, Progress progress, CheckpointException failure) {
      Keeper keeping = keeper;
      if (keeping != null) {
        setup
            .house()
            .later("telling of a failed save", () -> keeping.failed(id, progress, failure));
      }
    }
  }

  /** What is left to say when the process ends. */
  private final class Exit implements StopSignal.AtExit {
    @Override
    public void stopped(boolean atCut) {
      if (!atCut) {
        log.warn(
            "run '{}': no cut was saved within {} s, because the step lasts longer or the store"
                + " does not answer: {}",
            run(),
            setup.stopGrace().toSeconds(),
            saver
                .newest()
                .map(id -> "the last committed checkpoint is kept: " + id)
                .orElse("there is no checkpoint yet"));
      }
      ending.say(EndRecord.STOPPED, Map.of(), AT_EXIT);
    }

    @Override
    public void abandoned() {
      if (ending.wasThrown()) {
        ending.say(EndRecord.CLOSED, Map.of(), AT_EXIT);
      }
    }
  }

  private void requireReady() {
    if (closed) {
      throw new IllegalStateException("the manager of run '" + run() + "' is closed");
    }
    if (poisoned != null) {
      throw new IllegalStateException(
          poisoned + ": the state is half old, half new; start the process again");
    }
    if (!resumed) {
      throw new IllegalStateException("call resume() before the first save");
    }
  }

  /** How many threads verify: a resume has the machine to itself, but a store has its limits. */
  private static int verifiers() {
    return Math.min(4, Runtime.getRuntime().availableProcessors());
  }
}
