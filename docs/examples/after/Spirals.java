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
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.evaluator.TopKAccuracy;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.util.PairList;
import dev.ckpt.djl.DjlCheckpoints;
import java.nio.file.Path;
import java.util.Random;

/** Tells the arms of spirals apart: a stranger's DJL program. */
public class Spirals {
  static final int EPOCHS = 12;
  static final int ARMS = 5;

  public static void main(String[] args) throws Exception {
    try (DjlCheckpoints ckpt = DjlCheckpoints.in(Path.of("checkpoints"), "spirals");
        Model model = Model.newInstance("spirals", Device.cpu())) {
      model.setBlock(
          new SequentialBlock()
              .add(Linear.builder().setUnits(32).build())
              .add(new Residual(32))
              .add(new Residual(32))
              .add(Linear.builder().setUnits(ARMS).build()));
      RandomAccessDataset[] parts = data(model.getNDManager()).randomSplit(8, 2);
      Tracker falling =
          Tracker.cosine().setBaseValue(0.02f).optFinalValue(0.001f).setMaxUpdates(600).build();
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .addEvaluator(new Accuracy())
              .addEvaluator(new TopKAccuracy("Top2", 2))
              .optOptimizer(Optimizer.adamW().optLearningRateTracker(falling).build())
              .addTrainingListeners(new Progress())
              .addTrainingListeners(ckpt.listener())
              .addTrainingListeners(TrainingListener.Defaults.logging());
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(1, 2));
        ckpt.fit(trainer, EPOCHS, parts[0], parts[1]);
        model.save(Path.of("model"), "spirals");
      }
    }
  }

  /** Points on the arms, a little off. */
  static ArrayDataset data(NDManager manager) {
    int size = 1000;
    Random random = new Random(1);
    float[] points = new float[size * 2];
    float[] arms = new float[size];
    for (int i = 0; i < size; i++) {
      int arm = i % ARMS;
      double distance = random.nextDouble();
      double angle = 2 * Math.PI * arm / ARMS + 4 * distance + 0.1 * random.nextGaussian();
      points[2 * i] = (float) (distance * Math.cos(angle));
      points[2 * i + 1] = (float) (distance * Math.sin(angle));
      arms[i] = arm;
    }
    return new ArrayDataset.Builder()
        .setData(manager.create(points, new Shape(size, 2)))
        .optLabels(manager.create(arms, new Shape(size, 1)))
        .setSampling(16, true)
        .build();
  }

  /** Adds what two layers make of its input to its input. */
  static final class Residual extends AbstractBlock {
    private final SequentialBlock inner;

    Residual(int units) {
      inner =
          addChildBlock(
              "inner",
              new SequentialBlock()
                  .add(Linear.builder().setUnits(units).build())
                  .add(BatchNorm.builder().build())
                  .add(Activation::relu)
                  .add(Dropout.builder().optRate(0.1f).build())
                  .add(Linear.builder().setUnits(units).build()));
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> params) {
      NDArray added = inner.forward(store, inputs, training, params).singletonOrThrow();
      return new NDList(Activation.relu(inputs.singletonOrThrow().add(added)));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
      inner.initialize(manager, type, shapes);
    }
  }

  /** One line for each epoch. */
  static final class Progress extends TrainingListenerAdapter {
    @Override
    public void onEpoch(Trainer trainer) {
      TrainingResult result = trainer.getTrainingResult();
      System.out.println("epoch " + result.getEpoch() + " " + result.getTrainEvaluation("Top2"));
    }
  }
}
