import dev.ckpt.CheckpointConfig;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import java.nio.file.Path;
import java.util.Random;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** Tells the arms of spirals apart, with DL4J. */
public class SpiralsDl4j {
  static final int ARMS = 5;

  public static void main(String[] args) {
    try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(CheckpointConfig.load(Path.of(args[0])))) {
      MultiLayerNetwork net = network(Integer.parseInt(args[1]));
      DataSetIterator train = ckpt.batches(data(), 16, true, false);
      ckpt.fit(net, train, Integer.parseInt(args[2]));
      System.out.println("trained to step " + ckpt.progress().step());
    }
  }

  /** So many units in a layer; the seed draws the first weights. */
  static MultiLayerNetwork network(int units) {
    MultiLayerNetwork net =
        new MultiLayerNetwork(
            new NeuralNetConfiguration.Builder()
                .seed(12345)
                .updater(new Adam(0.01))
                .list()
                .layer(new DenseLayer.Builder().nIn(2).nOut(units).activation(Activation.RELU).build())
                .layer(new BatchNormalization.Builder().nIn(units).nOut(units).build())
                .layer(
                    new OutputLayer.Builder(LossFunction.MCXENT)
                        .nIn(units)
                        .nOut(ARMS)
                        .activation(Activation.SOFTMAX)
                        .dropOut(0.9)
                        .build())
                .build());
    net.init();
    return net;
  }

  /** Points on the arms, a little off. */
  static DataSet data() {
    int size = 400;
    Random random = new Random(1);
    INDArray points = Nd4j.create(size, 2);
    INDArray arms = Nd4j.create(size, ARMS);
    for (int i = 0; i < size; i++) {
      int arm = i % ARMS;
      double distance = random.nextDouble();
      double angle = 2 * Math.PI * arm / ARMS + 4 * distance + 0.1 * random.nextGaussian();
      points.putScalar(i, 0, distance * Math.cos(angle));
      points.putScalar(i, 1, distance * Math.sin(angle));
      arms.putScalar(i, arm, 1);
    }
    return new DataSet(points, arms);
  }
}
