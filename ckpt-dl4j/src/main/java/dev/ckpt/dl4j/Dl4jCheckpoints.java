package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import org.deeplearning4j.earlystopping.EarlyStoppingConfiguration;
import org.deeplearning4j.earlystopping.EarlyStoppingResult;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.autodiff.listeners.Listener;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;
import org.nd4j.linalg.dataset.api.preprocessor.Normalizer;

/**
 * Checkpoints of one DL4J training: killed anywhere and started again, it ends with the same bytes
 * as if it had never stopped.
 *
 * <pre>{@code
 * try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.in(Path.of("checkpoints"))) {
 *   var net = new MultiLayerNetwork(configuration);     // with a fixed seed: .seed(12345)
 *   net.init();
 *   ckpt.fit(net, train, 20);
 * }
 * }</pre>
 *
 * <p>A loop of one's own calls {@link #resume} and gives {@link #iterator} to {@code net.fit} or to
 * {@code sd.fit}; or it calls {@link #step} and {@link #endEpoch}. With {@link #listener} alone the
 * program finds its place in the data by itself.
 *
 * <p>Saved are weights and running statistics, the updaters' slots, counters, ND4J's random
 * generator, the position in the data, {@link #random} streams, normalizers, early stopping and
 * what {@code CollectScoresListener}, {@code EvaluativeListener} and {@code TimeIterationListener}
 * have counted; DL4J's other listeners begin anew. A listener that is a {@link
 * dev.ckpt.Checkpointable} is saved as a part. For other state, {@link CheckpointManager#register
 * register} a part with {@link #manager()} before the training is resumed.
 *
 * <p>Tensors are named as in {@code paramTable()}: {@code model/0_W}, {@code updater/M/0_W}. A
 * matrix that DL4J keeps column by column is stored as it lies in memory: as the transposed one,
 * row by row. {@link NDArrayReader} turns it back.
 *
 * <p>Randomness: dropout and noise draw from ND4J's generator of the training thread, which is
 * restored last. Sources of randomness of the program's own draw from {@link #random}. What the
 * data draw from either, in {@code reset()}, in {@code next()} or in a preprocessor, comes from the
 * run's seed and the place in the data, with prefetch and without. A {@code java.util.Random} of
 * their own is not repeated.
 *
 * <p>Several workers: {@code ParallelWrapper} trains copies of the network with random streams that
 * nobody can set, so no promise of equal bytes can be made: inside it the iterator and the listener
 * refuse to work. What can be saved is the averaged network, behind {@code wrapper.fit(...)}: call
 * {@link #resume} before and {@link #endEpoch} after it.
 *
 * <p>One object serves one network. All methods belong to the training thread.
 */
public final class Dl4jCheckpoints implements AutoCloseable {
  private static final int AHEAD = 2;

  private final CheckpointManager manager;
  private final Session session;
  private final Loops loops;
  private final CutListener listener;
  private boolean closed;

  private Dl4jCheckpoints(CheckpointManager manager) {
    this.manager = manager;
    this.session = new Session(manager);
    this.loops = new Loops(manager, session);
    this.listener = new CutListener(session);
  }

  /**
   * Checkpoints in a folder, created if needed, with defaults for the rest. The run is named after
   * the program: one that trains several models gives each a name of its own.
   */
  public static Dl4jCheckpoints in(Path directory) {
    return open(CheckpointManager.in(directory));
  }

  /** Checkpoints of the run of that name in a folder. */
  public static Dl4jCheckpoints in(Path directory, String run) {
    return open(CheckpointManager.in(directory).run(run));
  }

  /** Checkpoints as a config file says. */
  public static Dl4jCheckpoints open(CheckpointConfig config) {
    return open(CheckpointManager.from(config));
  }

  /**
   * Checkpoints as the builder says.
   *
   * @throws UnsupportedOperationException if this version of DL4J is not built as expected, or
   *     ND4J's backend is another than {@code nd4j-native}
   * @throws dev.ckpt.CheckpointException as opening a manager does
   */
  public static Dl4jCheckpoints open(CheckpointManagerBuilder builder) {
    Region.requireHostMemory();
    PrivateField.probe(Dl4jInternals.class);
    builder.provenance("dl4j", PrivateField.version());
    CheckpointManager manager = builder.open();
    try {
      return new Dl4jCheckpoints(manager);
    } catch (RuntimeException | Error e) {
      manager.close();
      throw e;
    }
  }

  /**
   * Trains up to {@code epochs} epochs in all, as {@link MultiLayerNetwork#fit(DataSetIterator,
   * int)} does, beginning where the run stands, and completes the run. If the run has been
   * completed with as many epochs, the final state is restored and nothing is trained. With {@code
   * restoreBest} the network holds the best weights at the end. A program that trains in phases
   * calls {@link #resume}, {@link #remainingEpochs} for each, and {@link #complete} once.
   *
   * <p>If the thread is interrupted, as by a notebook's Stop, the training ends at the next batch
   * boundary: the state is saved and {@link java.util.concurrent.CancellationException} thrown,
   * with the thread's interrupt cleared. To go on, open the run again and build the network anew.
   *
   * @param net initialized
   * @param epochs the goal, counted from the start of the run
   * @throws dev.ckpt.CheckpointException if the run cannot be resumed, or a save failed and the
   *     policy is to fail
   * @throws IllegalStateException if epochs are left and this object has completed the run
   * @throws UnsupportedOperationException if the network keeps what cannot be saved
   */
  public void fit(MultiLayerNetwork net, DataSetIterator train, int epochs) {
    DataSetIterator data = iterator(train);
    loops.fit(Trainee.of(net), epochs, () -> net.fit(data));
  }

  /** As {@link #fit(MultiLayerNetwork, DataSetIterator, int)}. */
  public void fit(ComputationGraph net, DataSetIterator train, int epochs) {
    DataSetIterator data = iterator(train);
    loops.fit(Trainee.of(net), epochs, () -> net.fit(data));
  }

  /** As {@link #fit(MultiLayerNetwork, DataSetIterator, int)}. */
  public void fit(ComputationGraph net, MultiDataSetIterator train, int epochs) {
    MultiDataSetIterator data = iterator(train);
    loops.fit(Trainee.of(net), epochs, () -> net.fit(data));
  }

  /**
   * As {@link #fit(MultiLayerNetwork, DataSetIterator, int)}, for a graph with its training config.
   * A listener that stops the training ends the run.
   */
  public void fit(SameDiff graph, DataSetIterator train, int epochs, Listener... listeners) {
    DataSetIterator data = iterator(train);
    loops.fitAll(
        Trainee.of(graph, listeners), epochs, remaining -> graph.fit(data, remaining, listeners));
  }

  /** As {@link #fit(SameDiff, DataSetIterator, int, Listener...)}. */
  public void fit(SameDiff graph, MultiDataSetIterator train, int epochs, Listener... listeners) {
    MultiDataSetIterator data = iterator(train);
    loops.fitAll(
        Trainee.of(graph, listeners), epochs, remaining -> graph.fit(data, remaining, listeners));
  }

  /**
   * Trains until a condition of {@code stopping} ends it, as {@code EarlyStoppingTrainer} does, and
   * completes the run. Scores, the conditions' own state and a best model that is kept in memory
   * are in the checkpoints. A run that has stopped is not trained on. An {@code
   * EarlyStoppingListener} has no place here; the network's own listeners are told.
   *
   * @param net initialized, and not resumed
   * @return as {@code EarlyStoppingTrainer} gives it; of a best model from an earlier process the
   *     weights alone
   * @throws UnsupportedOperationException if a condition of the program's own keeps state
   */
  public EarlyStoppingResult<MultiLayerNetwork> fit(
      MultiLayerNetwork net,
      DataSetIterator train,
      EarlyStoppingConfiguration<MultiLayerNetwork> stopping) {
    DataSetIterator data = iterator(train);
    return loops.fitEarly(net, data, data::reset, stopping, net::fit);
  }

  /** As {@link #fit(MultiLayerNetwork, DataSetIterator, EarlyStoppingConfiguration)}. */
  public EarlyStoppingResult<ComputationGraph> fit(
      ComputationGraph net,
      DataSetIterator train,
      EarlyStoppingConfiguration<ComputationGraph> stopping) {
    DataSetIterator data = iterator(train);
    return loops.fitEarly(net, data, data::reset, stopping, net::fit);
  }

  /** As {@link #fit(MultiLayerNetwork, DataSetIterator, EarlyStoppingConfiguration)}. */
  public EarlyStoppingResult<ComputationGraph> fit(
      ComputationGraph net,
      MultiDataSetIterator train,
      EarlyStoppingConfiguration<ComputationGraph> stopping) {
    MultiDataSetIterator data = iterator(train);
    return loops.fitEarly(net, data, data::reset, stopping, net::fit);
  }

  /**
   * Resumes the run into an initialized network, for loops of one's own. Later calls return the
   * same. The thread that calls this is the training thread.
   *
   * @return what was restored; empty for a fresh start
   * @throws dev.ckpt.CheckpointException.Incompatible if the network or its updaters are others
   *     than the checkpoint's; nothing was changed
   * @throws UnsupportedOperationException if the network keeps what cannot be saved
   */
  public Optional<Restored> resume(Model net) {
    return session.resume(Trainee.of(net));
  }

  /** As {@link #resume(Model)}, for a graph with its training config. */
  public Optional<Restored> resume(SameDiff graph) {
    return session.resume(Trainee.of(graph));
  }

  /**
   * How many epochs are left of {@code epochs}. An epoch that has begun counts; one whose batches
   * are all trained on is over, whoever asks next. 0 if the run is complete, or was stopped early;
   * DL4J's {@code fit} throws if it shall train none:
   *
   * <pre>{@code
   * int left = ckpt.remainingEpochs(20);
   * if (left > 0) {
   *   net.fit(ckpt.iterator(train), left);
   * }
   * ckpt.complete();
   * }</pre>
   */
  public int remainingEpochs(int epochs) {
    return loops.remainingEpochs(epochs);
  }

  /**
   * The training data, to be iterated in place of {@code train}: it begins behind the batches that
   * are done, and its {@code hasNext()} on the training thread is where checkpoints are made. It
   * loads two batches ahead if {@code train} supports that, on a thread of its own, and says {@code
   * asyncSupported() == false}, so that DL4J does not put its own loader around it.
   *
   * <p>Give it to {@code net.fit} or {@code sd.fit}. A loop by hand calls {@code reset()} before
   * each epoch, or behind it. {@code train} is reset once for each epoch that is done and the first
   * batches of the running one are read and dropped; with {@link #batches} neither.
   *
   * @throws UnsupportedOperationException if {@code train} is DL4J's {@code AsyncDataSetIterator}:
   *     give what is in it
   */
  public DataSetIterator iterator(DataSetIterator train) {
    return train instanceof TrainingData ours && ours.isOf(session)
        ? train
        : iterator(train, train.asyncSupported() ? AHEAD : 0);
  }

  /**
   * As {@link #iterator(DataSetIterator)}; {@code fit} takes what this gives as well.
   *
   * @param ahead how many batches are loaded ahead; 0: on the training thread
   */
  public DataSetIterator iterator(DataSetIterator train, int ahead) {
    return new TrainingData(train, session, checked(ahead));
  }

  /** As {@link #iterator(DataSetIterator)}, for networks with several inputs. */
  public MultiDataSetIterator iterator(MultiDataSetIterator train) {
    return train instanceof MultiTrainingData ours && ours.isOf(session)
        ? train
        : iterator(train, train.asyncSupported() ? AHEAD : 0);
  }

  /** As {@link #iterator(DataSetIterator, int)}. */
  public MultiDataSetIterator iterator(MultiDataSetIterator train, int ahead) {
    return new MultiTrainingData(train, session, checked(ahead));
  }

  private static int checked(int ahead) {
    if (ahead < 0) {
      throw new IllegalArgumentException("ahead: " + ahead);
    }
    return ahead;
  }

  /**
   * Batches of a data set in memory, to be given to {@link #iterator} or {@code fit}: their order
   * is a function of the run's seed and the epoch, and a resume finds its place without reading.
   *
   * @param shuffle whether each epoch has an order of its own; else samples come by index
   * @param dropLast whether a last batch that is not full is left out
   * @throws IllegalArgumentException if no batch would be left
   */
  public DataSetIterator batches(DataSet all, int batchSize, boolean shuffle, boolean dropLast) {
    return new ShuffledBatches(all, batchSize, shuffle, dropLast);
  }

  /**
   * Saves and restores the statistics of a normalizer, as tensors. Before the resume; fit it only
   * on a fresh start: {@code if (ckpt.resume(net).isEmpty()) normalizer.fit(train);}
   *
   * @return the same
   * @throws UnsupportedOperationException if what it keeps is not known
   */
  public <N extends Normalizer> N normalizer(N normalizer) {
    if (session.isResumed()) {
      throw new IllegalStateException("call ckpt.normalizer(...) before the run is resumed");
    }
    session.parts().normalizers().add(normalizer);
    return normalizer;
  }

  /**
   * A random stream that goes on where it was after a resume. One object for each name; safe for
   * use by several threads, though their order is not reproducible.
   *
   * <p>While {@link #iterator} loads a batch, or resets what it wraps, it is another stream: a
   * function of the run's seed, the name and the place of that batch, whoever loads it and
   * whenever. A loop that finds its place in the data by itself must not draw on the way.
   */
  public Random random(String name) {
    return session.parts().streams().named(name);
  }

  /**
   * Says how good the model is: a metric of the checkpoints from here on, for {@code best} and
   * {@code restoreBest}. The loss of the last batch is there as {@code score}, but for a {@code
   * SameDiff} graph, which does not keep it.
   *
   * @param value what is not finite takes the metric away
   */
  public void metric(String name, double value) {
    session.parts().metrics().tell(name, value);
  }

  /**
   * The listener for trainings whose iterator is not wrapped: checkpoints are made inside the
   * update, behind which DL4J counts it and applies constraints; a resume does both. Add it last.
   * With truncated BPTT one batch is several updates, and checkpoints are made at the ends of
   * epochs only.
   *
   * <p>The program finds its place by itself: it goes to batch {@code progress().batch()} of the
   * epoch. If none follows, all were done when the process ended: DL4J would train them again, so
   * the program ends the epoch instead.
   *
   * <pre>{@code
   * for (int left = ckpt.remainingEpochs(20); left > 0; left--) {
   *   train.reset();
   *   for (long done = ckpt.progress().batch(); done > 0; done--) {
   *     train.next();
   *   }
   *   if (train.hasNext()) {
   *     net.fit(train);
   *   } else {
   *     ckpt.endEpoch();
   *   }
   * }
   * ckpt.complete();
   * }</pre>
   */
  public TrainingListener listener() {
    return listener;
  }

  /** The same for {@code sd.setListeners} and {@code sd.fit}. */
  public Listener graphListener() {
    return listener;
  }

  /**
   * A boundary of a loop that does not iterate over {@link #iterator}: call it after each batch.
   *
   * @param samples how many the batch held
   * @throws IllegalStateException if it came from {@link #iterator}, which counts it by itself
   */
  public void step(int samples) {
    if (samples < 0) {
      throw new IllegalArgumentException("samples: " + samples);
    }
    session.step(samples);
  }

  /**
   * The end of an epoch of such a loop, behind its evaluation; or of one over {@link #iterator},
   * also behind a part of its batches: the next one begins with the first. What {@code reset()} has
   * ended is not ended again. With {@link #listener} alone, of an epoch whose batches were all done
   * when it was saved; the network's other listeners are told, a graph's are not.
   */
  public void endEpoch() {
    session.endEpoch();
  }

  /**
   * Where the training stands: after a resume, where to begin. Behind the last batch of an epoch
   * that is the next one's start.
   */
  public Progress progress() {
    return session.progress();
  }

  /**
   * Says that the training has reached its goal: saves the final state and records the goal, which
   * is the number of epochs given to {@link #remainingEpochs}, else of those done; that fewer were
   * ended is a warning. {@link #fit} does so by itself.
   *
   * @return whether the goal is recorded: not if the final save failed
   * @throws dev.ckpt.CheckpointException if the save failed and the policy is to fail
   */
  public boolean complete() {
    return loops.complete();
  }

  /**
   * Puts the best weights into the network, if {@code restoreBest} is configured: the last thing
   * that is done, behind {@link #complete}. {@link #fit} does so by itself. Nothing is saved from
   * then on. Blocks as the store does.
   *
   * @return whose weights they are; empty if that is not configured, or no checkpoint has the
   *     metric: then the network is as it was
   */
  public Optional<Checkpoint> restoreBest() {
    return session.restoreBest();
  }

  /**
   * Says that the training threw, for loops of one's own: {@code catch (Throwable e) {
   * ckpt.failed(e); throw e; }}. Saves if the training stands between two batches and {@code
   * save.onException} is on; and the attempt is recorded as failed, with the cause, so that a start
   * can tell a crash loop ({@link dev.ckpt.CheckpointException.CrashLoop}) from a machine that
   * died. {@link #fit} does so by itself, and so does an iterator that throws.
   */
  public void failed(Throwable thrown) {
    session.failed(thrown);
  }

  /** Whether this or an earlier attempt has completed the run. */
  public boolean isComplete() {
    return loops.isComplete();
  }

  /**
   * SHA-256, in hex, over weights, running statistics and the updaters' slots: two trainings with
   * the same digest hold the same bits.
   */
  public String sha256() {
    return session.digest().hex();
  }

  /**
   * Puts the weights and running statistics of a checkpoint into an initialized network, to predict
   * with or to start from. Blocks; on any thread.
   *
   * @param run the run to look in
   * @param reference {@code latest}, {@code best}, {@code best(metric)}, {@code best(metric, min)}
   *     or an id, as {@link Checkpoints#find} understands it
   * @return the checkpoint that they are of
   * @throws dev.ckpt.CheckpointException.NotFound if there is none such
   * @throws dev.ckpt.CheckpointException.Incompatible if the network has other parameters
   * @throws dev.ckpt.CheckpointException.Corrupt if the checkpoint is damaged; the network may then
   *     be half loaded
   */
  public static Checkpoint loadWeights(Model net, Checkpoints run, String reference) {
    return Weights.load(Trainee.of(net), run, reference);
  }

  /** As {@link #loadWeights(Model, Checkpoints, String)}, of the only run in a store. */
  public static Checkpoint loadWeights(Model net, CheckpointStore store, String reference) {
    return loadWeights(net, Checkpoints.only(store), reference);
  }

  /** As {@link #loadWeights(Model, Checkpoints, String)}, of the only run in a folder. */
  public static Checkpoint loadWeights(Model net, Path directory, String reference)
      throws IOException {
    try (CheckpointStore store = Stores.local(directory)) {
      return loadWeights(net, Checkpoints.only(store), reference);
    }
  }

  /** As {@link #loadWeights(Model, Checkpoints, String)}, into a graph. */
  public static Checkpoint loadWeights(SameDiff graph, Checkpoints run, String reference) {
    return Weights.load(Trainee.of(graph), run, reference);
  }

  /**
   * Writes DL4J's own zip, which {@code ModelSerializer} reads without ckpt: configuration,
   * weights, updater state, and the normalizer if there is one. No network is needed. Blocks; on
   * any thread.
   *
   * @param reference as {@link Checkpoints#find} understands it
   * @param file ends in {@code .zip}; replaced if it exists
   * @return the file
   * @throws dev.ckpt.CheckpointException.NotFound if there is no such checkpoint, or it is of no
   *     DL4J network
   */
  public static Path exportModel(Checkpoints run, String reference, Path file) {
    try (Checkpoints.Opened open = run.open(run.find(reference).id())) {
      open.export(file);
      return file;
    }
  }

  /** As above, of this run. */
  public Path exportModel(String reference, Path file) {
    return exportModel(manager.checkpoints(), reference, file);
  }

  /** The manager underneath: to register parts, to ask for a save, to see failures. */
  public CheckpointManager manager() {
    return manager;
  }

  Session session() {
    return session;
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
    Throwable failure = session.failure();
    try {
      try {
        session.detach();
        session.stayComplete();
      } finally {
        manager.close();
      }
      session.tellRefused();
    } catch (RuntimeException e) {
      if (failure == null) {
        throw e;
      }
      failure.addSuppressed(e);
    }
  }
}
