package dev.ckpt.djl;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.metric.Metrics;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.DivergenceCheckTrainingListener;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.TranslateException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Progress;
import dev.ckpt.SaveTrigger;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BiConsumer;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * A small training with everything that makes resuming hard: BatchNorm, dropout, momentum, a
 * learning rate that falls, a shuffled order, a random stream, evaluators, metrics. It can be
 * killed at any batch, as a process would be: nothing is saved any more, and the next attempt
 * builds everything anew.
 */
final class SmallTraining {
  static final int SAMPLES = 150;
  static final int BATCH = 16;
  static final int EPOCHS = 3;

  enum Loop {
    FIT,
    EASY_TRAIN,
    ACCUMULATE,
    STEP,
    LISTENER_ONLY
  }

  enum Place {
    FIRST,
    MIDDLE,
    LAST
  }

  enum Order {
    STOCK,
    OWN,
    READ
  }

  /** What varies; everything else is fixed. */
  record Setup(
      Supplier<Optimizer> optimizer,
      Loop loop,
      Place place,
      Order order,
      boolean prefetch,
      boolean dropLast,
      boolean earlyStop,
      int every,
      SaveTrigger trigger) {

    static Setup plain() {
      return new Setup(
          SmallTraining::adam,
          Loop.FIT,
          Place.LAST,
          Order.STOCK,
          false,
          false,
          false,
          3,
          SaveTrigger.everyEpoch());
    }

    Setup with(Supplier<Optimizer> other) {
      return new Setup(other, loop, place, order, prefetch, dropLast, earlyStop, every, trigger);
    }

    Setup with(Loop other) {
      return new Setup(
          optimizer, other, place, order, prefetch, dropLast, earlyStop, every, trigger);
    }

    Setup with(Place other) {
      return new Setup(
          optimizer, loop, other, order, prefetch, dropLast, earlyStop, every, trigger);
    }

    Setup with(Order other) {
      return new Setup(
          optimizer, loop, place, other, prefetch, dropLast, earlyStop, every, trigger);
    }

    Setup with(SaveTrigger other) {
      return new Setup(optimizer, loop, place, order, prefetch, dropLast, earlyStop, 0, other);
    }

    /** Saves are asked for, not triggered: a trigger's are skipped while one is in flight. */
    Setup savingEvery(int steps) {
      return new Setup(
          optimizer, loop, place, order, prefetch, dropLast, earlyStop, steps, trigger);
    }

    Setup prefetching() {
      return new Setup(optimizer, loop, place, order, true, dropLast, earlyStop, every, trigger);
    }

    Setup droppingLast() {
      return new Setup(optimizer, loop, place, order, prefetch, true, earlyStop, every, trigger);
    }

    Setup stoppingEarly() {
      return new Setup(optimizer, loop, place, order, prefetch, dropLast, true, every, trigger);
    }
  }

  /** What the attempts of one run have printed, the last word counting; and the final digest. */
  static final class Log {
    final Map<Long, String> batches = new TreeMap<>();
    final Map<Integer, String> epochs = new TreeMap<>();
    final List<Long> startedAt = new ArrayList<>();

    /** Indices of the samples that were trained, by epoch. */
    final Map<Integer, List<Object>> trained = new TreeMap<>();

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
  private final CheckpointStore store;
  final Log log = new Log();

  /** Called on a fresh model, before the run is resumed. */
  Consumer<Trainer> beforeResume = trainer -> {};

  /** Called when the run has been resumed, before it trains on. */
  BiConsumer<DjlCheckpoints, Trainer> afterResume = (ckpt, trainer) -> {};

  /** Called when the training is over, before the trainer is closed. */
  BiConsumer<DjlCheckpoints, Trainer> atEnd = (ckpt, trainer) -> {};

  /** Listeners before all others. */
  List<TrainingListener> first = List.of();

  /** One more listener, behind all others but the checkpoints'. */
  TrainingListener listener = new TrainingListenerAdapter() {};

  /** The batch, counted from the start of an attempt, that a read-only dataset cannot give. */
  int dataFailsAt = Integer.MAX_VALUE;

  Supplier<IntConsumer> seedEngine = () -> Seeding::seedDefaultEngine;

  UnaryOperator<CheckpointManagerBuilder> checkpointing = builder -> builder;

  /** The goal. */
  int epochs = EPOCHS;

  /** Threads that load batches ahead; one loads them in their order. */
  int loaderThreads = 2;

  /** Whether a loop of the user's own tells of an early stop. */
  boolean tellsOfStops = true;

  /** Whether a stopped resume is done again on the same object. */
  boolean resumesAgain;

  /** Called when fit was stopped, before the cell is run again. */
  Runnable whenStopped = () -> {};

  /** Whether the cell is run again, and no other, if it was stopped or threw. */
  boolean fitsAgain;

  /** The goal of a second fit on the same object; 0 for none. */
  int fitsTo;

  /** What a user changes on purpose between two attempts. */
  int batch = BATCH;

  int samples = SAMPLES;
  int validates = 40;

  /** How many of the samples, the first ones, are validated and not trained; 0: others are. */
  int heldOut;

  /** How the data is made: the training data under 1, that of the validation under 2. */
  BiFunction<ArrayDataset.Builder, Integer, ArrayDataset> dataset =
      (builder, which) -> builder.build();

  Supplier<Optimizer> optimizer;
  Supplier<Loss> loss = () -> Loss.softmaxCrossEntropyLoss("loss");
  List<Evaluator> evaluators = List.of();

  /** Whether DJL's own listener throws at a loss that is not finite. */
  boolean watchesDivergence = true;

  UnaryOperator<Block> block = block -> block;

  SmallTraining(Setup setup) {
    this(setup, new InMemoryStore(Clock.systemUTC()));
  }

  SmallTraining(Setup setup, CheckpointStore store) {
    this.setup = setup;
    this.store = store;
    this.optimizer = setup.optimizer();
  }

  static Optimizer adam() {
    return Optimizer.adam().optLearningRateTracker(falling()).build();
  }

  static Optimizer adamW() {
    return Optimizer.adamW().optLearningRateTracker(falling()).build();
  }

  static Optimizer momentum() {
    return Optimizer.sgd().setLearningRateTracker(falling()).optMomentum(0.9f).build();
  }

  private static Tracker falling() {
    return Tracker.cosine().setBaseValue(0.05f).optFinalValue(0.001f).setMaxUpdates(40).build();
  }

  static Block network() {
    return new SequentialBlock()
        .add(Linear.builder().setUnits(12).build())
        .add(BatchNorm.builder().build())
        .add(Activation::relu)
        .add(Dropout.builder().optRate(0.3f).build())
        .add(Linear.builder().setUnits(3).build());
  }

  CheckpointManagerBuilder checkpoints() {
    return checkpointing.apply(
        CheckpointManager.in(store).run("small").seed(99).saveWhen(setup.trigger()));
  }

  /** Runs to the end. */
  Log run() {
    run(Integer.MAX_VALUE);
    return log;
  }

  /**
   * One attempt.
   *
   * @param batches it is killed inside the step that follows so many, counting from its start;
   *     negative: in the validation batch of that number
   * @return whether it came to its end
   */
  boolean run(int batches) {
    ExecutorService loaders = setup.prefetch() ? Executors.newFixedThreadPool(loaderThreads) : null;
    try {
      attempt(batches, loaders);
      return true;
    } catch (Killed e) {
      return false;
    } catch (IOException | TranslateException e) {
      throw new AssertionError(e);
    } finally {
      if (loaders != null) {
        loaders.shutdownNow();
      }
    }
  }

  private void attempt(int batches, @Nullable ExecutorService loaders)
      throws IOException, TranslateException {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(checkpoints(), seedEngine.get());
        Model model = Model.newInstance("small", Device.cpu())) {
      model.setBlock(block.apply(network()));
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(loss.get())
              .addEvaluator(new Accuracy("accuracy"))
              .optDevices(new Device[] {Device.cpu()})
              .optOptimizer(optimizer.get())
              .addTrainingListeners(listeners(ckpt, batches));
      evaluators.forEach(config::addEvaluator);
      if (loaders != null) {
        config.optExecutorService(loaders);
      }
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.setMetrics(new Metrics());
        trainer.initialize(new Shape(BATCH, 6));
        beforeResume.accept(trainer);
        try {
          ckpt.resume(trainer);
        } catch (CancellationException e) {
          if (!resumesAgain) {
            throw e;
          }
          ckpt.resume(trainer);
        }
        log.startedAt.add(ckpt.progress().step());
        afterResume.accept(ckpt, trainer);
        Dataset train = data(model.getNDManager(), ckpt, 1);
        if (heldOut > 0 && train instanceof RandomAccessDataset whole) {
          train(ckpt, trainer, whole.subDataset(heldOut, samples), whole.subDataset(0, heldOut));
        } else {
          train(ckpt, trainer, train, data(model.getNDManager(), ckpt, 2));
        }
        log.sha256 = ckpt.sha256();
        atEnd.accept(ckpt, trainer);
        log.tensors = ckpt.session().digest().byName();
      }
    }
  }

  private TrainingListener[] listeners(DjlCheckpoints ckpt, int kill) {
    List<TrainingListener> all = new ArrayList<>(List.of(TrainingListener.Defaults.basic()));
    if (!watchesDivergence) {
      all.removeIf(each -> each instanceof DivergenceCheckTrainingListener);
    }
    all.add(new Journal(ckpt, kill));
    if (setup.earlyStop()) {
      all.add(
          EarlyStoppingListener.builder()
              .optEpochPatience(1)
              .optEarlyStopPctImprovement(60)
              .build());
    }
    all.add(listener);
    int place =
        switch (setup.place()) {
          case FIRST -> 0;
          case MIDDLE -> 2;
          case LAST -> all.size();
        };
    all.add(place, ckpt.listener());
    all.addAll(0, first);
    return all.toArray(TrainingListener[]::new);
  }

  private Dataset data(NDManager manager, DjlCheckpoints ckpt, int seed) {
    Random random = new Random(seed);
    int size = seed == 1 ? samples : validates;
    float[] features = new float[size * 6];
    float[] labels = new float[size];
    for (int i = 0; i < size; i++) {
      labels[i] = random.nextInt(3);
      for (int j = 0; j < 6; j++) {
        features[i * 6 + j] = (float) random.nextGaussian() + (j % 3 == labels[i] ? 1.5f : 0);
      }
    }
    NDArray x = manager.create(features, new Shape(size, 6));
    NDArray y = manager.create(labels, new Shape(size, 1));
    ArrayDataset.Builder builder = new ArrayDataset.Builder().setData(x).optLabels(y);
    if (setup.order() == Order.OWN) {
      builder.setSampling(ckpt.sampler(batch, seed == 1, setup.dropLast()));
    } else {
      builder.setSampling(batch, seed == 1 && setup.loop() != Loop.STEP, setup.dropLast());
    }
    Dataset made = dataset.apply(builder, seed);
    return setup.order() == Order.READ ? new Opaque(made) : made;
  }

  private void train(DjlCheckpoints ckpt, Trainer trainer, Dataset train, Dataset validation)
      throws IOException, TranslateException {
    switch (setup.loop()) {
      case FIT -> {
        try {
          ckpt.fit(trainer, epochs, train, validation);
        } catch (IllegalStateException e) {
          if (!fitsAgain) {
            throw e;
          }
          whenStopped.run();
          ckpt.fit(trainer, epochs, train, validation);
        }
        if (fitsTo > 0) {
          ckpt.fit(trainer, fitsTo, train, validation);
        }
      }
      case EASY_TRAIN -> {
        try {
          EasyTrain.fit(
              trainer,
              ckpt.remainingEpochs(epochs),
              ckpt.dataset(train),
              ckpt.validation(validation));
        } catch (EarlyStoppedException e) {
          if (tellsOfStops) {
            ckpt.failed(e);
          }
        }
        ckpt.complete();
        ckpt.restoreBest();
      }
      case ACCUMULATE -> {
        Dataset data = ckpt.dataset(train);
        Dataset evaluated = ckpt.validation(validation);
        int left = ckpt.remainingEpochs(epochs);
        for (int i = 0; i < left; i++) {
          accumulate(trainer, data);
          EasyTrain.evaluateDataset(trainer, evaluated);
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        }
        ckpt.complete();
      }
      case STEP -> {
        try {
          byHand(ckpt, trainer, train, validation);
        } catch (EarlyStoppedException e) {
          if (tellsOfStops) {
            ckpt.failed(e);
          }
        }
        ckpt.complete();
      }
      case LISTENER_ONLY -> {
        try {
          EasyTrain.fit(trainer, ckpt.remainingEpochs(epochs), train, validation);
        } catch (EarlyStoppedException e) {
          if (tellsOfStops) {
            ckpt.failed(e);
          }
        }
        ckpt.complete();
      }
    }
  }

  /** Two batches to an update; what is left of an epoch is carried into the next. */
  private static void accumulate(Trainer trainer, Dataset data)
      throws IOException, TranslateException {
    int collected = 0;
    for (Batch batch : trainer.iterateDataset(data)) {
      EasyTrain.trainBatch(trainer, batch);
      if (++collected == 2) {
        trainer.step();
        collected = 0;
      }
      batch.close();
    }
  }

  /** A loop that finds its place in the data by itself. */
  private void byHand(DjlCheckpoints ckpt, Trainer trainer, Dataset train, Dataset validation)
      throws IOException, TranslateException {
    int left = ckpt.remainingEpochs(epochs);
    for (int i = 0; i < left; i++) {
      long skip = ckpt.progress().batch();
      for (Batch batch : trainer.iterateDataset(train)) {
        if (skip-- <= 0) {
          EasyTrain.trainBatch(trainer, batch);
          trainer.step();
          ckpt.step(batch.getSize());
        }
        batch.close();
      }
      EasyTrain.evaluateDataset(trainer, ckpt.validation(validation));
      trainer.notifyListeners(listener -> listener.onEpoch(trainer));
      ckpt.endEpoch();
    }
  }

  /** Writes down what a user would see, and kills. */
  private final class Journal extends TrainingListenerAdapter {
    private final DjlCheckpoints ckpt;
    private final int kill;
    private int trained;
    private int validated;

    Journal(DjlCheckpoints ckpt, int kill) {
      this.ckpt = ckpt;
      this.kill = kill;
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData data) {
      Progress progress = ckpt.progress();
      if (setup.every() > 0 && (progress.step() + 1) % setup.every() == 0) {
        ckpt.manager().requestSave("every " + setup.every());
      }
      log.executed++;
      log.batches.put(
          progress.epoch() * 1000L
              + (setup.loop() == Loop.LISTENER_ONLY ? trained : progress.batch()),
          "loss "
              + trainer.getLoss().getAccumulator("train/epoch")
              + " "
              + trainer.getLoss().getAccumulator("train/progress")
              + " at "
              + data.getBatch().getProgress()
              + "/"
              + data.getBatch().getProgressTotal()
              + " noise "
              + ckpt.random("noise").nextGaussian());
      if (trained++ == kill) {
        throw new Killed();
      }
      List<?> indices = data.getBatch().getIndices();
      if (indices != null) {
        log.trained.computeIfAbsent(progress.epoch(), epoch -> new ArrayList<>()).addAll(indices);
      }
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData data) {
      if (-1 - validated++ == kill) {
        throw new Killed();
      }
    }

    @Override
    public void onEpoch(Trainer trainer) {
      TrainingResult result = trainer.getTrainingResult();
      log.epochs.put(
          result.getEpoch(),
          new TreeMap<>(result.getEvaluations())
              + " "
              + trainer.getMetrics().latestMetric("validate_epoch_accuracy").getValue());
    }
  }

  /** A dataset of which nothing is known. */
  private final class Opaque implements Dataset {
    private final Dataset inner;
    private int given;

    Opaque(Dataset inner) {
      this.inner = inner;
    }

    @Override
    public Iterable<Batch> getData(NDManager manager) throws IOException, TranslateException {
      Iterator<Batch> batches = inner.getData(manager).iterator();
      return () ->
          new Iterator<>() {
            @Override
            public boolean hasNext() {
              return batches.hasNext();
            }

            @Override
            public Batch next() {
              if (given++ == dataFailsAt) {
                throw new IllegalStateException("no data");
              }
              return batches.next();
            }
          };
    }

    @Override
    public void prepare(ai.djl.util.@Nullable Progress progress)
        throws IOException, TranslateException {
      inner.prepare(progress);
    }
  }
}
