package dev.ckpt.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/**
 * A DL4J training that is measured.
 *
 * @param name in the table
 * @param network a new one, initialized
 * @param batches come again and again
 * @param interval updates from one checkpoint to the next
 * @param checkpoints how many in a measurement
 */
record Dl4jWorkload(
    String name,
    Supplier<MultiLayerNetwork> network,
    List<DataSet> batches,
    int interval,
    int checkpoints) {

  private static final int BATCH = 32;
  private static final int CLASSES = 10;

  /** Layers of that width with BatchNorm and dropout, and Adam. */
  static Dl4jWorkload mlp(String name, int layers, int width, int interval, int checkpoints) {
    List<DataSet> batches = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      INDArray answers = Nd4j.zeros(BATCH, CLASSES);
      for (int row = 0; row < BATCH; row++) {
        answers.putScalar(row, (row + i) % CLASSES, 1);
      }
      batches.add(new DataSet(Nd4j.randn(BATCH, width), answers));
    }
    return new Dl4jWorkload(name, () -> network(layers, width), batches, interval, checkpoints);
  }

  static List<Dl4jWorkload> all(boolean quick) {
    return quick
        ? List.of(mlp("small MLP", 2, 128, 4, 2))
        : List.of(mlp("1M MLP", 3, 600, 5, 2), mlp("6M MLP", 6, 1024, 2, 2));
  }

  private static MultiLayerNetwork network(int layers, int width) {
    NeuralNetConfiguration.ListBuilder list =
        new NeuralNetConfiguration.Builder().seed(7).updater(new Adam(1e-3)).list();
    for (int i = 0; i < layers; i++) {
      list.layer(
              new DenseLayer.Builder()
                  .nIn(width)
                  .nOut(width)
                  .activation(Activation.RELU)
                  .dropOut(0.9)
                  .build())
          .layer(new BatchNormalization.Builder().nIn(width).nOut(width).build());
    }
    list.layer(
        new OutputLayer.Builder(LossFunction.MCXENT)
            .nIn(width)
            .nOut(CLASSES)
            .activation(Activation.SOFTMAX)
            .build());
    MultiLayerNetwork net = new MultiLayerNetwork(list.build());
    net.init();
    return net;
  }
}
