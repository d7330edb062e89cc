package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListener.BatchData;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Moment.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Progress.Phase;
import dev.ckpt.Restored;
import dev.ckpt.SaveHandle;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One training as the checkpoints see it: where it stands, whether that is a cut, and what is due
 * there. All on the training thread.
 *
 * <p>The life of an epoch: {@link #beginEpoch}, then for each batch {@link #delivered} and {@link
 * #batchDone} (a boundary), then {@link #exhausted}. Validation and the listeners run next, each
 * listener changing what others hold; a save made meanwhile says "all batches done, not validated",
 * with the small values frozen as they were then. The state after the epoch is taken when every
 * listener has run, which is when the next epoch begins or the training ends.
 *
 * <p>At every boundary, saved or not, the engine is {@link Seeding seeded}.
 */
final class Session {
  private static final Logger log = LoggerFactory.getLogger(Session.class);

  /** In what the goal of a run is counted. */
  static final String EPOCHS = "epochs";

  private final CheckpointManager manager;
  private final Seeding seeding;
  private final UpdateWatch watch;
  private final Position position;
  private final TrainerState state;
  private final Split split;
  private final BestWeights best;
  private final Outcome outcome;
  private final HeardEpoch heard;
  private final ToldMetrics told;

  /** By the manager, which does it once; then its first weights are still to be loaded. */
  private @Nullable Optional<Restored> resumed;

  private @Nullable Optional<Restored> restored;

  /** Whether batches are seen one by one; else the listener is all there is. */
  private boolean loopSeen;

  /** Resumed inside an epoch, which only a loop leaves whose batches are seen one by one. */
  private boolean resumedInside;

  private boolean endsByInterrupt;

  /** Stopped inside an epoch, which the next loop goes on with. */
  private boolean interrupted;

  private boolean iterating;
  private boolean exhausted;
  private boolean epochHeard;
  private boolean allHeardEpoch;
  private boolean epochEndOwed;
  private long openSamples = -1;
  private @Nullable Batch open;
  private Heard openHeard = Heard.NEVER;

  private Validation validation = Validation.NONE;

  /** A loop by {@link #step} was stopped behind its last batch, before it said so. */
  private boolean steppedEpochHeard;

  private boolean listenerOnlySaid;

  /** Optimizer updates by the last early stop of this process. */
  private long updatesAtStop = -1;

  /** As what listeners have heard of a batch that the loop holds. */
  private enum Heard {
    NEVER,
    VALIDATED,
    TRAINED
  }

  /** What was seen of a validation since the last batch was trained. */
  private enum Validation {
    NONE,
    BEGUN,
    WHOLE
  }

  Session(CheckpointManager manager, IntConsumer seedEngine) {
    this.manager = manager;
    this.seeding = new Seeding(manager::seed, seedEngine);
    this.watch = new UpdateWatch(this::beforeUpdate);
    this.position = new Position(watch);
    this.state = new TrainerState(manager, watch, position);
    this.split = new Split(state.environment());
    this.best = new BestWeights(manager, state.model());
    this.heard = new HeardEpoch(watch);
    this.told = new ToldMetrics(state::trainer);
    this.outcome = new Outcome(manager, position, best, state::trainer);
    seeding.opened();
  }

  /** A loop that tells of no batch trains on, too, but for the batch in which it was stopped. */
  private void beforeUpdate() {
    if (!loopSeen && !heard.tellsOfBatches() && watch.updates() > updatesAtStop) {
      position.trainsOn();
    }
    manager.beforeUpdate();
  }

  CheckpointManager manager() {
    return manager;
  }

  Position position() {
    return position;
  }

  RandomStreams streams() {
    return state.streams();
  }

  Environment environment() {
    return state.environment();
  }

  Split split() {
    return split;
  }

  /** How the training ends. */
  Outcome outcome() {
    return outcome;
  }

  Trainer trainer() {
    return state.trainer();
  }

  /** The trainer exists; its model need not be initialized. */
  void attach(Trainer begun) {
    state.attach(begun);
    seeding.initialize();
  }

  /** Resumes at the first call; the model is initialized by then. */
  Optional<Restored> resume() {
    Optional<Restored> done = restored;
    if (done == null) {
      state.begin();
      try {
        if (resumed == null) {
          resumed = manager.resume();
        }
        done = resumed;
        manager.initialize(state.firstWeights());
      } catch (RuntimeException e) {
        if (resumed != null && e instanceof CheckpointException) {
          manager.failed(e, position.progress()); // of a resume that failed the manager knows
        }
        throw Interrupted.or(e, "run '" + manager.run() + "' was resumed");
      }
      state.resumed();
      heard.begins();
      restored = done;
      resumedInside = position.batch() > 0;
      seedHere();
    }
    return done;
  }

  void beginEpoch() {
    boolean asked = restored != null;
    resume();
    outcome.requireTrainable();
    if (!asked && position.epoch() > 0) {
      log.warn(
          "Run '{}' goes on behind {} epochs, which the loop has not asked for: it trains all of its"
              + " epochs on top of them. Ask for ckpt.remainingEpochs(n) before its first epoch",
          manager.run(),
          position.epoch());
    }
    loopSeen = true;
    if (iterating && !interrupted) {
      told.nextBegins();
      epochDone();
    } else {
      state.rollBack(); // whatever was evaluated since the Stop
    }
    interrupted = false;
    iterating = true;
    exhausted = false;
    epochHeard = false;
    allHeardEpoch = false;
  }

  void delivered(Batch batch) {
    validationEnds();
    trainsOn();
    open = batch;
    openSamples = batch.getSize();
    openHeard = Heard.NEVER;
    epochHeard = false; // of one that is told in its midst
    allHeardEpoch = false;
    state.streams().trainsOn();
    watch.batchDelivered();
  }

  private void trainsOn() {
    position.trainsOn();
    validation = Validation.NONE;
    steppedEpochHeard = false;
    told.forget();
    outcome.trainsOn();
  }

  /** Where the program stands: behind the batches of an epoch that is at the next one's start. */
  Progress progress() {
    boolean over = iterating && !interrupted && (exhausted || epochHeard);
    return over ? position.nextEpoch(Math.max(0, openSamples)) : position.progress();
  }

  /** Whether the loop holds a batch. */
  boolean batchOpen() {
    return openSamples >= 0;
  }

  /** The loop asks for the next batch. */
  void nextBatch() {
    if (batchOpen()) {
      if (openHeard == Heard.VALIDATED && !watch.atCut()) {
        throw new IllegalStateException(
            "The training data is evaluated, and each iteration over ckpt.dataset(...) counts as an"
                + " epoch of training. Evaluate the dataset itself, or ckpt.validation(...) of it");
      }
      batchDone();
    }
  }

  /** A boundary: the loop is done with the batch that it held. */
  void batchDone() {
    closeBatch();
    if (atCut()) {
      if (offer(Kind.STEP).isEmpty() && epochEndOwed) {
        offer(Kind.EPOCH_END);
      }
      epochEndOwed = false;
    }
    seedHere();
    endIfInterrupted();
  }

  private void closeBatch() {
    state.putStatisticsBack();
    position.batchDone(openSamples);
    openSamples = -1;
    open = null;
  }

  /** From now on an interrupt of the training thread ends the training at the next boundary. */
  void endsByInterrupt(boolean ends) {
    endsByInterrupt = ends;
  }

  private void endIfInterrupted() {
    if (endsByInterrupt && atCut() && Thread.interrupted()) {
      throw endedByInterrupt();
    }
  }

  /**
   * Has saved; what is frozen goes back to where it was frozen, so that all of it is of one moment,
   * and stays frozen until the training goes on: a look at the model meanwhile changes nothing.
   */
  private Interrupted endedByInterrupt() {
    if (outcome.trained() && !outcome.isTrainable()) {
      return Interrupted.because(
          "Interrupted behind the end of the training, which stays as it is");
    }
    String saved = outcome.trained() ? saved() : "nothing was trained";
    state.rollBack();
    state.freeze();
    interrupted = iterating;
    return Interrupted.because(
        "Interrupted: "
            + saved
            + ". Start it again, from DjlCheckpoints.in or open on, to go on from there"
            + (endsByInterrupt ? "; or call fit again, if nothing else was changed" : ""));
  }

  /** Waits for it: who stopped a notebook may end its process next. */
  private String saved() {
    String run = "run '" + manager.run() + "' ";
    String step = " at step " + position.progress().step();
    boolean interruptedBefore = Thread.interrupted(); // else there is no waiting
    try {
      save().join();
      return run + "is saved" + step;
    } catch (CheckpointException e) {
      return run + "stands" + step + ", and is not saved there: " + e.getMessage();
    } finally {
      if (interruptedBefore) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Behind the listeners of an epoch, which is where a stop of its validation is looked at. */
  void epochHeardByAll() {
    if (endsByInterrupt && iterating && Thread.currentThread().isInterrupted()) {
      epochDone();
      seedHere();
      endIfInterrupted();
    }
  }

  /**
   * The data threw, of a training or a validation, or a listener in a training by fit. A wait is
   * where an interrupt mostly comes; then the loop ends at once, whosever it is.
   */
  void threw(Throwable thrown) {
    if (!Interrupted.broke(thrown)) {
      failed(thrown);
      return;
    }
    Interrupted ended;
    if (atCut()) {
      ended = endedByInterrupt();
    } else {
      outcome.failed(thrown);
      ended =
          Interrupted.because(
              "Interrupted inside a batch, or behind one that brought no update: nothing is saved"
                  + " there, and what follows the last checkpoint is repeated. To go on,"
                  + Outcome.OPEN_AGAIN);
    }
    ended.initCause(thrown);
    throw ended;
  }

  /** The boundary of a loop whose batches come from elsewhere. */
  void step(long samples) {
    resume();
    outcome.requireTrainable();
    validationEnds();
    trainsOn();
    loopSeen = true;
    watch.batchEnds();
    openSamples = samples;
    batchDone();
  }

  /**
   * The epoch has no further batch.
   *
   * @throws IllegalStateException if it had none: it would count, and bring the run to its goal
   */
  void exhausted() {
    if (!iterating || exhausted) {
      return;
    }
    if (position.batch() == 0) {
      IllegalStateException empty =
          new IllegalStateException(
              "The training data gave no batch: it is empty, or has fewer samples than a batch and"
                  + " leaves out the last one that is not full. No epoch is counted");
      failed(empty);
      throw empty;
    }
    exhausted = true;
    state.freeze();
  }

  /** A validation that was none of an epoch's end: the epoch goes on. */
  private void validationEnds() {
    if (state.isFrozen()) {
      state.thaw();
    }
  }

  /** Validation and listeners of the epoch are done. */
  void epochDone() {
    boolean left = openSamples >= 0; // by break: no boundary, a resume would not leave it there
    if (left) {
      closeBatch();
    }
    iterating = false;
    exhausted = false;
    epochHeard = false;
    allHeardEpoch = false;
    state.thaw();
    position.epochDone();
    epochEndOwed = !atCut();
    if (!epochEndOwed) {
      state
          .streams()
          .asHeard(
              () -> {
                if (offer(Kind.EPOCH_END).isEmpty() && left) {
                  offer(Kind.STEP); // the triggers by step and time have not seen the last one
                }
              });
    }
    state.streams().trainsOn();
  }

  void endEpoch() {
    resume();
    loopSeen = true;
    epochDone();
    seedHere();
  }

  void beginValidation() {
    resume();
    state.putStatisticsBack();
    seeding.validation(position.batches());
    validation = Validation.BEGUN;
  }

  /** It had no further batch. */
  void endValidation() {
    validation = Validation.WHOLE;
  }

  /** A batch was validated, of data that may not be wrapped. */
  void heardValidation(Batch batch) {
    if (batch == open && openHeard == Heard.NEVER) {
      openHeard = Heard.VALIDATED;
    }
    if (batch.getProgressTotal() > 0) {
      validation = HeardEpoch.isLast(batch) ? Validation.WHOLE : Validation.BEGUN;
    }
  }

  /** Between two batches of a validation, which may outlast the time that a SIGTERM gives. */
  void validationBoundary() {
    if (state.isFrozen() && atCut() && manager.stopRequested()) {
      offer(Kind.STEP);
    }
  }

  /** A batch was trained; counted only if nobody else counts. */
  void heardBatch(BatchData data) {
    openHeard = Heard.TRAINED;
    if (!loopSeen) {
      outcome.requireTrainable();
      position.trainsOn();
      validation = Validation.NONE;
      told.forget();
      heard.batch(data.getBatch());
      state.putStatisticsBack();
      watch.batchDelivered();
    }
  }

  /** All listeners up to {@code ours} have closed the epoch. */
  void heardEpoch(TrainingListener ours) {
    List<TrainingListener> all = DjlInternals.listeners(trainer());
    if (isByLoop()) {
      // also of a loop that was left by break, which never sees the end of its data
      epochHeard = iterating;
      allHeardEpoch = iterating && all.get(all.size() - 1) == ours;
      if (iterating) {
        state.streams().epochHeard(allHeardEpoch);
      }
      told.told(ours);
      return;
    }
    if (heard.isEmpty()) {
      return; // nothing was trained: somebody asks for what a test set gave
    }
    resume();
    if (!listenerOnlySaid) {
      listenerOnlySaid = true;
      log.warn(
          "The dataset is not wrapped: checkpoints are saved at the ends of epochs only. Train with"
              + " ckpt.fit(...) or iterate over ckpt.dataset(...) to save at any step.");
      if (all.get(all.size() - 1) != ours) {
        log.warn(
            "ckpt.listener() is not the last listener: what those behind it hold is saved as it was"
                + " before the end of the epoch");
      }
    }
    outcome.requireTrainable();
    countHeard();
    told.toldAndSaved(ours);
    if (atCut()) {
      offerHeardEpoch(ours);
    }
    seedHere();
  }

  /**
   * The next epoch is counted from zero, also by who resumes there before DJL's listener's turn.
   */
  private void offerHeardEpoch(TrainingListener ours) {
    if (EpochMetrics.isClosedBefore(trainer(), ours)) {
      offerHeardEpoch();
      return;
    }
    EvaluatorState evaluators = new EvaluatorState(this::trainer);
    Map<String, ?> open = evaluators.read();
    EpochMetrics.reset(trainer());
    try {
      offerHeardEpoch();
    } finally {
      evaluators.write(open);
    }
  }

  private void offerHeardEpoch() {
    if (offer(Kind.EPOCH_END).isEmpty()) {
      offer(Kind.STEP); // there is no other chance for triggers by step or time
    }
  }

  /** Not the listener alone: by what was seen, or else by where the run stood. */
  private boolean isByLoop() {
    return loopSeen || resumedInside && heard.isEmpty();
  }

  /** An epoch whose batches only the listener heard. */
  private void countHeard() {
    told.forget();
    beginsAnew();
    heard.count(position);
    outcome.heardTraining();
  }

  /** Nobody skipped what the checkpoint had of its epoch. */
  private void beginsAnew() {
    if (resumedInside) {
      resumedInside = false;
      log.warn(
          "Run '{}' was saved inside an epoch, behind {} of its batches, and the dataset is not"
              + " wrapped now: the epoch was begun anew, so that these came twice. Wrap it, by"
              + " ckpt.dataset(...) or ckpt.fit(...), to go on behind them",
          manager.run(),
          position.batch());
      position.beginsAnew();
    }
  }

  /**
   * Saves the state at the end of the training, then records that the goal is reached.
   *
   * @param goal in epochs, if one was told; of a training that stopped early those done are
   *     recorded; of one that has not begun none, if that is not enough
   */
  boolean complete(@Nullable Integer goal) {
    resume();
    if (best.areHeld()) {
      return outcome.isRecorded(); // the state is the best one's, not the last one's
    }
    Throwable failure = outcome.failure();
    if (failure != null) {
      log.warn("The training threw ({}): the run is not recorded as complete", failure.toString());
      return false;
    }
    if (goal != null && isShortWithoutTraining(goal)) {
      log.warn(
          "complete() was called behind {} of {} epochs, and this attempt has trained nothing: the"
              + " run is not recorded as complete, and the next start goes on",
          position.epoch(),
          goal);
      return false;
    }
    endLastEpoch(goal);
    if (!atCut()) {
      log.warn(
          "The training ended behind a batch that brought no update: the run is not recorded as"
              + " complete, and a start would repeat what follows the last update. (A listener that"
              + " ends a training early does so in onEpoch, or in a training by ckpt.fit.)");
      return false;
    }
    if (outcome.trained() && offer(Kind.COMPLETION).isEmpty()) {
      save(); // a goal without its state would be lost work
    }
    int done = position.epoch();
    long reached = goal == null ? done : endedEarly() ? Math.min(goal, done) : goal;
    return outcome.record(Map.of(EPOCHS, reached));
  }

  /** Whatever kept the loop from its first batch: it has not reached the goal. */
  private boolean isShortWithoutTraining(int goal) {
    boolean early = endedEarly();
    boolean reached = manager.completed().orElse(Map.of()).getOrDefault(EPOCHS, 0L) >= goal;
    return !outcome.trained()
        && !early
        && !isEpochOpen(early)
        && position.epoch() < goal
        && !reached;
  }

  /**
   * The program says that this was all: an epoch that is open ends as the next one would end it.
   */
  private void endLastEpoch(@Nullable Integer goal) {
    boolean early = endedEarly();
    boolean open = isEpochOpen(early);
    int done = position.epoch() + (open ? 1 : 0);
    // before the end of the epoch is saved
    boolean untold = (outcome.trained() || open) && !early && goal != null && done < goal;
    if (untold && EarlyStop.areThere(EarlyStop.BY_DJL, trainer())) {
      outcome.stopsEarly(EarlyStop.BY_DJL);
      open |= !iterating && isByLoop() && position.batch() > 0; // it stops behind the last batch
    } else if (untold) {
      log.warn(
          "complete() was called behind {} of {} epochs, and nobody told of an early stop: the run"
              + " is recorded as complete. If a listener stopped it, catch its"
              + " EarlyStoppedException and call ckpt.failed(e) before complete(): then a start"
              + " without that listener trains on",
          done,
          goal);
    }
    boolean cut = validation == Validation.BEGUN || untold && validation == Validation.NONE;
    if (open && !early && !epochHeard && (cut || untold)) {
      EpochMetrics.close(trainer(), cut);
    } else if (untold) {
      EpochMetrics.close(trainer(), false);
    }
    if (open && isByLoop()) {
      epochDone();
    } else if (open) {
      countHeard(); // who stopped it threw before this listener heard the epoch's end
    } else if (!isByLoop() && !heard.isEmpty() && atCut()) {
      beginsAnew();
      heard.countBegun(position); // stopped in its midst
      outcome.heardTraining();
    } else if (batchOpen()) {
      batchDone(); // in the midst of an epoch
    }
  }

  /** Whether there is an epoch that ends now. */
  private boolean isEpochOpen(boolean early) {
    if (!isByLoop()) {
      return !early && !heard.isEmpty();
    }
    if (!iterating) {
      return steppedEpochHeard && position.batch() > 0;
    }
    return !interrupted
        && (exhausted || epochHeard || !early && (batchOpen() || position.batch() > 0));
  }

  /** Before its goal, as far as it is known by now: by a listener, a Stop, or without either. */
  private boolean endedEarly() {
    return outcome.endedEarly() || interrupted;
  }

  /** Puts the best weights into the model, if that is asked for; nothing is saved from then on. */
  Optional<Checkpoint> restoreBest() {
    return best.restore();
  }

  /** An attempt that only looked at a complete run leaves it complete. */
  void stayComplete() {
    if (restored != null
        && restored.isPresent()
        && outcome.failure() == null
        && outcome.completedBefore()) {
      manager.complete(manager.completed().orElseThrow());
    }
  }

  /**
   * Thrown by the loop, by the data, by a listener: saves if the state stands at a cut, and is what
   * the attempt's record of its end will tell.
   */
  void failed(Throwable thrown) {
    if (thrown instanceof EarlyStoppedException stop) {
      stopped(stop);
      return;
    }
    if (outcome.failure() == thrown) {
      return;
    }
    outcome.failed(thrown);
    manager.failed(thrown, position.progress());
    if (thrown instanceof CheckpointException.Incompatible && atCut()) {
      outcome.recovered(); // what was refused has changed nothing: the loop may come with something
      // else
      interrupted = iterating;
    }
    if (thrown instanceof CheckpointException || restored == null) {
      return;
    }
    if (!isByLoop() && !heard.isEmpty()) {
      log.warn(
          "The training threw inside an epoch whose batches only the listener heard, so that no"
              + " start would find its place there: nothing new is saved; a save in flight is"
              + " finished");
      return;
    }
    if (!atCut()) {
      log.warn(
          "The training threw inside a step, which may have changed a part of the state: nothing"
              + " new is saved; a save in flight is finished");
      return;
    }
    try {
      offer(Kind.EXCEPTION);
    } catch (RuntimeException e) {
      thrown.addSuppressed(e);
    }
  }

  /** An epoch whose batches are all trained counts, wherever it was stopped then. */
  private void stopped(EarlyStoppedException stop) {
    boolean inOnEpoch = EarlyStop.isIn("onEpoch", stop);
    boolean inValidation =
        EarlyStop.isIn("onValidationBatch", stop) || !inOnEpoch && validation == Validation.BEGUN;
    boolean heardWhole = !isByLoop() && heard.isWhole(inOnEpoch, atCut());
    if (heardWhole) {
      countHeard(); // it threw before this listener heard the epoch's end
    }
    steppedEpochHeard = isByLoop() && !iterating && inOnEpoch;
    outcome.stopped(EarlyStop.by(stop, trainer()));
    updatesAtStop = watch.updates();
    if (heardWhole || steppedEpochHeard || iterating && exhausted) {
      EpochMetrics.close(trainer(), inValidation);
      told.closed();
    }
  }

  /** Not so while the loop holds a batch, nor behind a batch that brought no update. */
  private boolean atCut() {
    return openSamples < 0 && watch.atCut();
  }

  /**
   * The trainer is being closed, its arrays are still open: the last chance for the end of an epoch
   * behind which no further one began. Only if every listener is known to have closed the epoch.
   */
  void trainingEnds() {
    if (!outcome.isDetached() && outcome.failure() == null && allHeardEpoch && openSamples < 0) {
      epochDone();
    }
    detach();
  }

  /** The arrays are about to be closed. */
  void detach() {
    outcome.detached();
    state.detach();
  }

  /** Seeds what follows the present position. */
  void seedHere() {
    seeding.after(position.batches(), position.phase());
  }

  Seeding seeding() {
    return seeding;
  }

  private Optional<SaveHandle> offer(Kind kind) {
    state.observe();
    return manager.offer(kind, position.progress(), this::metrics);
  }

  private SaveHandle save() {
    state.observe();
    return manager.save(position.progress(), metrics());
  }

  private Map<String, Double> metrics() {
    return position.phase() == Phase.AFTER_EPOCH
        ? told.metrics()
        : EpochMetrics.ofRunningEpoch(trainer());
  }

  StateDigest digest() {
    return state.digest();
  }
}
