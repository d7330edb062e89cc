package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Moment.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.SaveHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One training as the checkpoints see it: where it stands, whether that is a cut, and what is due
 * there. All on the training thread.
 *
 * <p>The life of an epoch: {@link #enteredEpoch}, then for each batch {@link #delivered} and {@link
 * #boundary} (it is done), then {@link #exhausted}; DL4J tells the listeners and counts the epoch,
 * and the next {@link #boundary} sees by that count that it has ended. A save between the last
 * batch and that says "all batches done": resumed, the epoch is entered to be ended.
 *
 * <p>With the listener alone nobody sees batches: {@link #heardUpdate} and {@link #heardEpoch} are
 * called from inside DL4J's update and before it counts the epoch ({@link ListenerOnly}).
 */
final class Session {
  private static final Logger log = LoggerFactory.getLogger(Session.class);

  private static final String PHASES =
      ". A program that trains in phases calls ckpt.resume(net), for each phase"
          + " ckpt.remainingEpochs(goal) and net.fit(ckpt.iterator(data), left), and ";

  private static final String TO_EVALUATE =
      " To evaluate, give the bare data in place of ckpt.iterator(...).";

  private final CheckpointManager manager;
  private final Parts parts;
  private final Position position;
  private final BestWeights best;
  private final ListenerOnly listenerOnly;
  private final GivenEpoch epoch = new GivenEpoch(this::trainee);
  private final List<Runnable> closing = new ArrayList<>();

  private @Nullable Trainee trainee;
  private List<?> listeners = List.of();
  private @Nullable Thread training;
  private @Nullable Optional<Restored> restored;

  /** Whether batches are seen one by one; else the listener is all there is. */
  private boolean loopSeen;

  private boolean endsByInterrupt;
  private boolean trained;
  private boolean recorded;
  private @Nullable Throwable failure;

  /** On a thread that cannot say so, and whether the training thread has thrown it. */
  private volatile @Nullable RuntimeException refused;

  private boolean refusalTold;

  Session(CheckpointManager manager) {
    this.manager = manager;
    this.parts = Parts.register(manager, this::trainee);
    this.position = parts.position();
    this.best = new BestWeights(manager, parts.model());
    this.listenerOnly = new ListenerOnly(manager, parts, this::trainee, this::offer);
  }

  Parts parts() {
    return parts;
  }

  Position position() {
    return position;
  }

  Trainee trainee() {
    if (trainee == null) {
      throw new IllegalStateException(
          "No network is attached: call ckpt.resume(net) behind net.init(), or train with"
              + " ckpt.fit(net, ...)");
    }
    return trainee;
  }

  boolean isResumed() {
    return restored != null;
  }

  /** Resumes at the first call; the network is initialized by then. */
  Optional<Restored> resume(Trainee users) {
    Optional<Restored> done = restored;
    if (done != null) {
      if (trainee().own() != users.own()) {
        throw new IllegalArgumentException(
            "These checkpoints are attached to another network: one Dl4jCheckpoints serves one");
      }
      requireKnown(users);
      return done;
    }
    users.parameters(); // says what cannot be saved, before anything is touched
    users.requireResumable();
    trainee = users;
    training = Thread.currentThread();
    parts.environment().observe(users);
    parts.updater().observe();
    listeners = users.listeners();
    ListenerState.register(manager, users);
    done = manager.resume();
    manager.initialize(parts.firstWeights());
    parts.counters().finishUpdate();
    parts.randomness().applyLast();
    restored = done;
    return done;
  }

  /** A listener with a state that comes behind the resume would neither be saved nor restored. */
  private void requireKnown(Trainee users) {
    for (Object listener : users.listeners()) {
      if (listener instanceof Checkpointable && !listeners.contains(listener)) {
        throw new IllegalStateException(
            listener.getClass().getName()
                + " keeps a state, and the run is resumed without it: add it with setListeners"
                + " before ckpt.resume(...)");
      }
    }
  }

  /** What must end before the run is let go of. */
  void closing(Runnable close) {
    closing.add(close);
  }

  /**
   * Refuses another thread.
   *
   * @throws IllegalStateException saying why it matters
   */
  void requireTrainingThread() {
    RuntimeException refusal = refused;
    if (refusal != null) {
      refusalTold = true;
      throw refusal;
    }
    if (restored == null) {
      throw new IllegalStateException(
          "The run is not resumed yet: call ckpt.resume(net) behind net.init(), before the"
              + " training");
    }
    if (Thread.currentThread() != training) {
      Callers.refuseWorkers(); // one of them trains the network itself
      throw new IllegalStateException(
          "Called from thread '"
              + Thread.currentThread().getName()
              + "', but the training is resumed on '"
              + (training == null ? "" : training.getName())
              + "': boundaries belong to the thread that trains. Give ckpt.iterator(...) to fit as"
              + " it is, without AsyncDataSetIterator around it, which it does not need: it loads"
              + " ahead by itself.");
    }
  }

  /** Refuses to train behind the end of the run, which this process has recorded. */
  void requireTrainable() {
    if (recorded || best.restored().isPresent()) {
      Callers.refuseReaders(); // who does not mean to train hears what to do instead
      requireLastWeights();
      throw new IllegalStateException(
          "Run '"
              + manager.run()
              + "' is recorded as complete at step "
              + position.progress().step()
              + PHASES
              + "ckpt.complete() once, behind the last. To train on from here, open the run again."
              + TO_EVALUATE);
    }
  }

  private void requireLastWeights() {
    if (best.restored().isPresent()) {
      throw new IllegalStateException(
          "The model holds the best weights (restoreBest), those of "
              + best.restored().get().id()
              + PHASES
              + "ckpt.complete() and ckpt.restoreBest() once, behind the last. To train on from the"
              + " last ones, open the run again."
              + TO_EVALUATE);
    }
  }

  /**
   * DL4J's loader, around a wrapper of ours, lets the training wait for ever if its thread throws:
   * it is told that there is no batch, and the training is refused as soon as it asks for anything.
   */
  boolean refusesLoader() {
    if (!Callers.isLoader()) {
      return false;
    }
    if (refused == null) {
      RuntimeException refusal = Callers.loaders();
      log.error("Nothing is trained: {}", refusal.getMessage());
      refused = refusal;
    }
    return true;
  }

  /** Throws what was refused where nobody could hear of it, if nobody has since. */
  void tellRefused() {
    RuntimeException refusal = refused;
    if (refusal != null && !refusalTold) {
      refusalTold = true;
      throw refusal;
    }
  }

  void enteredEpoch() {
    epoch.requireUpdated(); // it was entered before, through another iterator
    loopSeen = true;
    epoch.enter();
  }

  void delivered(long samples) {
    epoch.give(samples);
    trained = true;
    manager.beforeUpdate();
  }

  /** The epoch has no further batch. */
  void exhausted() {
    epoch.exhaust();
  }

  /** The loop is done with the batch that it held, and with the epoch if DL4J has counted it. */
  void boundary() {
    if (epoch.isOpen()) {
      position.batchDone(epoch.openSamples());
      epoch.close();
    }
    if (epoch.isCounted()) {
      epochDone();
    }
  }

  /**
   * The program begins the epoch that is next, or the same one again. DL4J's {@code fit} alone
   * resets what has no batch left without meaning that: it enters an epoch in order to end it.
   */
  void reset() {
    boundary();
    if (epoch.hasGiven() || (epoch.isExhausted() && !Callers.isFit())) {
      epochDone();
    }
  }

  /** Ends the epoch that the program is behind, which nothing has told yet. */
  void endOver() {
    if (epoch.isOver()) {
      boundary();
      if (epoch.isEntered()) {
        epochDone();
      }
    }
  }

  /** Where the program stands: behind the last batch of an epoch that is at the next one. */
  Progress progress() {
    return epoch.isOver() ? position.nextEpoch(epoch.openSamples()) : position.progress();
  }

  /**
   * Saves what is due at a boundary; not while a batch that counts as done waits for its update.
   *
   * @param more whether a batch follows in this epoch
   */
  void offerHere(boolean more) {
    if (epoch.isOfferDue() && !epoch.isHeld() && (more || trainee().canEndEpochAfterResume())) {
      epoch.offered();
      offer(Kind.STEP);
      endIfInterrupted();
    }
  }

  /** From now on an interrupt of the training thread ends the training at the next boundary. */
  void endsByInterrupt(boolean ends) {
    endsByInterrupt = ends;
  }

  /** What a notebook's Stop does: no failure, and no sign of a crash loop. */
  private void endIfInterrupted() {
    if (endsByInterrupt && Thread.interrupted()) {
      manager.save(position.progress(), parts.metrics().all());
      throw new Interrupted(
          "Interrupted: run '"
              + manager.run()
              + "' is saved at step "
              + position.progress().step()
              + ". Start it again, from Dl4jCheckpoints.in or open on, to go on from there");
    }
  }

  /** The training was interrupted, and its state is saved. */
  static final class Interrupted extends CancellationException {
    private static final long serialVersionUID = 1L;

    Interrupted(String message) {
      super(message);
    }
  }

  /** The boundary of a loop whose batches come from elsewhere. */
  void step(long samples) {
    requireTrainingThread();
    if (epoch.isEntered() || epoch.isJustEnded()) {
      throw new IllegalStateException(
          "ckpt.iterator(...) counts its batches by itself, and this one would count twice: leave"
              + " ckpt.step(...) out. Or iterate over the bare data, from batch"
              + " ckpt.progress().batch() of the epoch on, and call ckpt.endEpoch() behind each.");
    }
    requireLastWeights();
    loopSeen = true;
    trained = true;
    position.batchDone(samples);
    offer(Kind.STEP);
  }

  /** Listeners of the epoch are done. */
  void epochDone() {
    epoch.requireUpdated();
    boolean notOffered = epoch.isOfferDue();
    boolean stepDue = notOffered || position.batch() == 0; // there was no chance for it before
    epoch.end();
    position.epochDone();
    if (offer(Kind.EPOCH_END).isEmpty() && stepDue) {
      offer(Kind.STEP);
    }
    if (notOffered) {
      endIfInterrupted();
    }
  }

  void endEpoch() {
    requireTrainingThread();
    if (!loopSeen && !trained && parts.counters().savedInUpdate() && position.batch() > 0) {
      listenerOnly.endEpoch(this::heardEpoch);
      return;
    }
    boundary(); // the batch that the loop holds is of this epoch
    if (!epoch.isJustEnded()) {
      loopSeen = true;
      trained = true;
      epochDone();
    }
    epoch.forgetEnd();
  }

  /** An update was made, seen from inside it. Counts only if nobody else counts. */
  void heardUpdate(long samples) {
    requireTrainingThread();
    if (!loopSeen) {
      trained |= listenerOnly.update(samples);
    }
  }

  /** The epoch has ended and is not counted yet. */
  void heardEpoch() {
    requireTrainingThread();
    if (!loopSeen) {
      trained = true;
      listenerOnly.epochEnds();
    }
  }

  /** A listener hears of a network that is not the one that is saved. */
  void requireOwn(Object model) {
    if (restored != null && trainee().own() != model) {
      throw Callers.workers();
    }
  }

  /** Saves the state at the end of the training, then records that the goal is reached. */
  boolean complete(Map<String, Long> goal) {
    requireTrainingThread();
    if (best.restored().isPresent()) {
      return recorded; // the state is the best one's, not the last one's
    }
    boundary();
    if (epoch.isEntered() && epoch.isExhausted()) {
      epochDone();
    }
    if (trained && offer(Kind.COMPLETION).isEmpty()) {
      manager.save(
          position.progress(), parts.metrics().all()); // a goal without its state would be lost
    }
    recorded = manager.complete(goal);
    return recorded;
  }

  /** Puts the best weights into the model, if that is asked for; nothing is saved from then on. */
  Optional<Checkpoint> restoreBest() {
    return best.restore();
  }

  /** Whether this attempt has trained anything. */
  boolean hasTrained() {
    return trained;
  }

  /** Whether the run was complete when it was opened, and nothing has been trained since. */
  boolean completedBefore() {
    return !trained && manager.completed().isPresent();
  }

  /** An attempt that only looked at a complete run leaves it complete. */
  void stayComplete() {
    if (restored != null && restored.isPresent() && failure == null && completedBefore()) {
      manager.complete(manager.completed().orElseThrow());
    }
  }

  /**
   * Thrown by the loop, by the data, by a listener: saves if the state stands at a cut, and is what
   * the attempt's record of its end will tell.
   */
  void failed(Throwable thrown) {
    if (failure == thrown || thrown instanceof Interrupted) {
      return;
    }
    failure = thrown;
    if (trainee == null) {
      return;
    }
    manager.failed(thrown, position.progress());
    if (thrown instanceof CheckpointException || restored == null) {
      return;
    }
    if (epoch.isOpen() || !loopSeen || epoch.isHeld()) {
      log.warn(
          "The training threw inside a step, which may have changed a part of the state: nothing"
              + " new is saved; a save in flight is finished");
      return;
    }
    if (epoch.isExhausted() && !trainee().canEndEpochAfterResume()) {
      return;
    }
    try {
      offer(Kind.EXCEPTION);
    } catch (RuntimeException e) {
      thrown.addSuppressed(e);
    }
  }

  @Nullable Throwable failure() {
    return failure;
  }

  /** Ends what loads data. */
  void detach() {
    closing.forEach(Runnable::run);
    closing.clear();
  }

  private Optional<SaveHandle> offer(Kind kind) {
    return manager.offer(kind, position.progress(), parts.metrics()::all);
  }

  StateDigest digest() {
    StateDigest digest = new StateDigest();
    parts.model().capture(digest);
    parts.updater().capture(digest);
    return digest;
  }
}
