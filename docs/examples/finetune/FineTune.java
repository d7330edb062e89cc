import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.loss.Loss;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.djl.DjlCheckpoints;
import java.nio.file.Path;
import java.util.Random;

/**
 * Tells the arms of spirals apart, as many as asked for.
 *
 * <pre>FineTune.java CONFIG ARMS LAYERS EPOCHS</pre>
 */
public class FineTune {

  public static void main(String[] args) throws Exception {
    int arms = Integer.parseInt(args[1]);
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(CheckpointConfig.load(Path.of(args[0])));
        Model model = Model.newInstance("spirals", Device.cpu())) {
      model.setBlock(network(Integer.parseInt(args[2]), arms));
      var config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .addTrainingListeners(ckpt.listener());
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(1, 2));
        ckpt.fit(trainer, Integer.parseInt(args[3]), data(model.getNDManager(), arms), null);
        System.out.println("trained to step " + ckpt.progress().step());
      }
    }
  }

  /** A body of some layers, and a head of one. */
  static Block network(int layers, int arms) {
    SequentialBlock block = new SequentialBlock();
    for (int i = 0; i < layers; i++) {
      block
          .add(Linear.builder().setUnits(32).build())
          .add(BatchNorm.builder().build())
          .add(Activation::relu);
    }
    return block.add(Linear.builder().setUnits(arms).build());
  }

  /** Points on the arms, a little off. */
  static ArrayDataset data(NDManager manager, int arms) {
    int size = 500;
    Random random = new Random(arms);
    float[] points = new float[size * 2];
    float[] labels = new float[size];
    for (int i = 0; i < size; i++) {
      int arm = i % arms;
      double distance = random.nextDouble();
      double angle = 2 * Math.PI * arm / arms + 4 * distance + 0.1 * random.nextGaussian();
      points[2 * i] = (float) (distance * Math.cos(angle));
      points[2 * i + 1] = (float) (distance * Math.sin(angle));
      labels[i] = arm;
    }
    return new ArrayDataset.Builder()
        .setData(manager.create(points, new Shape(size, 2)))
        .optLabels(manager.create(labels, new Shape(size, 1)))
        .setSampling(20, true)
        .build();
  }
}
