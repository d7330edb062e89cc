package dev.ckpt.benchmarks;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Dataset;
import dev.ckpt.samples.DigitsData;
import dev.ckpt.samples.DigitsNetwork;
import java.io.IOException;
import java.util.function.Supplier;

/**
 * A training that is measured.
 *
 * @param name in the table
 * @param block a new one, not initialized
 * @param input shape of one sample, with a batch of 1
 * @param data a data set in the model's own manager
 * @param interval updates from one checkpoint to the next
 * @param checkpoints how many in a measurement
 */
record Workload(
    String name, Supplier<Block> block, Shape input, Data data, int interval, int checkpoints) {

  /** Makes a data set. */
  @FunctionalInterface
  interface Data {
    Dataset in(NDManager manager) throws IOException;
  }

  /** The network and the data of the sample {@code digits-djl}; a checkpoint after each epoch. */
  static Workload digits(boolean quick) {
    int batch = 32;
    int rows = quick ? 400 : 1797;
    int trained = rows - (rows + 4) / 5;
    return new Workload(
        "digits CNN",
        DigitsNetwork::block,
        new Shape(1, 1, DigitsData.SIDE, DigitsData.SIDE),
        manager -> DigitsData.load(rows).training(manager, batch, 0),
        (trained + batch - 1) / batch,
        quick ? 2 : 8);
  }

  /** Six layers of 2,048 with BatchNorm and dropout: 25.2 million parameters. */
  static Workload mlp(boolean quick) {
    int width = quick ? 256 : 2048;
    int batch = 64;
    int interval = quick ? 6 : 20;
    return new Workload(
        quick ? "small MLP" : "25M MLP",
        () -> mlp(width),
        new Shape(1, width),
        manager ->
            new ArrayDataset.Builder()
                .setData(manager.randomNormal(new Shape((long) interval * batch, width)))
                .optLabels(
                    manager
                        .randomUniform(0, 10, new Shape((long) interval * batch))
                        .toType(DataType.INT64, false))
                .setSampling(batch, true)
                .build(),
        interval,
        2);
  }

  private static Block mlp(int width) {
    SequentialBlock block = new SequentialBlock();
    for (int i = 0; i < 6; i++) {
      block
          .add(Linear.builder().setUnits(width).build())
          .add(BatchNorm.builder().build())
          .add(Activation::relu)
          .add(Dropout.builder().optRate(0.1f).build());
    }
    return block.add(Linear.builder().setUnits(10).build());
  }

  /** A model with that block, to be closed. */
  Model model() {
    Model model = Model.newInstance("model", ai.djl.Device.cpu());
    model.setBlock(block.get());
    return model;
  }
}
