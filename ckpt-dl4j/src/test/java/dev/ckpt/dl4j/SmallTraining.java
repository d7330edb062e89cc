package dev.ckpt.dl4j;

import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.SaveTrigger;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.ComputationGraphConfiguration;
import org.deeplearning4j.nn.conf.MultiLayerConfiguration;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.dropout.Dropout;
import org.deeplearning4j.nn.conf.dropout.GaussianNoise;
import org.deeplearning4j.nn.conf.graph.MergeVertex;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.ListenerResponse;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.listeners.records.LossCurve;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.adapter.MultiDataSetIteratorAdapter;
import org.nd4j.linalg.dataset.api.DataSetPreProcessor;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.dataset.api.iterator.MultiDataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;
import org.nd4j.linalg.schedule.ScheduleType;
import org.nd4j.linalg.schedule.StepSchedule;

/**
 * A small training with everything that makes resuming hard: BatchNorm, dropout, noise, max-norm, a
 * learning rate that falls, momentum, a random stream. It can be killed in any batch, as a process
 * would be: nothing is saved any more, and the next attempt builds everything anew.
 */
final class SmallTraining {
  static final int SAMPLES = 150;
  static final int BATCH = 16;
  static final int EPOCHS = 3;
  static final int BATCHES = EPOCHS * 10;

  enum Kind {
    NETWORK,
    GRAPH,
    TWO_INPUTS,
    SAMEDIFF
  }

  enum Updater {
    ADAM,
    NESTEROVS
  }

  /** Who iterates. */
  enum Loop {
    FIT,
    PLAIN_FIT,
    BY_HAND,
    RESET_BEHIND,
    RESET_AND_FIT,
    STEP,
    LISTENER_ONLY
  }

  enum Data {
    SYNC,
    PREFETCH,
    SHUFFLED
  }

  /** What varies; everything else is fixed. */
  record Setup(Kind kind, Updater updater, Loop loop, Data data) {
    static final Setup PLAIN = new Setup(Kind.NETWORK, Updater.ADAM, Loop.FIT, Data.PREFETCH);

    Setup with(Kind other) {
      return new Setup(other, updater, loop, data);
    }

    Setup with(Updater other) {
      return new Setup(kind, other, loop, data);
    }

    Setup with(Loop other) {
      return new Setup(kind, updater, other, data);
    }

    Setup with(Data other) {
      return new Setup(kind, updater, loop, other);
    }
  }

  /** What the attempts of one run have printed, the last word counting; and the final digest. */
  static final class Log {
    final Map<Integer, String> batches = new TreeMap<>();
    final List<Long> startedAt = new ArrayList<>();
    int executed;
    String sha256 = "";
    Map<String, String> tensors = Map.of();
  }

  /** The end of a process, as far as one JVM can play it. */
  static final class Killed extends Error {
    private static final long serialVersionUID = 1L;

    Killed() {
      super("killed");
    }
  }

  private final Setup setup;
  final CheckpointStore store;
  final Log log = new Log();
  UnaryOperator<CheckpointManagerBuilder> checkpointing = builder -> builder;
  int epochs = EPOCHS;

  /** Called on fresh weights, before the run is resumed. */
  Consumer<Trainee> beforeResume = trainee -> {};

  /** Called when the run has been resumed, before it trains on. */
  BiConsumer<Dl4jCheckpoints, Trainee> afterResume = (ckpt, trainee) -> {};

  /** Called inside an update, with the number of updates before it. */
  BiConsumer<Integer, Trainee> inUpdate = (iteration, trainee) -> {};

  /** Called by a listener when an epoch has ended, with the number of epochs before it. */
  BiConsumer<Integer, Trainee> atEpochEnd = (epoch, trainee) -> {};

  /** Called when the training is over. */
  BiConsumer<Dl4jCheckpoints, Trainee> atEnd = (ckpt, trainee) -> {};

  /** What the user's iterator is wrapped into, below the checkpoints. */
  UnaryOperator<DataSetIterator> source = iterator -> iterator;

  /** The place of the checkpoint, if saves are asked for; else the trigger has its way. */
  int savesEvery = 3;

  SmallTraining(Setup setup) {
    this(setup, new InMemoryStore(Clock.systemUTC()));
  }

  SmallTraining(Setup setup, CheckpointStore store) {
    this.setup = setup;
    this.store = store;
  }

  CheckpointManagerBuilder checkpoints() {
    return checkpointing.apply(
        CheckpointManager.in(store).run("small").seed(99).saveWhen(SaveTrigger.everyEpoch()));
  }

  /** Runs to the end. */
  Log run() {
    run(Integer.MAX_VALUE);
    return log;
  }

  /**
   * One attempt.
   *
   * @param batches it is killed in the update that follows so many, counting from its start
   * @return whether it came to its end
   */
  boolean run(int batches) {
    try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(checkpoints())) {
      attempt(ckpt, batches);
      return true;
    } catch (Killed e) {
      return false;
    }
  }

  private void attempt(Dl4jCheckpoints ckpt, int kill) {
    Journal journal = new Journal(ckpt, kill);
    if (setup.kind == Kind.SAMEDIFF) {
      SameDiff graph = sameDiff(setup.updater);
      graph.setListeners(journal.forGraph(graph));
      Trainee trainee = Trainee.of(graph);
      beforeResume.accept(trainee);
      ckpt.resume(graph);
      begin(ckpt, trainee);
      trainGraph(ckpt, graph);
      end(ckpt, trainee);
    } else {
      Model net =
          switch (setup.kind) {
            case NETWORK -> network(setup.updater);
            case GRAPH -> graph(setup.updater);
            default -> twoInputs(setup.updater);
          };
      if (net instanceof MultiLayerNetwork network) {
        network.addListeners(journal);
      } else {
        ((ComputationGraph) net).addListeners(journal);
      }
      Trainee trainee = Trainee.of(net);
      beforeResume.accept(trainee);
      ckpt.resume(net);
      begin(ckpt, trainee);
      train(ckpt, net);
      end(ckpt, trainee);
    }
  }

  private void begin(Dl4jCheckpoints ckpt, Trainee trainee) {
    log.startedAt.add(ckpt.progress().step());
    afterResume.accept(ckpt, trainee);
  }

  private void end(Dl4jCheckpoints ckpt, Trainee trainee) {
    log.sha256 = ckpt.sha256();
    atEnd.accept(ckpt, trainee);
    log.tensors = ckpt.session().digest().byName();
  }

  private DataSetIterator data(Dl4jCheckpoints ckpt) {
    DataSetIterator users =
        setup.data == Data.SHUFFLED
            ? ckpt.batches(samples(), BATCH, true, false)
            : new ListDataSetIterator<>(samples().asList(), BATCH);
    return source.apply(users);
  }

  private int ahead() {
    return setup.data == Data.SYNC ? 0 : 2;
  }

  private void train(Dl4jCheckpoints ckpt, Model net) {
    DataSetIterator users = data(ckpt);
    if (setup.kind == Kind.TWO_INPUTS) {
      MultiDataSetIterator pairs = new Pairs(users);
      ckpt.fit((ComputationGraph) net, pairs, epochs);
      return;
    }
    switch (setup.loop) {
      case FIT -> {
        DataSetIterator configured = setup.data == Data.SYNC ? new NotAsync(users) : users;
        if (net instanceof MultiLayerNetwork network) {
          ckpt.fit(network, configured, epochs);
        } else {
          ckpt.fit((ComputationGraph) net, configured, epochs);
        }
      }
      case PLAIN_FIT -> {
        int left = ckpt.remainingEpochs(epochs);
        if (left > 0) {
          fit(net, ckpt.iterator(users, ahead()), left);
        }
        ckpt.complete();
      }
      case BY_HAND -> {
        DataSetIterator batches = ckpt.iterator(users, ahead());
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          batches.reset();
          while (batches.hasNext()) {
            fit(net, batches.next());
          }
        }
        ckpt.complete();
      }
      case RESET_BEHIND -> {
        DataSetIterator batches = ckpt.iterator(users, ahead());
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          while (batches.hasNext()) {
            fit(net, batches.next());
          }
          batches.reset();
        }
        ckpt.complete();
      }
      case RESET_AND_FIT -> {
        DataSetIterator batches = ckpt.iterator(users, ahead());
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          batches.reset();
          fit(net, batches, 1);
        }
        ckpt.complete();
      }
      case STEP -> {
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          users.reset();
          for (long skip = ckpt.progress().batch(); skip > 0; skip--) {
            users.next();
          }
          while (users.hasNext()) {
            DataSet batch = users.next();
            fit(net, batch);
            ckpt.step(batch.numExamples());
          }
          ckpt.endEpoch();
        }
        ckpt.complete();
      }
      case LISTENER_ONLY -> {
        addListener(net, ckpt);
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          users.reset();
          for (long skip = ckpt.progress().batch(); skip > 0; skip--) {
            users.next();
          }
          if (users.hasNext()) {
            fit(net, users, 1);
          } else {
            ckpt.endEpoch();
          }
        }
        ckpt.complete();
      }
    }
  }

  private void trainGraph(Dl4jCheckpoints ckpt, SameDiff graph) {
    DataSetIterator users = data(ckpt);
    switch (setup.loop) {
      case FIT -> ckpt.fit(graph, users, epochs);
      case PLAIN_FIT -> {
        int left = ckpt.remainingEpochs(epochs);
        if (left > 0) {
          graph.fit(ckpt.iterator(users, ahead()), left);
        }
        ckpt.complete();
      }
      case LISTENER_ONLY -> {
        graph.addListeners(ckpt.graphListener());
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          users.reset();
          for (long skip = ckpt.progress().batch(); skip > 0; skip--) {
            users.next();
          }
          if (users.hasNext()) {
            graph.fit(users, 1);
          } else {
            ckpt.endEpoch();
          }
        }
        ckpt.complete();
      }
      default -> throw new IllegalArgumentException("a graph is not trained " + setup.loop);
    }
  }

  private static void fit(Model net, DataSetIterator data, int epochs) {
    if (net instanceof MultiLayerNetwork network) {
      network.fit(data, epochs);
    } else {
      ((ComputationGraph) net).fit(data, epochs);
    }
  }

  private static void fit(Model net, DataSet batch) {
    if (net instanceof MultiLayerNetwork network) {
      network.fit(batch);
    } else {
      ((ComputationGraph) net).fit(batch);
    }
  }

  private static void addListener(Model net, Dl4jCheckpoints ckpt) {
    if (net instanceof MultiLayerNetwork network) {
      network.addListeners(ckpt.listener());
    } else {
      ((ComputationGraph) net).addListeners(ckpt.listener());
    }
  }

  static IUpdater updater(Updater kind) {
    StepSchedule falling = new StepSchedule(ScheduleType.ITERATION, 0.02, 0.7, 7);
    return switch (kind) {
      case ADAM -> new Adam(falling);
      case NESTEROVS -> new Nesterovs(falling, 0.9);
    };
  }

  private static NeuralNetConfiguration.Builder common(Updater updater) {
    return new NeuralNetConfiguration.Builder()
        .seed(12345)
        .updater(updater(updater))
        .l2(1e-4)
        .constrainWeights(new MaxNormConstraint(0.7, 1));
  }

  private static DenseLayer noisy(int in, int out) {
    return new DenseLayer.Builder()
        .nIn(in)
        .nOut(out)
        .activation(Activation.TANH)
        .dropOut(new GaussianNoise(0.2))
        .build();
  }

  private static OutputLayer output(int in) {
    return new OutputLayer.Builder(LossFunction.MCXENT)
        .nIn(in)
        .nOut(3)
        .activation(Activation.SOFTMAX)
        .dropOut(new Dropout(0.7))
        .build();
  }

  static MultiLayerNetwork network(Updater updater) {
    MultiLayerConfiguration configuration =
        common(updater)
            .list()
            .layer(noisy(6, 12))
            .layer(new BatchNormalization.Builder().nIn(12).nOut(12).build())
            .layer(output(12))
            .build();
    MultiLayerNetwork net = new MultiLayerNetwork(configuration);
    net.init();
    return net;
  }

  static ComputationGraph graph(Updater updater) {
    ComputationGraphConfiguration configuration =
        common(updater)
            .graphBuilder()
            .addInputs("in")
            .setInputTypes(InputType.feedForward(6))
            .addLayer("left", noisy(6, 8), "in")
            .addLayer("right", noisy(6, 5), "in")
            .addVertex("both", new MergeVertex(), "left", "right")
            .addLayer("norm", new BatchNormalization.Builder().nIn(13).nOut(13).build(), "both")
            .addLayer("out", output(13), "norm")
            .setOutputs("out")
            .build();
    ComputationGraph net = new ComputationGraph(configuration);
    net.init();
    return net;
  }

  static ComputationGraph twoInputs(Updater updater) {
    ComputationGraphConfiguration configuration =
        common(updater)
            .graphBuilder()
            .addInputs("a", "b")
            .addLayer("left", noisy(3, 8), "a")
            .addLayer("right", noisy(3, 5), "b")
            .addVertex("both", new MergeVertex(), "left", "right")
            .addLayer("out", output(13), "both")
            .setOutputs("out")
            .build();
    ComputationGraph net = new ComputationGraph(configuration);
    net.init();
    return net;
  }

  static SameDiff sameDiff(Updater updater) {
    Random random = new Random(5);
    SameDiff graph = SameDiff.create();
    SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, 6);
    SDVariable answer = graph.placeHolder("answer", DataType.FLOAT, -1, 3);
    SDVariable w = graph.var("w", gaussian(random, 6, 9));
    SDVariable b = graph.var("b", Nd4j.zeros(DataType.FLOAT, 1, 9));
    SDVariable v = graph.var("v", gaussian(random, 9, 3));
    SDVariable hidden = graph.nn().tanh(in.mmul(w).add(b));
    SDVariable noise = graph.random().normal("noise", 0, 0.05, DataType.FLOAT, 1, 9);
    SDVariable out = hidden.add(noise).mmul(v).rename("out");
    graph.loss().softmaxCrossEntropy("loss", answer, out, null);
    graph.setLossVariables("loss");
    graph.setTrainingConfig(
        TrainingConfig.builder()
            .updater(updater(updater))
            .l2(1e-4)
            .dataSetFeatureMapping("in")
            .dataSetLabelMapping("answer")
            .build());
    return graph;
  }

  private static INDArray gaussian(Random random, int rows, int columns) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian() * 0.3f;
    }
    return Nd4j.createFromArray(values).reshape('c', rows, columns);
  }

  static DataSet samples() {
    Random random = new Random(1);
    float[] features = new float[SAMPLES * 6];
    float[] labels = new float[SAMPLES * 3];
    for (int i = 0; i < SAMPLES; i++) {
      int label = random.nextInt(3);
      labels[i * 3 + label] = 1;
      for (int j = 0; j < 6; j++) {
        features[i * 6 + j] = (float) random.nextGaussian() + (j % 3 == label ? 1.5f : 0);
      }
    }
    return new DataSet(
        Nd4j.createFromArray(features).reshape('c', SAMPLES, 6),
        Nd4j.createFromArray(labels).reshape('c', SAMPLES, 3));
  }

  /** Writes down what a user would see, and kills. */
  private final class Journal extends BaseTrainingListener {
    private final Dl4jCheckpoints ckpt;
    private final int kill;
    private int trained;

    Journal(Dl4jCheckpoints ckpt, int kill) {
      this.ckpt = ckpt;
      this.kill = kill;
    }

    @Override
    public void iterationDone(Model model, int iteration, int epoch) {
      done(iteration, epoch, model.score());
      inUpdate.accept(iteration, Trainee.of(model));
    }

    @Override
    public void onEpochEnd(Model model) {
      Trainee trainee = Trainee.of(model);
      atEpochEnd.accept(trainee.epoch(), trainee);
    }

    private void done(int iteration, int epoch, double score) {
      if (savesEvery > 0 && (iteration + 1) % savesEvery == 0) {
        ckpt.manager().requestSave("every " + savesEvery);
      }
      log.executed++;
      log.batches.put(
          iteration,
          "epoch " + epoch + " loss " + score + " noise " + ckpt.random("noise").nextGaussian());
      if (trained++ == kill) {
        throw new Killed();
      }
    }

    BaseListener forGraph(SameDiff users) { // DL4J hands out another one
      return new BaseListener() {
        @Override
        public boolean isActive(Operation operation) {
          return operation == Operation.TRAINING;
        }

        @Override
        public void iterationDone(SameDiff graph, At at, MultiDataSet batch, Loss loss) {
          done(at.iteration(), at.epoch(), loss.totalLoss());
          inUpdate.accept(at.iteration(), Trainee.of(users));
        }

        @Override
        public ListenerResponse epochEnd(SameDiff graph, At at, LossCurve losses, long millis) {
          atEpochEnd.accept(at.epoch(), Trainee.of(users));
          return ListenerResponse.CONTINUE;
        }
      };
    }
  }

  /** An iterator that must be asked on the training thread. */
  static class NotAsync implements DataSetIterator {
    private static final long serialVersionUID = 1L;
    private final transient DataSetIterator inner;

    NotAsync(DataSetIterator inner) {
      this.inner = inner;
    }

    @Override
    public boolean hasNext() {
      return inner.hasNext();
    }

    @Override
    public DataSet next() {
      return inner.next();
    }

    @Override
    public DataSet next(int num) {
      return inner.next(num);
    }

    @Override
    public int inputColumns() {
      return inner.inputColumns();
    }

    @Override
    public int totalOutcomes() {
      return inner.totalOutcomes();
    }

    @Override
    public boolean resetSupported() {
      return true;
    }

    @Override
    public boolean asyncSupported() {
      return false;
    }

    @Override
    public void reset() {
      inner.reset();
    }

    @Override
    public int batch() {
      return inner.batch();
    }

    @Override
    public void setPreProcessor(DataSetPreProcessor preProcessor) {
      inner.setPreProcessor(preProcessor);
    }

    @Override
    public DataSetPreProcessor getPreProcessor() {
      return Objects.requireNonNull(inner.getPreProcessor());
    }

    @Override
    public List<String> getLabels() {
      return inner.getLabels();
    }
  }

  /** The six features as two inputs of three. */
  private static final class Pairs extends MultiDataSetIteratorAdapter {
    private static final long serialVersionUID = 1L;

    Pairs(DataSetIterator inner) {
      super(inner);
    }

    @Override
    public MultiDataSet next() {
      MultiDataSet one = super.next();
      INDArray all = one.getFeatures(0);
      return new org.nd4j.linalg.dataset.MultiDataSet(
          new INDArray[] {
            all.get(NDArrayIndex.all(), NDArrayIndex.interval(0, 3)).dup(),
            all.get(NDArrayIndex.all(), NDArrayIndex.interval(3, 6)).dup()
          },
          one.getLabels());
    }
  }
}
