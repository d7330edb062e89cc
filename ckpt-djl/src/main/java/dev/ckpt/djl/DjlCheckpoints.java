package dev.ckpt.djl;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.translate.TranslateException;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Checkpoints of one DJL training: killed anywhere and started again, it ends with the same bytes
 * and the same log as if it had never stopped.
 *
 * <pre>{@code
 * try (DjlCheckpoints ckpt = DjlCheckpoints.in(Path.of("checkpoints"))) {   // first: it seeds DJL
 *   var config = new DefaultTrainingConfig(loss)
 *       .addTrainingListeners(TrainingListener.Defaults.logging())
 *       .addTrainingListeners(ckpt.listener());
 *   try (Trainer trainer = model.newTrainer(config)) {
 *     trainer.initialize(shape);
 *     ckpt.fit(trainer, 20, train, validation);
 *   }
 * }
 * }</pre>
 *
 * <p>A loop of one's own iterates over {@link #dataset}, or calls {@link #resume} and {@link
 * #step}. With the listener alone, checkpoints are saved at the ends of epochs, and {@link #resume}
 * restores them.
 *
 * <p>Saved are weights, running statistics, frozen flags, the optimizer's slots and counters, the
 * position in the data, random streams, accumulators of evaluators, the counters of DJL's own
 * listeners, and a thinned-out history of the trainer's metrics. Learning rate trackers are taken
 * for functions of the update count, as DJL's are. For other state, {@link
 * CheckpointManager#register register} a part with {@link #manager()} before the training is
 * resumed.
 *
 * <p>Randomness: at open, when the trainer begins, before each batch and at the start of each
 * validation the engine and DJL's {@code RandomUtils} are seeded from the run's seed and the number
 * of batches done. Draw from {@link #random} what must outlast a batch. Random transforms that run
 * in prefetch threads share one generator without an order: they are not reproducible, with or
 * without checkpoints.
 *
 * <p>One object serves one trainer on one device. All methods belong to the training thread.
 */
public final class DjlCheckpoints implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(DjlCheckpoints.class);

  private final CheckpointManager manager;
  private final Session session;
  private final TrainingListener listener = new Listener();
  private @Nullable Integer goal;
  private boolean completed;
  private boolean closed;

  private DjlCheckpoints(CheckpointManager manager, IntConsumer seedEngine) {
    this.manager = manager;
    this.session = new Session(manager, seedEngine);
  }

  /**
   * Checkpoints in a folder, created if needed, with defaults for the rest. The run is named after
   * the program: one that trains several models gives each a name of its own.
   */
  public static DjlCheckpoints in(Path directory) {
    return open(CheckpointManager.in(directory));
  }

  /** Checkpoints of the run of that name in a folder. */
  public static DjlCheckpoints in(Path directory, String run) {
    return open(CheckpointManager.in(directory).run(run));
  }

  /** Checkpoints as a config file says. */
  public static DjlCheckpoints open(CheckpointConfig config) {
    return open(CheckpointManager.from(config));
  }

  /**
   * Checkpoints as the builder says. Seeds the engine: call it before weights are drawn and before
   * data is split at random.
   *
   * @throws UnsupportedOperationException if this version of DJL is not built as expected
   * @throws dev.ckpt.CheckpointException as opening a manager does
   */
  public static DjlCheckpoints open(CheckpointManagerBuilder builder) {
    return open(builder, Seeding::seedDefaultEngine);
  }

  static DjlCheckpoints open(CheckpointManagerBuilder builder, IntConsumer seedEngine) {
    PrivateField.probe(DjlInternals.class);
    builder.provenance("djl", Engine.getDjlVersion());
    CheckpointManager manager;
    try {
      manager = builder.open();
    } catch (RuntimeException e) {
      throw Interrupted.or(e, "the run was opened");
    }
    try {
      return new DjlCheckpoints(manager, seedEngine);
    } catch (Throwable e) {
      manager.close();
      throw e;
    }
  }

  /**
   * The listener to add to the training config, at any place in the list; at the last one if the
   * dataset is not wrapped.
   *
   * <p>When the trainer begins it throws {@link UnsupportedOperationException} if the trainer has
   * several devices, or an optimizer that holds state of an unknown kind.
   */
  public TrainingListener listener() {
    return listener;
  }

  /**
   * Trains up to {@code epochs} epochs in all, as {@link EasyTrain#fit} does, beginning where the
   * run stands, and completes the run. Early stopping is a normal end. If the run has been
   * completed with as many epochs, or stopped early, the final state is restored and nothing is
   * trained. With {@code restoreBest} the model holds the best weights at the end.
   *
   * <p>If the thread is interrupted, as by a notebook's Stop, the training ends at the next
   * boundary, behind a batch or an epoch's listeners: the state is saved and {@link
   * java.util.concurrent.CancellationException} thrown, with the thread's interrupt cleared. To go
   * on, open the run again and build the trainer anew; or call this again, which goes on with the
   * begun epoch, if model and trainer were left alone.
   *
   * @param trainer initialized, with {@link #listener()} attached
   * @param epochs the goal, counted from the start of the run
   * @param validation evaluated after each epoch, if there is one
   * @throws dev.ckpt.CheckpointException if the run cannot be resumed, or a save failed and the
   *     policy is to fail
   * @throws IllegalArgumentException if other checkpoints have wrapped the data
   * @throws IllegalStateException if there is something left to train and these checkpoints are
   *     closed or have completed the run, or if the training threw before: open the run again
   */
  public void fit(Trainer trainer, int epochs, Dataset train, @Nullable Dataset validation)
      throws IOException, TranslateException {
    requireAttached(trainer);
    session.outcome().requireWhole();
    int remaining = remainingEpochs(epochs);
    if (remaining > 0) {
      session.outcome().requireTrainable();
    }
    if (remaining == 0 && session.outcome().stoppedEarly()) {
      log.info(
          "Run {} stopped early after {} epochs; without {}{} it trains on",
          manager.run(),
          session.position().epoch(),
          String.join(", ", session.position().stoppedBy()),
          session.position().stoppedWith().isEmpty() ? "" : ", or with more patience,");
    } else if (remaining == 0) {
      log.info("Run {} has reached its goal of {} epochs", manager.run(), epochs);
    }
    Dataset wrapped = dataset(train);
    Dataset evaluated = null;
    if (validation != null) {
      evaluated = validation(validation);
      session.split().validates(WrappedData.source(validation, session));
    }
    session.endsByInterrupt(true);
    try {
      for (int i = 0; i < remaining; i++) {
        for (Batch batch : trainer.iterateDataset(wrapped)) {
          train(trainer, batch);
        }
        EasyTrain.evaluateDataset(trainer, evaluated);
        trainer.notifyListeners(each -> each.onEpoch(trainer));
        session.epochHeardByAll();
      }
    } catch (EarlyStoppedException e) {
      session.failed(e);
      log.info("Stopped early in epoch {}: {}", e.getStopEpoch(), e.getMessage());
    } catch (Interrupted e) {
      throw e;
    } catch (Throwable e) {
      session.threw(e);
      throw e;
    } finally {
      session.endsByInterrupt(false);
    }
    complete();
    restoreBest();
  }

  /**
   * As DJL does; who ends the training early, ends it behind the batch, whose gradients are there,
   * and which all listeners hear.
   */
  private static void train(Trainer trainer, Batch batch) {
    EarlyStoppedException stop = null;
    List<TrainingListener> listeners = DjlInternals.listeners(trainer);
    DjlInternals.listeners(trainer, EarlyStop.allTold(listeners));
    try {
      EasyTrain.trainBatch(trainer, batch);
    } catch (EarlyStoppedException e) {
      if (EarlyStop.by(e, trainer).isEmpty()) {
        throw e;
      }
      stop = e;
    } finally {
      DjlInternals.listeners(trainer, listeners);
    }
    trainer.step();
    batch.close();
    if (stop != null) {
      throw stop;
    }
  }

  /**
   * Resumes the run into an initialized trainer: for loops that do not use {@link #dataset}. Later
   * calls return the same.
   *
   * @return what was restored; empty for a fresh start
   * @throws dev.ckpt.CheckpointException.Incompatible if the model or the optimizer is another than
   *     the checkpoint's; nothing was changed
   * @throws UnsupportedOperationException if a parameter is of a type that cannot be saved
   * @throws java.util.concurrent.CancellationException if the thread was interrupted, with its
   *     interrupt cleared: call it again, or never
   */
  public Optional<Restored> resume(Trainer trainer) {
    requireAttached(trainer);
    return session.resume();
  }

  /**
   * How many epochs are left of {@code epochs}: before the loop, or again before each epoch; for
   * {@code EasyTrain.fit(trainer, ckpt.remainingEpochs(20), ckpt.dataset(train),
   * ckpt.validation(validation))}. An epoch that has begun counts. Resumes the run if that has not
   * been done. 0 if the run is complete, or was stopped early by a listener that is still there;
   * DJL's own with more patience than it had then, or other limits that are wider, is none.
   */
  public int remainingEpochs(int epochs) {
    if (epochs < 0) {
      throw new IllegalArgumentException("epochs: " + epochs);
    }
    boolean said = Objects.equals(goal, epochs); // fit asks what a program may have asked before
    goal = epochs;
    session.resume();
    int done = session.progress().epoch();
    if (session.outcome().stoppedEarly()) {
      return 0;
    }
    if (!said && !session.outcome().loosened().isEmpty()) {
      log.info(
          "Run {} had stopped early after {} epochs, within limits that are wider now: {}",
          manager.run(),
          done,
          String.join(", ", session.outcome().loosened()));
    }
    long reached =
        manager.completed().map(goal -> goal.getOrDefault(Session.EPOCHS, 0L)).orElse(0L);
    if (!said && reached > 0 && reached < epochs) {
      log.info(
          "Run {} was complete with {} epochs and trains on to {}", manager.run(), reached, epochs);
    }
    return reached >= epochs && !session.position().stoppedEarly() ? 0 : Math.max(0, epochs - done);
  }

  /**
   * The training data, to be iterated in place of {@code train}: each iteration is one epoch, the
   * first one begins behind the batches that are done. How many are left is asked for before:
   *
   * <pre>{@code
   * Dataset data = ckpt.dataset(train);
   * for (int left = ckpt.remainingEpochs(20); left > 0; left--) {
   *   for (Batch batch : trainer.iterateDataset(data)) { ... }
   *   EasyTrain.evaluateDataset(trainer, ckpt.validation(validation));
   *   trainer.notifyListeners(each -> each.onEpoch(trainer));
   * }
   * ckpt.complete();
   * }</pre>
   *
   * <p>Prefetch, {@code dropLast} and devices work as before.
   *
   * <p>If DJL draws its samples through a sampler, that sampler's first index lists are drawn again
   * and no sample is fetched; with {@link #sampler} not even that. A sampler of one's own must draw
   * from {@code RandomUtils}, in {@code Sampler.sample}. Any other dataset is read from its start.
   *
   * <p>A loop may leave an epoch by {@code break}: the epoch ends with {@code onEpoch} or the next
   * iteration. If it counts batches for that, it begins each epoch to count at {@code
   * progress().batch()}, and notifies {@code onEpoch} at its end: else progress is still of the old
   * one. So does a loop that counts batches to an update.
   *
   * @param train wrapped already, it counts once
   * @throws IllegalArgumentException if other checkpoints have wrapped it
   */
  public Dataset dataset(Dataset train) {
    return new TrainingData(WrappedData.source(train, session), session);
  }

  /**
   * The validation data, to be iterated in place of {@code validation}.
   *
   * @param validation wrapped already, it counts once
   * @throws IllegalArgumentException if other checkpoints have wrapped it
   */
  public Dataset validation(Dataset validation) {
    return new ValidationData(WrappedData.source(validation, session), session);
  }

  /**
   * A sampler for the builder of a dataset, {@code setSampling(ckpt.sampler(32, true, true))}: its
   * order is a function of the run's seed and the epoch, and it resumes in constant time.
   *
   * @param shuffle whether each epoch has an order of its own; else samples come by index
   * @param dropLast whether a last batch that is not full is left out
   */
  public Sampler sampler(int batchSize, boolean shuffle, boolean dropLast) {
    return new EpochSampler(
        batchSize, shuffle, dropLast, session.seeding()::orderKey, session.position()::epoch);
  }

  /**
   * A random stream that goes on where it was after a resume. One object for each name; safe for
   * use by several threads, though their order is not reproducible.
   */
  public Random random(String name) {
    return session.streams().named(name);
  }

  /**
   * A boundary of a loop that does not iterate over {@link #dataset}: call it after each batch,
   * behind {@code trainer.step()} if that is due. Saves if a save is due and an update has fired.
   *
   * <p>Such a loop finds its place by {@link #progress}, so its data come in an order that is the
   * same wherever an epoch is entered: as they are, or by {@link #sampler}. DJL's own shuffling
   * draws another one behind a resume inside an epoch; {@link #dataset} makes that exact, too.
   *
   * @param samples how many the batch held
   */
  public void step(int samples) {
    if (samples < 0) {
      throw new IllegalArgumentException("samples: " + samples);
    }
    session.step(samples);
  }

  /** The end of an epoch of such a loop, behind its validation and listeners. */
  public void endEpoch() {
    session.endEpoch();
  }

  /**
   * Where the training stands: after a resume, where to begin. Behind the last batch of wrapped
   * data, or {@code onEpoch}, that is the start of the next epoch.
   */
  public Progress progress() {
    return session.progress();
  }

  /**
   * Says that the training has reached its goal: saves the final state and records the goal, which
   * is the number of epochs given to {@link #remainingEpochs}, else of those done; of a training
   * that stopped early it is those done, and behind fewer, of which nobody told why, it warns; an
   * attempt that has trained nothing records no goal that earlier ones have not reached. An epoch
   * that was left by {@code break} ends here. {@link #fit} does so by itself. Call it before the
   * trainer is closed: afterwards it can only record a state that was saved at the end of an epoch.
   *
   * @return whether the goal is recorded: not if the training threw, never began, or its final save
   *     failed, or if it ended behind a batch that brought no update, whose gradients no checkpoint
   *     holds
   * @throws dev.ckpt.CheckpointException if the save failed and the policy is to fail
   */
  public boolean complete() {
    completed = session.complete(goal);
    return completed;
  }

  /**
   * Puts the best weights into the model, if {@code restoreBest} is configured: the last thing that
   * is done with the trainer, behind {@link #complete}. {@link #fit} does so by itself. Nothing is
   * saved from then on. Blocks as the store does.
   *
   * @return whose weights they are; empty if that is not configured, or no checkpoint has the
   *     metric: then the model is as it was
   */
  public Optional<Checkpoint> restoreBest() {
    return session.restoreBest();
  }

  /**
   * Says that the training threw, for loops of one's own: {@code catch (Throwable e) {
   * ckpt.failed(e); throw e; }}. Saves if the training stands between two batches and {@code
   * save.onException} is on; and the attempt is recorded as failed, with the cause, so that a start
   * can tell a crash loop ({@link dev.ckpt.CheckpointException.CrashLoop}) from a machine that
   * died. {@link #fit} does so by itself, and so do wrapped data that throw. Early stopping is no
   * failure: told of it, the run stays stopped although its process may die before {@link
   * #complete}, which sees a stop by DJL's own listener without being told.
   *
   * <p>What a loop of one's own throws and does not tell is not seen: such an attempt, in
   * particular one by {@link EasyTrain#fit}, is recorded as closed at the step where it stood, and
   * never makes a crash loop.
   */
  public void failed(Throwable thrown) {
    session.failed(thrown);
  }

  /** Whether this or an earlier attempt has completed the run. */
  public boolean isComplete() {
    return completed || session.outcome().completedBefore();
  }

  /**
   * SHA-256, in hex, over weights, running statistics, the optimizer's slots and update counts: two
   * trainings with the same digest hold the same bits.
   */
  public String sha256() {
    return session.digest().hex();
  }

  /**
   * Puts the weights and running statistics of a checkpoint into a model, to predict with or to
   * start from. The model has its block; if its parameters are not initialized, they get their
   * shapes from the checkpoint. Blocks; on any thread.
   *
   * @param run the run to look in
   * @param reference {@code latest}, {@code best}, {@code best(metric)}, {@code best(metric, min)}
   *     or an id, as {@link Checkpoints#find} understands it
   * @return the checkpoint that they are of
   * @throws dev.ckpt.CheckpointException.NotFound if there is none such
   * @throws dev.ckpt.CheckpointException.Incompatible if the model has other parameters
   * @throws dev.ckpt.CheckpointException.Corrupt if the checkpoint is damaged; the model may then
   *     be half loaded
   */
  public static Checkpoint loadWeights(Model model, Checkpoints run, String reference) {
    return Uninterrupted.get(
        () -> {
          try (Checkpoints.Opened open = run.open(run.find(reference).id())) {
            Map<String, StateView> parts = new LinkedHashMap<>();
            open.parts().forEach(part -> parts.put(part, open.view(part)));
            Weights.load(model, parts);
            return open.checkpoint();
          }
        });
  }

  /** As {@link #loadWeights(Model, Checkpoints, String)}, of the only run in a store. */
  public static Checkpoint loadWeights(Model model, CheckpointStore store, String reference) {
    return loadWeights(model, Checkpoints.only(store), reference);
  }

  /** As {@link #loadWeights(Model, Checkpoints, String)}, of the only run in a folder. */
  public static Checkpoint loadWeights(Model model, Path directory, String reference)
      throws IOException {
    try (CheckpointStore store = Stores.local(directory)) {
      return loadWeights(model, Checkpoints.only(store), reference);
    }
  }

  /**
   * Writes DJL's own {@code <name>-0000.params}, which {@code Model.load} and {@code
   * Criteria.optModelPath} read without ckpt. Neither a model nor an engine is needed. Blocks; on
   * any thread.
   *
   * @param reference as {@link Checkpoints#find} understands it
   * @param directory created if needed; a file of that name is replaced
   * @param name of the model, which is the file's prefix
   * @return the file
   * @throws dev.ckpt.CheckpointException.NotFound if there is no such checkpoint, or its blocks
   *     write themselves in a way that only their program can
   * @throws IllegalArgumentException if the folder holds one of that name with a higher number,
   *     which DJL would load instead; nothing was written
   */
  public static Path exportModel(Checkpoints run, String reference, Path directory, String name) {
    try (Checkpoints.Opened open = run.open(run.find(reference).id())) {
      Path file = directory.resolve(name + "-0000.params");
      open.export(file);
      return file;
    }
  }

  /** As above, of this run, under the name of the attached trainer's model. */
  public Path exportModel(String reference, Path directory) {
    return exportModel(
        manager.checkpoints(), reference, directory, session.trainer().getModel().getName());
  }

  /** The manager underneath: to register parts, to ask for a save, to see failures. */
  public CheckpointManager manager() {
    return manager;
  }

  Session session() {
    return session;
  }

  private void requireAttached(Trainer trainer) {
    if (session.trainer() != trainer) {
      throw new IllegalArgumentException(
          "These checkpoints are attached to another trainer: one DjlCheckpoints serves one trainer");
    }
  }

  /**
   * Finishes the save in flight and lets go of the run. Idempotent. What the training threw comes
   * first: an error of closing is then added to it as suppressed.
   */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    Throwable failure = session.outcome().failure();
    try {
      try {
        session.detach();
        session.stayComplete();
      } finally {
        manager.close();
      }
    } catch (RuntimeException e) {
      if (failure == null) {
        throw e;
      }
      failure.addSuppressed(e);
    }
  }

  /** What the trainer tells. The finalizer of a forgotten trainer calls from another thread. */
  private final class Listener extends TrainingListenerAdapter {
    private @Nullable Thread training;

    @Override
    public void onTrainingBegin(Trainer trainer) {
      session.attach(trainer);
      training = Thread.currentThread();
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData batchData) {
      session.heardBatch(batchData);
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData batchData) {
      session.heardValidation(batchData.getBatch());
    }

    @Override
    public void onEpoch(Trainer trainer) {
      session.heardEpoch(this);
    }

    @Override
    public void onTrainingEnd(Trainer trainer) {
      if (Thread.currentThread() == training) {
        session.trainingEnds();
      }
    }
  }
}
