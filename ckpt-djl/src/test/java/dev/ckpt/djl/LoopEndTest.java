package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Loops that end in their own ways: by break, or with the trainer closed before the goal is said.
 */
class LoopEndTest {
  private static final int BATCHES = 10;
  private static final int TAKEN = 4;

  private final CheckpointStore store = Stores.inMemory();

  /** Whether a listener behind the checkpoints' draws at each epoch's end. */
  private boolean drawsBehind;

  /** A loop that a user wrote. */
  private interface Loop {
    void run(DjlCheckpoints ckpt, Trainer trainer, ArrayDataset data) throws Exception;
  }

  /** What is left of a training. */
  private record End(long steps, int epoch, boolean complete, String sha256) {}

  private End train(CheckpointStore where, Loop loop, boolean completeAfterClose) throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(CheckpointManager.in(where).run("r").seed(3));
        Model model = Model.newInstance("m", Device.cpu());
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      model.setBlock(
          new SequentialBlock()
              .add(Linear.builder().setUnits(8).build())
              .add(Activation::relu)
              .add(Linear.builder().setUnits(2).build()));
      ArrayDataset data =
          new ArrayDataset.Builder()
              .setData(manager.arange(8f * 4 * BATCHES).reshape(-1, 4).div(100))
              .optLabels(manager.arange(8f * BATCHES).mod(2))
              .setSampling(8, true)
              .build();
      var config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .optOptimizer(Optimizer.adam().build())
              .addTrainingListeners(TrainingListener.Defaults.basic())
              .addTrainingListeners(ckpt.listener());
      if (drawsBehind) {
        config.addTrainingListeners(
            new TrainingListenerAdapter() {
              @Override
              public void onEpoch(Trainer trainer) {
                ckpt.random("taken").nextInt();
              }
            });
      }
      String sha;
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(8, 4));
        loop.run(ckpt, trainer, data);
        sha = ckpt.sha256();
      }
      boolean complete = completeAfterClose ? ckpt.complete() : ckpt.isComplete();
      return new End(ckpt.progress().step(), ckpt.progress().epoch(), complete, sha);
    }
  }

  private static Loop broken(int epochs) {
    return (ckpt, trainer, data) -> {
      var wrapped = ckpt.dataset(data);
      for (int epoch = epochs - ckpt.remainingEpochs(epochs); epoch < epochs; epoch++) {
        int taken = 0;
        for (Batch batch : trainer.iterateDataset(wrapped)) {
          EasyTrain.trainBatch(trainer, batch);
          trainer.step();
          batch.close();
          if (++taken == TAKEN) {
            break;
          }
        }
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
      }
      ckpt.complete();
    };
  }

  @Test
  void anEpochThatWasLeftByBreakIsAnEpoch() throws Exception {
    End unbroken = train(Stores.inMemory(), broken(3), false);
    assertThat(unbroken.steps()).isEqualTo(3 * TAKEN);
    End first = train(store, broken(2), false);
    assertThat(first.epoch()).isEqualTo(2);
    assertThat(first.complete()).isTrue();
    End then = train(store, broken(3), false);
    assertThat(then).isEqualTo(unbroken);
  }

  /** By {@code break}, and nothing tells of an epoch's end but the next one. */
  private static Loop leftSilently(int epochs) {
    return (ckpt, trainer, data) -> {
      var wrapped = ckpt.dataset(data);
      for (int left = ckpt.remainingEpochs(epochs); left > 0; left--) {
        int taken = 0;
        for (Batch batch : trainer.iterateDataset(wrapped)) {
          EasyTrain.trainBatch(trainer, batch);
          trainer.step();
          batch.close();
          if (++taken == TAKEN) {
            break;
          }
        }
      }
      assertThat(ckpt.complete()).isTrue();
    };
  }

  @Test
  void completingEndsTheEpochThatWasLeftByBreak() throws Exception {
    End unbroken = train(Stores.inMemory(), leftSilently(3), false);
    for (int i = 0; i < 3; i++) {
      assertThat(train(store, leftSilently(2), false).steps()).isEqualTo(2 * TAKEN);
    }
    assertThat(train(store, leftSilently(3), false)).isEqualTo(unbroken);
    assertThat(unbroken.epoch()).isEqualTo(3);
  }

  @Test
  void whatFailedIsNotCompleteWhateverTheProgramSaysThen() throws Exception {
    Loop failing =
        (ckpt, trainer, data) -> {
          ckpt.remainingEpochs(9);
          ckpt.failed(new IllegalStateException("told"));
          assertThat(ckpt.complete()).isFalse();
        };
    train(store, failing, false);
    assertThat(train(store, leftSilently(1), false).steps()).isEqualTo(TAKEN);
  }

  /** A loop of the user's own, by batch number, as the Javadoc of step and endEpoch says. */
  private static Loop stepped(int epochs, int dieInValidationOf) {
    return (ckpt, trainer, data) -> {
      ckpt.resume(trainer);
      for (int epoch = ckpt.progress().epoch(); epoch < epochs; epoch++) {
        int at = 0;
        for (Batch batch : data.getData(trainer.getManager())) {
          if (at++ >= ckpt.progress().batch()) {
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
            if (at == BATCHES) {
              ckpt.manager().requestSave("the last batch of the epoch");
            }
            ckpt.step(8);
          }
          batch.close();
        }
        if (epoch == dieInValidationOf) {
          throw new IllegalStateException("killed by the test");
        }
        EasyTrain.evaluateDataset(trainer, ckpt.validation(data));
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        ckpt.endEpoch();
      }
      ckpt.complete();
    };
  }

  @Test
  void aSteppedLoopThatResumesBehindTheLastBatchCountsItsEpochOnce() throws Exception {
    assertThatThrownBy(() -> train(store, stepped(3, 1), false)).hasMessage("killed by the test");
    End resumed = train(store, stepped(3, -1), false);
    assertThat(resumed.steps()).isEqualTo(3 * BATCHES);
    assertThat(resumed.epoch()).isEqualTo(3);
  }

  @Test
  void whatTheProgramFreezesOtherwiseIsTheProgramsAndWhatTheTrainingFrozeIsRestored()
      throws Exception {
    boolean[] seen = new boolean[2];
    Loop freezesFirst =
        (ckpt, trainer, data) -> {
          trainer.getModel().getBlock().getParameters().valueAt(0).freeze(true);
          ckpt.fit(trainer, 1, data, null);
          trainer.getModel().getBlock().getParameters().valueAt(2).freeze(true);
          ckpt.manager().save(new Progress(99, 1, 0, 0, Progress.Phase.AFTER_EPOCH), Map.of());
        };
    train(store, freezesFirst, false);
    Loop freezesNothing =
        (ckpt, trainer, data) -> {
          ckpt.resume(trainer);
          seen[0] = trainer.getModel().getBlock().getParameters().valueAt(0).requiresGradient();
          seen[1] = trainer.getModel().getBlock().getParameters().valueAt(2).requiresGradient();
        };
    train(store, freezesNothing, false);
    assertThat(seen)
        .as("thawed by the program, frozen by the training")
        .containsExactly(true, false);
  }

  @Test
  void aGoalSaidAfterTheTrainerIsClosedIsRecordedAndNothingIsTrainedTwice() throws Exception {
    Loop easy =
        (ckpt, trainer, data) ->
            EasyTrain.fit(trainer, ckpt.remainingEpochs(2), ckpt.dataset(data), null);
    End first = train(store, easy, true);
    assertThat(first.complete()).isTrue();
    assertThat(first.steps()).isEqualTo(2 * BATCHES);
    End again = train(store, easy, true);
    assertThat(again).isEqualTo(first);
  }

  @Test
  void aForgottenGoalCostsNoEpoch() throws Exception {
    Loop easy =
        (ckpt, trainer, data) ->
            EasyTrain.fit(trainer, ckpt.remainingEpochs(2), ckpt.dataset(data), null);
    End first = train(store, easy, false);
    End again = train(store, easy, false);
    assertThat(again.steps()).isEqualTo(first.steps()).isEqualTo(2 * BATCHES);
    assertThat(again.sha256()).isEqualTo(first.sha256());
  }

  @Test
  void dataThatAreWrappedAlreadyCountOnce() throws Exception {
    End plain = train(Stores.inMemory(), (ckpt, t, data) -> ckpt.fit(t, 3, data, data), false);
    Loop wrapped =
        (ckpt, trainer, data) ->
            ckpt.fit(
                trainer,
                3,
                ckpt.dataset(ckpt.dataset(data)),
                ckpt.validation(ckpt.validation(ckpt.dataset(data))));
    assertThat(train(store, wrapped, false)).isEqualTo(plain);
    assertThat(plain.steps()).isEqualTo(3 * BATCHES);
    Loop swapped =
        (ckpt, trainer, data) -> ckpt.fit(trainer, 3, ckpt.validation(data), ckpt.dataset(data));
    assertThat(train(Stores.inMemory(), swapped, false)).isEqualTo(plain);
  }

  @Test
  void dataThatOtherCheckpointsHaveWrappedAreRefused() throws Exception {
    Loop others =
        (ckpt, trainer, data) -> {
          try (DjlCheckpoints other = DjlCheckpoints.open(CheckpointManager.in(store).run("o"))) {
            assertThatThrownBy(() -> ckpt.fit(trainer, 1, other.dataset(data), null))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("wrapped by other checkpoints");
            assertThatThrownBy(() -> ckpt.fit(trainer, 1, data, other.validation(data)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("wrapped by other checkpoints");
          }
        };
    assertThat(train(store, others, false).steps()).isZero();
  }

  /** Two batches to an update; counts from where the epoch begins, as the Javadoc says. */
  private static Loop counted(int epochs, int taken, int killedIn) {
    return (ckpt, trainer, data) -> {
      var wrapped = ckpt.dataset(data);
      int trained = 0;
      for (int left = ckpt.remainingEpochs(epochs); left > 0; left--) {
        long count = ckpt.progress().batch();
        for (Batch batch : trainer.iterateDataset(wrapped)) {
          ckpt.manager().requestSave("each batch");
          EasyTrain.trainBatch(trainer, batch);
          if (trained++ == killedIn) {
            throw new IllegalStateException("killed by the test");
          }
          if (++count % 2 == 0) {
            trainer.step();
          }
          batch.close();
          if (count == taken) {
            break;
          }
        }
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        assertThat(ckpt.progress().batch()).as("of the next epoch").isZero();
      }
      ckpt.complete();
    };
  }

  @ParameterizedTest
  @ValueSource(ints = {TAKEN, BATCHES})
  void aLoopThatCountsFromItsProgressCountsAlikeWhereverItIsKilled(int taken) throws Exception {
    End unbroken = train(Stores.inMemory(), counted(3, taken, -1), false);
    assertThat(unbroken.steps()).isEqualTo(3 * taken / 2);
    for (int kill = 0; kill < 3 * taken; kill++) {
      CheckpointStore own = Stores.inMemory();
      int at = kill;
      assertThatThrownBy(() -> train(own, counted(3, taken, at), false))
          .hasMessage("killed by the test");
      assertThat(train(own, counted(3, taken, -1), false))
          .as("killed in %d", at)
          .isEqualTo(unbroken);
    }
  }

  @Test
  void progressIsOfTheNextEpochOnceTheDataAreExhausted() throws Exception {
    Loop silent =
        (ckpt, trainer, data) -> {
          var wrapped = ckpt.dataset(data);
          for (int epoch = 0; epoch < 2; epoch++) {
            assertThat(ckpt.progress().epoch()).isEqualTo(epoch);
            assertThat(ckpt.progress().batch()).isZero();
            int done = 0;
            for (Batch batch : trainer.iterateDataset(wrapped)) {
              assertThat(ckpt.progress().epoch()).isEqualTo(epoch);
              assertThat(ckpt.progress().batch()).isEqualTo(done++);
              EasyTrain.trainBatch(trainer, batch);
              trainer.step();
              batch.close();
            }
          }
          assertThat(ckpt.progress().samples()).isEqualTo(2 * 8 * BATCHES);
        };
    train(store, silent, false);
  }

  @Test
  void aLoopThatAsksBeforeEachEpochTrainsNoneTooMany() throws Exception {
    for (boolean byProgress : new boolean[] {false, true}) {
      Loop asking =
          (ckpt, trainer, data) -> {
            ckpt.resume(trainer);
            while (byProgress ? ckpt.progress().epoch() < 3 : ckpt.remainingEpochs(3) > 0) {
              for (Batch batch : trainer.iterateDataset(ckpt.dataset(data))) {
                EasyTrain.trainBatch(trainer, batch);
                trainer.step();
                batch.close();
              }
              trainer.notifyListeners(listener -> listener.onEpoch(trainer));
            }
            assertThat(ckpt.complete()).isTrue();
          };
      End end = train(Stores.inMemory(), asking, false);
      assertThat(end.steps()).isEqualTo(3 * BATCHES);
      assertThat(end.epoch()).isEqualTo(3);
    }
  }

  /** Draws before each epoch how many batches it has, and behind it. */
  private static Loop drawn(int epochs, int killedIn) {
    return (ckpt, trainer, data) -> {
      int trained = 0;
      for (int left = ckpt.remainingEpochs(epochs); left > 0; left--) {
        int taken = TAKEN + ckpt.random("taken").nextInt(BATCHES - TAKEN);
        long count = ckpt.progress().batch();
        for (Batch batch : trainer.iterateDataset(ckpt.dataset(data))) {
          EasyTrain.trainBatch(trainer, batch);
          if (trained++ == killedIn) {
            throw new IllegalStateException("killed by the test");
          }
          trainer.step();
          batch.close();
          if (++count == taken) {
            break;
          }
        }
        ckpt.random("taken").nextInt();
        trainer.notifyListeners(listener -> listener.onEpoch(trainer));
      }
      ckpt.complete();
    };
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsDrawnForTheNextEpochIsDrawnAgainBehindAnEpochsEnd(boolean behind) throws Exception {
    drawsBehind = behind;
    End unbroken = train(Stores.inMemory(), drawn(4, -1), false);
    for (int kill = 2 * TAKEN; kill < unbroken.steps(); kill++) {
      CheckpointStore own = Stores.inMemory();
      int at = kill;
      assertThatThrownBy(() -> train(own, drawn(4, at), false)).hasMessage("killed by the test");
      assertThat(train(own, drawn(4, -1), false)).as("killed in %d", at).isEqualTo(unbroken);
    }
  }

  @Test
  void aLoopThatNeverAsksWhereItStandsIsToldWhenItGoesOn() throws Exception {
    Loop unaware =
        (ckpt, trainer, data) -> {
          for (int epoch = 0; epoch < 2; epoch++) {
            for (Batch batch : trainer.iterateDataset(ckpt.dataset(data))) {
              EasyTrain.trainBatch(trainer, batch);
              trainer.step();
              batch.close();
            }
          }
          ckpt.complete();
        };
    String said = "ckpt.remainingEpochs(n) before its first epoch";
    assertThat(Told.by(() -> train(store, unaware, false))).doesNotContain(said);
    assertThat(Told.by(() -> train(store, unaware, false))).contains(said, "behind 2 epochs");
    assertThat(Told.by(() -> train(store, leftSilently(5), false))).doesNotContain(said);
  }

  @Test
  void evaluatingTheWrappedTrainingDataIsRefusedAndCostsNoEpoch() throws Exception {
    Loop evaluating =
        (ckpt, trainer, data) -> {
          var wrapped = ckpt.dataset(data);
          for (Batch batch : trainer.iterateDataset(wrapped)) {
            EasyTrain.validateBatch(trainer, batch); // before it is trained, and behind it
            EasyTrain.trainBatch(trainer, batch);
            trainer.step();
            EasyTrain.validateBatch(trainer, batch);
            batch.close();
          }
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
          assertThatThrownBy(() -> EasyTrain.evaluateDataset(trainer, wrapped))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("ckpt.validation(...)");
        };
    train(store, evaluating, false);
    Loop right =
        (ckpt, trainer, data) -> {
          assertThat(ckpt.remainingEpochs(4)).isEqualTo(3);
          EasyTrain.evaluateDataset(trainer, ckpt.validation(ckpt.dataset(data)));
          assertThat(ckpt.remainingEpochs(4)).isEqualTo(3);
        };
    assertThat(train(store, right, false).steps()).isEqualTo(BATCHES);
  }

  @Test
  void dataThatGiveNoBatchAreNoEpochs() {
    for (SmallTraining.Loop loop :
        new SmallTraining.Loop[] {SmallTraining.Loop.FIT, SmallTraining.Loop.ACCUMULATE}) {
      CheckpointStore mended = Stores.inMemory();
      SmallTraining.Setup setup = SmallTraining.Setup.plain().with(loop).droppingLast();
      SmallTraining training = new SmallTraining(setup, mended);
      training.samples = SmallTraining.BATCH - 1;
      assertThatThrownBy(training::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("The training data gave no batch");
      training.samples = SmallTraining.SAMPLES;
      String expected = new SmallTraining(setup).run().sha256;
      assertThat(training.run().sha256).isEqualTo(expected);
    }
  }

  /** DJL gives the result of a test set no other way. */
  @Test
  void anEpochThatIsToldOfBehindTheTrainingIsNone() throws Exception {
    for (SmallTraining.Loop loop : SmallTraining.Loop.values()) {
      CheckpointStore where = Stores.inMemory();
      SmallTraining.Setup setup = SmallTraining.Setup.plain().with(loop);
      Checkpoints run = Checkpoints.read(where, "small");
      for (int start = 0; start < 3; start++) {
        SmallTraining training = new SmallTraining(setup, where);
        List<Checkpoint> before = run.list();
        training.atEnd =
            (ckpt, trainer) -> trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        String told = Told.by(training::run);
        if (start > 0) {
          assertThat(told).doesNotContain("is not wrapped: checkpoints are saved");
        }
        assertThat(start == 0 || run.list().equals(before))
            .as("%s, start %s", loop, start)
            .isTrue();
      }
      SmallTraining more = new SmallTraining(setup, where);
      more.epochs = SmallTraining.EPOCHS + 1;
      SmallTraining whole = new SmallTraining(setup);
      whole.epochs = more.epochs;
      assertThat(more.run().sha256).as("%s", loop).isEqualTo(whole.run().sha256);
    }
  }
}
