package dev.ckpt.djl;

import static dev.ckpt.Progress.Phase.AFTER_EPOCH;
import static dev.ckpt.Progress.Phase.AFTER_STEP;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.GradientCollector;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.FixedPerVarTracker;
import ai.djl.util.PairList;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Trainings as DJL's own books and examples write them, which go past its ready-made loop. */
class OwnWaysTest {
  private static final int BATCHES = 6;
  private static final int EPOCHS = 3;

  private final CheckpointStore store = Stores.inMemory();

  /** What stands between the two layers of the model. */
  private AbstractBlock inner = (AbstractBlock) Dropout.builder().optRate(0.3f).build();

  /** Whether ckpt.listener() stands before DJL's own. */
  private boolean listenerFirst;

  /** Of the program, before both. */
  private List<TrainingListener> listeners = List.of();

  private String restoredBest = "";
  private Consumer<Trainer> behindEpoch = trainer -> {};

  /** The rate of the first layer's weight; the others have 0.01. */
  private float rate = 0.01f;

  /** A loop that a user wrote. */
  private interface Loop {
    void run(DjlCheckpoints ckpt, Trainer trainer, ArrayDataset data) throws Exception;
  }

  private String train(CheckpointStore where, Loop loop) throws Exception {
    var builder = CheckpointManager.in(where).run("own").seed(3).keep(Set::copyOf);
    if (!restoredBest.isEmpty()) {
      builder.restoreBest(restoredBest, Retention.Mode.MIN);
    }
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(builder);
        Model model = Model.newInstance("m", Device.cpu());
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      Linear first = Linear.builder().setUnits(8).build();
      model.setBlock(
          new SequentialBlock()
              .add(first)
              .add(Activation::relu)
              .add(inner)
              .add(Linear.builder().setUnits(2).build()));
      ArrayDataset data = data(manager, 8 * BATCHES);
      var rates =
          FixedPerVarTracker.builder()
              .setDefaultValue(0.01f)
              .put(first.getParameters().get("weight").getId(), rate)
              .build();
      var config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .addEvaluator(new Accuracy())
              .optOptimizer(Optimizer.adam().optLearningRateTracker(rates).build())
              .addTrainingListeners(listeners.toArray(TrainingListener[]::new));
      if (listenerFirst) {
        config.addTrainingListeners(ckpt.listener());
      }
      config.addTrainingListeners(TrainingListener.Defaults.basic());
      if (!listenerFirst) {
        config.addTrainingListeners(ckpt.listener());
      }
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(8, 4));
        loop.run(ckpt, trainer, data);
        return ckpt.sha256();
      }
    }
  }

  private static ArrayDataset data(NDManager manager, int samples) {
    return new ArrayDataset.Builder()
        .setData(manager.arange(4f * samples).reshape(-1, 4).div(4 * samples))
        .optLabels(manager.arange((float) samples).mod(2))
        .setSampling(8, true)
        .build();
  }

  /** As in "Dive into Deep Learning" for DJL: no {@code EasyTrain.trainBatch} tells of a batch. */
  private Loop byGradients(int killedBehind) {
    return (ckpt, trainer, data) -> {
      Loss loss = trainer.getLoss();
      int updates = 0;
      for (int left = ckpt.remainingEpochs(EPOCHS); left > 0; left--) {
        for (Batch batch : trainer.iterateDataset(data)) {
          try (batch;
              GradientCollector gradients = trainer.newGradientCollector()) {
            NDList output = trainer.forward(batch.getData(), batch.getLabels());
            gradients.backward(loss.evaluate(batch.getLabels(), output));
          }
          trainer.step();
          if (++updates == killedBehind) {
            throw new IllegalStateException("killed by the test");
          }
        }
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        behindEpoch.accept(trainer);
      }
      assertThat(ckpt.complete()).isTrue();
      assertThat(ckpt.progress().epoch()).isEqualTo(EPOCHS);
      assertThat(ckpt.progress().step()).isEqualTo(EPOCHS * BATCHES);
    };
  }

  @Test
  void aLoopWithAGradientCollectorIsSavedAtTheEndsOfItsEpochs() throws Exception {
    String whole = train(Stores.inMemory(), byGradients(-1));
    assertThatThrownBy(() -> train(store, byGradients(2 * BATCHES + 2)))
        .hasMessage("killed by the test");
    Checkpoints run = Checkpoints.read(store, "own");
    assertThat(run.list().stream().map(each -> each.progress().step()))
        .contains((long) BATCHES, 2L * BATCHES);
    assertThat(train(store, byGradients(-1))).isEqualTo(whole);
    assertThat(train(store, byGradients(-1))).as("complete").isEqualTo(whole);
  }

  @Test
  void itsEpochsDoNotDrawAlike() throws Exception {
    List<Float> drawn = new ArrayList<>();
    behindEpoch = trainer -> drawn.add(next(trainer.getManager()));
    train(store, byGradients(-1));
    assertThat(drawn).hasSize(EPOCHS).doesNotHaveDuplicates();
  }

  private static float next(NDManager manager) {
    try (NDArray one = manager.randomUniform(0, 1, new Shape(1))) {
      return one.getFloat();
    }
  }

  /** {@code fit}, then the result of a test set in the only way that DJL has. */
  private static Loop thenTested(boolean wrapped) {
    return (ckpt, trainer, data) -> {
      int left = ckpt.remainingEpochs(2);
      var validation = data(trainer.getManager(), 24);
      EasyTrain.fit(
          trainer,
          left,
          wrapped ? ckpt.dataset(data) : data,
          wrapped ? ckpt.validation(validation) : validation);
      float validated = trainer.getTrainingResult().getValidateLoss();
      EasyTrain.evaluateDataset(trainer, data(trainer.getManager(), 88));
      trainer.notifyListeners(listener -> listener.onEpoch(trainer));
      assertThat(trainer.getTrainingResult().getValidateLoss()).isNotEqualTo(validated);
      assertThat(ckpt.complete()).isTrue();
      assertThat(ckpt.manager().checkpoints().latest().orElseThrow().metrics())
          .containsEntry("validate_loss", (double) validated)
          .containsKey("train_loss");
    };
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theResultOfATestSetIsNotThatOfTheLastEpoch(boolean wrapped) throws Exception {
    train(store, thenTested(wrapped));
    assertThat(Checkpoints.read(store, "own").list())
        .extracting(each -> each.progress().epoch())
        .contains(2);
  }

  /** How batches are seen. */
  private enum Seen {
    WRAPPED,
    STEPPED,
    HEARD
  }

  /** A GradientCollector; validates; maybe tells twice. */
  private static Loop collected(Seen by, int tellings) {
    boolean stepped = by == Seen.STEPPED;
    return (ckpt, trainer, data) -> {
      ckpt.resume(trainer);
      for (int epoch = ckpt.progress().epoch(); epoch < EPOCHS; epoch++) {
        for (Batch batch : trainer.iterateDataset(by == Seen.WRAPPED ? ckpt.dataset(data) : data)) {
          try (batch;
              GradientCollector gradients = trainer.newGradientCollector()) {
            gradients.backward(
                trainer.getLoss().evaluate(batch.getLabels(), trainer.forward(batch.getData())));
          }
          trainer.step();
          if (stepped) {
            ckpt.step(8);
          }
        }
        if (tellings == 2) {
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        }
        var validation = data(trainer.getManager(), 24);
        EasyTrain.evaluateDataset(
            trainer, by == Seen.HEARD ? validation : ckpt.validation(validation));
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        if (stepped) {
          ckpt.endEpoch();
        }
      }
      ckpt.complete();
    };
  }

  private List<Map<String, Double>> metricsAtEpochs(Loop loop, boolean first) throws Exception {
    listenerFirst = first;
    CheckpointStore where = Stores.inMemory();
    train(where, loop);
    return metricsAtEpochs(where);
  }

  private static List<Map<String, Double>> metricsAtEpochs(CheckpointStore where) {
    return Checkpoints.read(where, "own").list().stream()
        .filter(each -> each.progress().phase() == AFTER_EPOCH)
        .sorted(Comparator.comparing(Checkpoint::id))
        .map(Checkpoint::metrics)
        .toList();
  }

  @Test
  void anEpochHasItsMetricsWhereverTheListenerStands() throws Exception {
    Loop fit = (ckpt, trainer, data) -> ckpt.fit(trainer, EPOCHS, data, data);
    for (Loop loop : List.of(fit, collected(Seen.WRAPPED, 1), collected(Seen.STEPPED, 1))) {
      List<Map<String, Double>> behind = metricsAtEpochs(loop, false);
      assertThat(behind).hasSize(EPOCHS).doesNotHaveDuplicates();
      if (loop != fit) {
        continue;
      }
      assertThat(behind.get(0))
          .containsKeys("train_loss", "validate_loss", "train_SoftmaxCrossEntropyLoss");
    }
    Loop heard =
        (ckpt, trainer, data) -> EasyTrain.fit(trainer, ckpt.remainingEpochs(EPOCHS), data, data);
    List<Loop> all = new ArrayList<>(List.of(fit, heard));
    for (Seen by : Seen.values()) {
      all.add(collected(by, 1));
    }
    for (Loop loop : all) {
      assertThat(metricsAtEpochs(loop, true)).isEqualTo(metricsAtEpochs(loop, false));
    }
    // told twice, the last epoch's second telling may be that of a test set
    for (boolean first : new boolean[] {true, false}) {
      assertThat(metricsAtEpochs(collected(Seen.WRAPPED, 2), first).subList(0, EPOCHS - 1))
          .isEqualTo(metricsAtEpochs(collected(Seen.WRAPPED, 1), false).subList(0, EPOCHS - 1));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void behindAResumeAnEpochHasItsOwnMetrics(boolean first) throws Exception {
    Loop heard =
        (ckpt, trainer, data) -> EasyTrain.fit(trainer, ckpt.remainingEpochs(EPOCHS), data, data);
    for (Loop loop : List.of(heard, collected(Seen.HEARD, 1), collected(Seen.WRAPPED, 1))) {
      List<Map<String, Double>> whole = metricsAtEpochs(loop, first);
      listenerFirst = first;
      CheckpointStore where = Stores.inMemory();
      listeners =
          List.of(
              new TrainingListenerAdapter() {
                private int told;

                @Override
                public void onEpoch(Trainer trainer) {
                  if (++told == 3) {
                    throw new IllegalStateException("killed by the test");
                  }
                }
              });
      assertThatThrownBy(() -> train(where, loop)).hasMessage("killed by the test");
      listeners = List.of();
      train(where, loop);
      assertThat(metricsAtEpochs(where)).isEqualTo(whole);
    }
  }

  @Test
  void theBestIsFoundByEachNameOfTheLoss() throws Exception {
    for (boolean first : new boolean[] {true, false}) {
      listenerFirst = first;
      for (String name : List.of("validate_loss", "validate_SoftmaxCrossEntropyLoss")) {
        restoredBest = name;
        Loop fit = (ckpt, trainer, data) -> ckpt.fit(trainer, EPOCHS, data, data);
        assertThat(Told.by(() -> train(Stores.inMemory(), fit)))
            .doesNotContain("no finite checkpoint has the metric");
      }
    }
  }

  /** Stops in onEpoch, told or not, and then asks for the result of a test set. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void theResultOfATestSetIsNotThatOfAnEpochThatWasStopped(boolean wrapped) throws Exception {
    listeners =
        List.of(
            new TrainingListenerAdapter() {
              private int told;

              @Override
              public void onEpoch(Trainer trainer) {
                if (++told == 2) {
                  throw new EarlyStoppedException(2, "by the program");
                }
              }
            });
    double[] accuracy = new double[1];
    Loop stopped =
        (ckpt, trainer, data) -> {
          int left = ckpt.remainingEpochs(EPOCHS);
          try {
            EasyTrain.fit(
                trainer,
                left,
                wrapped ? ckpt.dataset(data) : data,
                wrapped ? ckpt.validation(data) : data);
          } catch (EarlyStoppedException e) {
            ckpt.failed(e);
          }
          accuracy[0] = trainer.getTrainingResult().getValidateLoss();
          EasyTrain.evaluateDataset(trainer, data(trainer.getManager(), 88));
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
          assertThat(ckpt.complete()).isTrue();
        };
    train(store, stopped);
    Checkpoint latest = Checkpoints.read(store, "own").latest().orElseThrow();
    assertThat(latest.progress().epoch()).isEqualTo(2);
    assertThat(latest.metrics())
        .containsEntry("validate_loss", accuracy[0])
        .containsKey("train_loss");
  }

  /** DJL's own stop before our listener, not told of, with more patience at each start. */
  @Test
  void moreEpochsByAGradientCollectorBehindAnEarlyStopAreCounted() throws Exception {
    int before = 0;
    for (int patience = 1; patience <= 3; patience++) {
      listeners =
          List.of(
              EarlyStoppingListener.builder()
                  .optEpochPatience(patience)
                  .optEarlyStopPctImprovement(100)
                  .build());
      Loop loop =
          (ckpt, trainer, data) -> {
            try {
              for (int left = ckpt.remainingEpochs(9); left > 0; left--) {
                for (Batch batch : trainer.iterateDataset(data)) {
                  try (batch;
                      GradientCollector gradients = trainer.newGradientCollector()) {
                    NDList output = trainer.forward(batch.getData());
                    gradients.backward(trainer.getLoss().evaluate(batch.getLabels(), output));
                  }
                  trainer.step();
                }
                EasyTrain.evaluateDataset(trainer, data(trainer.getManager(), 24));
                trainer.notifyListeners(listener -> listener.onEpoch(trainer));
              }
            } catch (EarlyStoppedException e) {
              // as in DJL's examples
            }
            assertThat(ckpt.complete()).isTrue();
          };
      train(store, loop);
      assertThat(newest().epoch()).isGreaterThan(before).isLessThan(9);
      before = newest().epoch();
      assertThat(newest().step()).isEqualTo((long) before * BATCHES);
      assertThat(newest().phase()).isEqualTo(AFTER_EPOCH);
    }
  }

  /** As ckpt.fit does it: the batch in which a listener stops is still stepped. */
  @ParameterizedTest
  @EnumSource(names = {"WRAPPED", "HEARD"})
  void aStopThatIsToldStaysOneThoughItsBatchIsStepped(Seen by) throws Exception {
    for (int stopped : new int[] {BATCHES + 1, BATCHES + 3}) {
      CheckpointStore where = Stores.inMemory();
      listeners =
          List.of(
              new TrainingListenerAdapter() {
                private int batches;

                @Override
                public void onTrainingBatch(Trainer trainer, BatchData data) {
                  if (++batches == stopped) {
                    throw new EarlyStoppedException(1, "by the program");
                  }
                }
              });
      Loop loop =
          (ckpt, trainer, data) -> {
            boolean stop = false;
            for (int left = ckpt.remainingEpochs(EPOCHS); left > 0 && !stop; left--) {
              var batches = by == Seen.WRAPPED ? ckpt.dataset(data) : data;
              for (Batch batch : trainer.iterateDataset(batches)) {
                try {
                  EasyTrain.trainBatch(trainer, batch);
                } catch (EarlyStoppedException e) {
                  ckpt.failed(e);
                  stop = true;
                }
                trainer.step();
                batch.close();
                if (stop) {
                  break;
                }
              }
              if (!stop) {
                trainer.notifyListeners(listener -> listener.onEpoch(trainer));
              }
            }
            assertThat(ckpt.complete()).isTrue();
          };
      assertThat(Told.by(() -> train(where, loop))).doesNotContain("nobody told of an early stop");
      listeners = List.of();
      Loop reopened =
          (ckpt, trainer, data) -> {
            assertThat(ckpt.remainingEpochs(EPOCHS)).isEqualTo(EPOCHS - 1);
            assertThat(ckpt.progress().epoch()).isEqualTo(1);
            assertThat(ckpt.progress().step()).isEqualTo(stopped);
          };
      train(where, reopened);
    }
  }

  @Test
  void aStopInsideAnEpochOfAGradientCollectorIsNotItsEnd() throws Exception {
    Loop stopped =
        (ckpt, trainer, data) -> {
          try {
            byGradients(BATCHES + 2).run(ckpt, trainer, data);
          } catch (IllegalStateException e) {
            ckpt.failed(new EarlyStoppedException(1, "by the program"));
          }
          ckpt.complete();
        };
    train(store, stopped);
    assertThat(newest().epoch()).isEqualTo(1);
    assertThat(newest().batch()).isEqualTo(2);
  }

  /** {@code finally { ckpt.complete(); }} around a loop that did not get to its first batch. */
  private static Loop neverBegun(boolean throwing, boolean wrapped) {
    return (ckpt, trainer, data) -> {
      try {
        int left = ckpt.remainingEpochs(EPOCHS);
        assertThat(left).isEqualTo(EPOCHS - 1);
        if (throwing) {
          throw new IOException("no labels");
        }
        ArrayDataset none =
            new ArrayDataset.Builder()
                .setData(trainer.getManager().zeros(new Shape(5, 4)))
                .optLabels(trainer.getManager().zeros(new Shape(5)))
                .setSampling(8, true, true)
                .build();
        EasyTrain.fit(trainer, left, wrapped ? ckpt.dataset(none) : none, null);
      } catch (IOException | IllegalStateException e) {
        assertThat(throwing || wrapped).as("%s", e).isTrue();
      } finally {
        assertThat(ckpt.complete()).isFalse();
        assertThat(ckpt.isComplete()).isFalse();
      }
    };
  }

  @Test
  void whoHasTrainedNothingReachesNoGoal() throws Exception {
    Loop whole =
        (ckpt, trainer, data) -> {
          EasyTrain.fit(trainer, ckpt.remainingEpochs(EPOCHS), ckpt.dataset(data), null);
          assertThat(ckpt.complete()).isTrue();
        };
    String expected = train(Stores.inMemory(), whole);
    Loop oneEpoch =
        (ckpt, trainer, data) -> {
          ckpt.remainingEpochs(EPOCHS);
          EasyTrain.fit(trainer, 1, ckpt.dataset(data), null); // stopped there
        };
    train(store, oneEpoch);
    for (boolean throwing : new boolean[] {true, false}) {
      for (boolean wrapped : new boolean[] {true, false}) {
        String told = Told.by(() -> train(store, neverBegun(throwing, wrapped)));
        if (throwing || !wrapped) {
          assertThat(told).contains("behind 1 of 3 epochs, and this attempt has trained nothing");
        }
      }
    }
    assertThat(train(store, whole)).isEqualTo(expected);
    Loop further =
        (ckpt, trainer, data) -> {
          assertThat(ckpt.remainingEpochs(EPOCHS + 1)).isEqualTo(1);
          assertThat(ckpt.complete()).as("of the larger goal").isFalse();
        };
    train(store, further);
    Loop again =
        (ckpt, trainer, data) -> {
          assertThat(ckpt.remainingEpochs(EPOCHS + 1)).as("that one is still open").isEqualTo(1);
          assertThat(ckpt.remainingEpochs(EPOCHS)).isZero();
          assertThat(ckpt.complete()).isTrue();
        };
    train(store, again);
  }

  /** {@code EasyTrain}'s loop by hand, which tells of what it throws, as the Javadoc advises. */
  private static Loop heardAlone(int thrownIn, RuntimeException thrown) {
    return (ckpt, trainer, data) -> {
      int batches = 0;
      try {
        for (int left = ckpt.remainingEpochs(EPOCHS); left > 0; left--) {
          for (Batch batch : trainer.iterateDataset(data)) {
            if (batches++ == thrownIn) {
              throw thrown;
            }
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
            batch.close();
          }
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        }
      } catch (RuntimeException e) {
        ckpt.failed(e);
      }
      ckpt.complete();
    };
  }

  private Progress newest() {
    return Checkpoints.read(store, "own").latest().orElseThrow().progress();
  }

  @Test
  void aFailureBetweenTwoBatchesThatOnlyTheListenerHeardSavesNothing() throws Exception {
    String whole = train(Stores.inMemory(), heardAlone(-1, new IllegalStateException()));
    for (int thrownIn : new int[] {2, BATCHES, BATCHES + 2, BATCHES}) {
      train(store, heardAlone(thrownIn, new IllegalStateException("a flaky read")));
      assertThat(Checkpoints.read(store, "own").list())
          .allMatch(each -> each.progress().batch() == 0);
    }
    assertThat(train(store, heardAlone(-1, new IllegalStateException()))).isEqualTo(whole);
    assertThat(newest().step()).isEqualTo(EPOCHS * BATCHES);
  }

  @Test
  void aStopInsideAnEpochThatOnlyTheListenerHeardIsSavedAsThat() throws Exception {
    train(store, heardAlone(BATCHES + 2, new EarlyStoppedException(1, "by the program")));
    assertThat(newest()).isEqualTo(new Progress(BATCHES + 2, 1, 2, 8 * (BATCHES + 2), AFTER_STEP));
    String said = "behind 2 of its batches, and the dataset is not wrapped now";
    assertThat(Told.by(() -> train(store, heardAlone(-1, new IllegalStateException()))))
        .containsOnlyOnce(said);
    assertThat(newest().epoch()).isEqualTo(EPOCHS);
    assertThat(newest().step()).isEqualTo(BATCHES + 2 + (EPOCHS - 1) * BATCHES);
  }

  @Test
  void aRunThatWasSavedInsideAnEpochIsGoneOnWithByTheListenerAloneAndSaysWhatThatCosts()
      throws Exception {
    Loop wrapped =
        (ckpt, trainer, data) -> {
          ckpt.remainingEpochs(EPOCHS);
          int batches = 0;
          for (Batch batch : trainer.iterateDataset(ckpt.dataset(data))) {
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
            batch.close();
            if (++batches == 4) {
              ckpt.manager().requestSave("the test");
            } else if (batches == 5) {
              throw new IllegalStateException("killed by the test");
            }
          }
        };
    assertThatThrownBy(() -> train(store, wrapped)).hasMessage("killed by the test");
    assertThat(newest().batch()).isEqualTo(4);
    String told = Told.by(() -> train(store, heardAlone(-1, new IllegalStateException())));
    assertThat(told).contains("behind 4 of its batches, and the dataset is not wrapped now");
    assertThat(newest().epoch()).isEqualTo(EPOCHS);
    assertThat(newest().step()).isEqualTo(4 + EPOCHS * BATCHES);
  }

  private static final Loop FIT = (ckpt, trainer, data) -> ckpt.fit(trainer, 1, data, null);

  private static final Loop MORE = (ckpt, trainer, data) -> ckpt.fit(trainer, 2, data, null);

  /** DJL keys them by ids that each process draws anew. */
  @Test
  void ratesByParameterAreComparedByTheNamesOfParameters() throws Exception {
    train(store, FIT);
    List<Class<?>> speaker = List.of(Environment.class);
    assertThat(Told.alsoInformation(speaker, () -> train(store, MORE)))
        .doesNotContain("optimizer differs");
    rate = 0.02f;
    assertThat(Told.alsoInformation(speaker, () -> train(store, FIT)))
        .contains("optimizer differs")
        .containsPattern("valueMap=\\{\\w*Linear_weight=0.01}")
        .containsPattern("valueMap=\\{\\w*Linear_weight=0.02}")
        .doesNotContain("uid-");
  }

  /** Keeps a mean in a field, and follows DJL's contract for it. */
  private static final class Centered extends AbstractBlock {
    private final boolean moves;
    private float mean;

    Centered(boolean moves) {
      super((byte) 1);
      this.moves = moves;
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore parameters, NDList in, boolean training, PairList<String, Object> params) {
      NDArray values = in.singletonOrThrow();
      if (training && moves) {
        try (NDArray now = values.duplicate().mean()) {
          mean = 0.9f * mean + 0.1f * now.toType(DataType.FLOAT32, false).getFloat();
        }
      }
      return new NDList(values.sub(mean));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }

    @Override
    public void saveParameters(DataOutputStream out) throws IOException {
      out.writeFloat(mean);
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream in) throws IOException {
      mean = in.readFloat();
    }
  }

  @Test
  void whatABlockWritesBesidesItsParametersIsSaidNotToBeRestored() throws Exception {
    String said = "A block writes more than its parameters, and that changes in training";
    inner = new Centered(false);
    assertThat(Told.by(() -> train(Stores.inMemory(), FIT))).doesNotContain(said);
    inner = new Centered(true);
    assertThat(Told.by(() -> train(store, FIT))).containsOnlyOnce(said);
  }
}
