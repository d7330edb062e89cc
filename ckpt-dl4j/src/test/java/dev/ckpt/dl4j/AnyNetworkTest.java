package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.SaveTrigger;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.dropout.AlphaDropout;
import org.deeplearning4j.nn.conf.dropout.GaussianDropout;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.AutoEncoder;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.CenterLossOutputLayer;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.Deconvolution2D;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.DropoutLayer;
import org.deeplearning4j.nn.conf.layers.GravesLSTM;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.LocalResponseNormalization;
import org.deeplearning4j.nn.conf.layers.LocallyConnected2D;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.SelfAttentionLayer;
import org.deeplearning4j.nn.conf.layers.SeparableConvolution2D;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.conf.layers.misc.ElementWiseMultiplicationLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.conf.layers.recurrent.SimpleRnn;
import org.deeplearning4j.nn.conf.layers.variational.VariationalAutoencoder;
import org.deeplearning4j.nn.conf.ocnn.OCNNOutputLayer;
import org.deeplearning4j.nn.conf.weightnoise.DropConnect;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.AMSGrad;
import org.nd4j.linalg.learning.config.AdaDelta;
import org.nd4j.linalg.learning.config.AdaGrad;
import org.nd4j.linalg.learning.config.AdaMax;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nadam;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.NoOp;
import org.nd4j.linalg.learning.config.RmsProp;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** Every updater and every sort of parameter goes on where it was, and is in DL4J's own file. */
class AnyNetworkTest {
  @TempDir Path folder;

  /** A network, and what it is trained on. */
  private record Case(String name, NeuralNetConfiguration.ListBuilder layers, DataSet batch) {
    MultiLayerNetwork network() {
      MultiLayerNetwork net = new MultiLayerNetwork(layers.build().clone());
      net.init();
      return net;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /** All but AdaBelief, which DL4J itself cannot train with. */
  static Stream<Case> updaters() {
    IUpdater[] all = {
      new Sgd(0.1),
      new NoOp(),
      new Nesterovs(0.05, 0.9),
      new Adam(0.01),
      new AdaMax(0.01),
      new Nadam(0.01),
      new AMSGrad(0.01),
      new AdaGrad(0.05),
      new AdaDelta(),
      new RmsProp(0.01)
    };
    return Stream.of(all)
        .map(each -> new Case(each.getClass().getSimpleName(), dense(each), flat(DataType.FLOAT)));
  }

  static Stream<Case> layers() {
    Map<String, NeuralNetConfiguration.ListBuilder> images = new LinkedHashMap<>();
    images.put(
        "convolutions",
        settings(new Adam(0.01))
            .layer(new ConvolutionLayer.Builder(3, 3).nOut(4).build())
            .layer(new SeparableConvolution2D.Builder(3, 3).nOut(3).build())
            .layer(new BatchNormalization())
            .layer(output().build()));
    images.put(
        "a layer that DL4J cuts its blocks through",
        settings(new Adam(0.01))
            .layer(new ConvolutionLayer.Builder(3, 3).nOut(4).build())
            .layer(
                new SeparableConvolution2D.Builder(3, 3).nOut(3).biasUpdater(new Sgd(0.1)).build())
            .layer(output().build()));
    images.put(
        "a frozen layer",
        settings(new Adam(0.01))
            .layer(new FrozenLayer(new ConvolutionLayer.Builder(3, 3).nOut(4).build()))
            .layer(new DenseLayer.Builder().nOut(5).build())
            .layer(output().build()));
    images.put(
        "what looks at its neighbours",
        settings(new Adam(0.01))
            .layer(new Deconvolution2D.Builder(2, 2).nOut(4).build())
            .layer(new LocalResponseNormalization())
            .layer(new LocallyConnected2D.Builder().kernelSize(2, 2).nOut(3).build())
            .layer(new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.AVG).build())
            .layer(output().build()));
    images.values().forEach(each -> each.setInputType(InputType.convolutional(6, 6, 1)));
    List<Case> all = new ArrayList<>();
    images.forEach((name, each) -> all.add(new Case(name, each, images())));
    all.add(new Case("recurrent", recurrent(), series()));
    all.add(new Case("attention", attention(), series()));
    all.add(
        new Case(
            "a variational autoencoder",
            settings(new Adam(0.01))
                .layer(
                    new VariationalAutoencoder.Builder()
                        .nIn(6)
                        .nOut(4)
                        .encoderLayerSizes(5)
                        .decoderLayerSizes(5)
                        .activation(Activation.TANH)
                        .build())
                .layer(new ElementWiseMultiplicationLayer.Builder().nIn(4).nOut(4).build())
                .layer(output().nIn(4).build()),
            flat(DataType.FLOAT)));
    all.add(
        new Case(
            "whatever draws",
            settings(new Nesterovs(0.05))
                .layer(
                    new DenseLayer.Builder()
                        .nIn(6)
                        .nOut(5)
                        .activation(Activation.RRELU)
                        .dropOut(new AlphaDropout(0.9))
                        .weightNoise(new DropConnect(0.8))
                        .build())
                .layer(new DropoutLayer.Builder(new GaussianDropout(0.2)).build())
                .layer(new AutoEncoder.Builder().nIn(5).nOut(4).build())
                .layer(output().nIn(4).build()),
            flat(DataType.FLOAT)));
    all.add(
        new Case(
            "centers",
            settings(new Adam(0.01))
                .layer(new DenseLayer.Builder().nIn(6).nOut(5).build())
                .layer(
                    new CenterLossOutputLayer.Builder(LossFunction.MCXENT)
                        .nIn(5)
                        .nOut(3)
                        .activation(Activation.SOFTMAX)
                        .build()),
            flat(DataType.FLOAT)));
    all.add(
        new Case(
            "an updater for each layer, and one for biases",
            settings(new Adam(0.01))
                .layer(
                    new DenseLayer.Builder()
                        .nIn(6)
                        .nOut(5)
                        .updater(new RmsProp(0.01))
                        .biasUpdater(new Sgd(0.1))
                        .build())
                .layer(new DenseLayer.Builder().nIn(5).nOut(4).hasLayerNorm(true).build())
                .layer(new DenseLayer.Builder().nIn(4).nOut(4).hasBias(false).build())
                .layer(output().nIn(4).updater(new Nesterovs(0.05)).build()),
            flat(DataType.FLOAT)));
    for (DataType type : new DataType[] {DataType.DOUBLE, DataType.HALF}) {
      NeuralNetConfiguration.ListBuilder list =
          new NeuralNetConfiguration.Builder()
              .seed(3)
              .dataType(type)
              .updater(new Nesterovs(0.05))
              .list()
              .layer(new DenseLayer.Builder().nIn(6).nOut(5).build())
              .layer(output().nIn(5).build());
      all.add(new Case(type.toString(), list, flat(type)));
    }
    return all.stream();
  }

  private static NeuralNetConfiguration.ListBuilder settings(IUpdater updater) {
    return new NeuralNetConfiguration.Builder().seed(3).updater(updater).list();
  }

  private static NeuralNetConfiguration.ListBuilder dense(IUpdater updater) {
    return settings(updater)
        .layer(new DenseLayer.Builder().nIn(6).nOut(5).activation(Activation.TANH).build())
        .layer(output().nIn(5).build());
  }

  private static OutputLayer.Builder output() {
    return new OutputLayer.Builder(LossFunction.MCXENT).nOut(3).activation(Activation.SOFTMAX);
  }

  @SuppressWarnings("deprecation") // its peepholes are a sort of their own
  private static NeuralNetConfiguration.ListBuilder recurrent() {
    return settings(new Adam(0.01))
        .layer(new Bidirectional(new LSTM.Builder().nIn(6).nOut(4).build()))
        .layer(new GravesLSTM.Builder().nIn(8).nOut(4).build())
        .layer(
            new RnnOutputLayer.Builder(LossFunction.MCXENT)
                .nIn(4)
                .nOut(3)
                .activation(Activation.SOFTMAX)
                .build())
        .setInputType(InputType.recurrent(6));
  }

  private static NeuralNetConfiguration.ListBuilder attention() {
    return settings(new Adam(0.01))
        .layer(new SimpleRnn.Builder().nIn(6).nOut(4).build())
        .layer(new SelfAttentionLayer.Builder().nIn(4).nOut(4).nHeads(2).projectInput(true).build())
        .layer(
            new RnnOutputLayer.Builder(LossFunction.MCXENT)
                .nIn(4)
                .nOut(3)
                .activation(Activation.SOFTMAX)
                .build())
        .setInputType(InputType.recurrent(6));
  }

  private static DataSet flat(DataType type) {
    DataSet all = SmallTraining.samples();
    return new DataSet(all.getFeatures().castTo(type), all.getLabels().castTo(type));
  }

  private static DataSet images() {
    DataSet all = SmallTraining.samples();
    INDArray pixels = Nd4j.concat(1, repeated(all.getFeatures(), 6)).reshape('c', 150, 1, 6, 6);
    return new DataSet(pixels, all.getLabels());
  }

  private static DataSet series() {
    DataSet all = SmallTraining.samples();
    return new DataSet(
        all.getFeatures().reshape('c', 30, 5, 6).permute(0, 2, 1).dup('c'),
        all.getLabels().reshape('c', 30, 5, 3).permute(0, 2, 1).dup('c'));
  }

  private static INDArray[] repeated(INDArray array, int times) {
    INDArray[] all = new INDArray[times];
    Arrays.fill(all, array);
    return all;
  }

  @ParameterizedTest
  @MethodSource({"updaters", "layers"})
  void itGoesOnToTheSameBytesAndIsInDl4jsFile(Case each) throws Exception {
    MultiLayerNetwork whole = trained(each, new InMemoryStore(Clock.systemUTC()), 6);

    CheckpointStore store = new InMemoryStore(Clock.systemUTC());
    MultiLayerNetwork half = trained(each, store, 3);
    Path zip = folder.resolve("half.zip");
    Dl4jCheckpoints.exportModel(Checkpoints.read(store, "any"), "latest", zip);
    assertSame(ModelSerializer.restoreMultiLayerNetwork(zip.toFile()), half);
    try (NDArrayReader reader = NDArrayReader.open(Checkpoints.read(store, "any"), "latest")) {
      half.paramTable()
          .forEach(
              (name, array) -> assertThat(reader.read("model/" + name)).as(name).isEqualTo(array));
    }

    MultiLayerNetwork resumed = trained(each, store, 6);
    assertSame(resumed, whole);
    assertThat(Insides.of(resumed)).as("all that its layers hold").isEqualTo(Insides.of(whole));
    assertThat(half.params()).as("it learns").isNotEqualTo(each.network().params());
  }

  /** What the probe above would say of a layer that {@code resume} refuses. */
  @Test
  void whatALayerKeepsBesidesItsParametersIsSeen() {
    Case outliers =
        new Case(
            "outliers",
            settings(new Adam(0.01))
                .layer(new DenseLayer.Builder().nIn(6).nOut(5).build())
                .layer(
                    new OCNNOutputLayer.Builder()
                        .nIn(5)
                        .hiddenLayerSize(4)
                        .nu(0.1)
                        .windowSize(400)
                        .build()),
            flat(DataType.FLOAT));
    MultiLayerNetwork whole = outliers.network();
    whole.fit(outliers.batch);
    MultiLayerNetwork other = outliers.network();
    other.setParams(whole.params());
    whole.fit(outliers.batch);
    other.fit(outliers.batch);
    Map<String, String> held = Insides.of(whole);
    assertThat(Insides.of(other)).containsOnlyKeys(held.keySet());
    assertThat(held.get("1 OCNNOutputLayer.batchWindowSizeIndex")).isEqualTo("300");
    assertThat(Insides.of(other).get("1 OCNNOutputLayer.batchWindowSizeIndex")).isEqualTo("150");
  }

  private static void assertSame(MultiLayerNetwork one, MultiLayerNetwork other) {
    assertThat(one.params()).isEqualTo(other.params());
    assertThat(one.getIterationCount()).isEqualTo(other.getIterationCount());
    INDArray slots = other.updaterState();
    if (slots == null) {
      assertThat(one.updaterState()).isNull();
    } else {
      assertThat(one.updaterState()).isEqualTo(slots);
    }
  }

  /** A process of its own, as far as one JVM can play it. */
  private static MultiLayerNetwork trained(Case each, CheckpointStore store, int updates) {
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store).run("any").seed(5).saveWhen(SaveTrigger.everySteps(3)))) {
      MultiLayerNetwork net = each.network();
      ckpt.resume(net);
      while (ckpt.progress().batch() < updates) {
        net.fit(each.batch);
        ckpt.step(each.batch.numExamples());
      }
      return net;
    }
  }
}
