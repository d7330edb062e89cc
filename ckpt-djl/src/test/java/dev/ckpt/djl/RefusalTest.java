package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.translate.TranslateException;
import ai.djl.util.RandomUtils;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.SaveTrigger;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What cannot be exact is an error that says what to do, before anything is touched. */
class RefusalTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  private interface Use {
    void with(DjlCheckpoints ckpt, Trainer trainer, NDManager manager)
        throws IOException, TranslateException;
  }

  private CheckpointManagerBuilder checkpoints() {
    return CheckpointManager.in(store).run("r").seed(5).saveWhen(SaveTrigger.everySteps(1));
  }

  private void open(Block block, Optimizer optimizer, Use use) throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(checkpoints());
        Model model = Model.newInstance("m", Device.cpu())) {
      model.setBlock(block);
      try (Trainer trainer =
          model.newTrainer(config(optimizer).addTrainingListeners(ckpt.listener()))) {
        trainer.initialize(new Shape(4, 3));
        use.with(ckpt, trainer, model.getNDManager());
      }
    }
  }

  private static DefaultTrainingConfig config(Optimizer optimizer) {
    return new DefaultTrainingConfig(Loss.l2Loss())
        .optDevices(new Device[] {Device.cpu()})
        .optOptimizer(optimizer);
  }

  private static Block net(int... units) {
    SequentialBlock block = new SequentialBlock();
    for (int each : units) {
      block.add(Linear.builder().setUnits(each).build());
    }
    return block;
  }

  private static ArrayDataset data(NDManager manager, int batch) {
    NDArray x = manager.arange(36f).reshape(12, 3).div(36f);
    return new ArrayDataset.Builder()
        .setData(x)
        .optLabels(manager.ones(new Shape(12, 2)))
        .setSampling(batch, false)
        .build();
  }

  private static void train(Trainer trainer, Dataset data, int batches)
      throws IOException, TranslateException {
    int done = 0;
    for (Batch batch : trainer.iterateDataset(data)) {
      if (done++ == batches) {
        batch.close();
        break;
      }
      EasyTrain.trainBatch(trainer, batch);
      trainer.step();
      batch.close();
    }
  }

  @Test
  void anotherStructureListsWhatIsMissingExtraAndReshapedAndChangesNothing() throws Exception {
    open(
        net(5, 2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> train(trainer, ckpt.dataset(data(manager, 4)), 3));

    open(
        net(6, 5, 2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> {
          Map<String, String> before = digest(trainer);
          assertThatThrownBy(() -> ckpt.resume(trainer))
              .isInstanceOf(CheckpointException.Incompatible.class)
              .hasMessageContaining("Missing in the checkpoint: 03Linear_weight, 03Linear_bias")
              .hasMessageContaining("01Linear_weight (saved float32 (5, 3), now float32 (6, 3))")
              .hasMessageNotContaining("Extra");
          assertThat(digest(trainer)).isEqualTo(before);
        });
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) ->
            assertThatThrownBy(() -> ckpt.resume(trainer))
                .hasMessageContaining("Extra in the checkpoint: 02Linear_weight, 02Linear_bias"));
  }

  private static Map<String, String> digest(Trainer trainer) {
    StateDigest digest = new StateDigest();
    new ModelState(() -> Parameters.of(trainer)).capture(digest);
    return digest.byName();
  }

  @Test
  void anotherClassOfOptimizerIsNamed() throws Exception {
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> train(trainer, ckpt.dataset(data(manager, 4)), 2));

    open(
        net(2),
        SmallTraining.momentum(),
        (ckpt, trainer, manager) ->
            assertThatThrownBy(() -> ckpt.resume(trainer))
                .isInstanceOf(CheckpointException.Incompatible.class)
                .hasMessageContaining("ai.djl.training.optimizer.Adam")
                .hasMessageContaining("ai.djl.training.optimizer.Sgd")
                .hasMessageContaining("[means, variances]")
                .hasMessageContaining("[momentumStates]"));
  }

  /** Keeps a sum in an array of its own, which no walk over slot maps would find. */
  private static final class Hoarder extends CountingOptimizer {
    private final List<NDArray> history = new ArrayList<>();

    @Override
    public void update(String parameterId, NDArray weight, NDArray grad) {
      history.add(grad);
      super.update(parameterId, weight, grad);
    }
  }

  @Test
  void anOptimizerWithStateOfAnUnknownKindIsRefusedByField() {
    assertThatThrownBy(() -> open(net(2), new Hoarder(), (ckpt, trainer, manager) -> {}))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("Hoarder")
        .hasMessageContaining("history (java.util.List<ai.djl.ndarray.NDArray>)")
        .hasMessageContaining("Map<String, Map<Device, NDArray>>");
  }

  @Test
  void severalDevicesAreRefused() {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(checkpoints());
        Model model = Model.newInstance("m", Device.cpu())) {
      model.setBlock(net(2));
      DefaultTrainingConfig config =
          config(SmallTraining.adam())
              .optDevices(new Device[] {Device.cpu(), Device.gpu()})
              .addTrainingListeners(ckpt.listener());
      assertThatThrownBy(() -> model.newTrainer(config))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("one device, this one has 2");
    }
  }

  @Test
  void theListenerThatIsAddedTwiceIsNamed() {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(checkpoints());
        Model model = Model.newInstance("m", Device.cpu())) {
      model.setBlock(net(2));
      DefaultTrainingConfig config =
          config(SmallTraining.adam()).addTrainingListeners(ckpt.listener(), ckpt.listener());
      assertThatThrownBy(() -> model.newTrainer(config))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ckpt.listener() is in the training config twice: add it once");
    }
  }

  @Test
  void trainingBeforeResumingIsRefusedAtTheFirstUpdate() throws Exception {
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) ->
            assertThatThrownBy(() -> train(trainer, data(manager, 4), 1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("ckpt.resume(trainer)"));
  }

  @Test
  void resumingBeforeTheTrainerIsReadySaysWhatIsMissing() throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(checkpoints());
        Model model = Model.newInstance("m", Device.cpu())) {
      assertThatThrownBy(() -> ckpt.remainingEpochs(1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("ckpt.listener()");
      model.setBlock(net(2));
      DefaultTrainingConfig config =
          config(SmallTraining.adam()).addTrainingListeners(ckpt.listener());
      try (Trainer trainer = model.newTrainer(config)) {
        assertThatThrownBy(() -> ckpt.remainingEpochs(1))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("trainer.initialize(shape)");
        assertThatThrownBy(() -> model.newTrainer(config))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("one trainer");
      }
    }
  }

  @Test
  void anotherPartOfTheDataIsRefusedBecauseValidationWouldLeak() throws Exception {
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> {
          RandomUtils.RANDOM.setSeed(1);
          train(trainer, ckpt.dataset(data(manager, 2).randomSplit(3, 1)[0]), 2);
        });
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> {
          RandomUtils.RANDOM.setSeed(2);
          Dataset other = data(manager, 2).randomSplit(3, 1)[0];
          assertThatThrownBy(() -> train(trainer, ckpt.dataset(other), 2))
              .isInstanceOf(CheckpointException.Incompatible.class)
              .hasMessageContaining("another part of the whole")
              .hasMessageContaining("randomSplit");
        });
    open(
        net(2),
        SmallTraining.adam(),
        (ckpt, trainer, manager) -> {
          RandomUtils.RANDOM.setSeed(1);
          train(trainer, ckpt.dataset(data(manager, 2).randomSplit(3, 1)[0]), 1);
          assertThat(ckpt.progress().step()).isGreaterThan(1);
        });
  }

  @Test
  void anUnknownShapeOfDjlNamesTheFieldAndTheTestedVersions() {
    assertThatThrownBy(() -> PrivateField.of(Trainer.class, "parameterStores", Map.class))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("ai.djl.training.Trainer.parameterStores does not exist")
        .hasMessageContaining("DJL 0.34.0 to 0.35.1 with PyTorch 2.7.1");
    assertThatThrownBy(() -> PrivateField.of(Trainer.class, "listeners", Map.class))
        .hasMessageContaining("is of type java.util.List, not java.util.Map");
    assertThatThrownBy(() -> PrivateField.probe(Shapeless.class))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("Trainer.gone does not exist");
  }

  private static final class Shapeless {
    @SuppressWarnings("unused")
    static final PrivateField<Object> GONE = PrivateField.of(Trainer.class, "gone", Object.class);
  }
}
