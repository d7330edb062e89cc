package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.dropout.Dropout;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.misc.FrozenLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.nn.weights.WeightInit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** A model of the same structure that computes something else is told on a resume. */
class ChangedSettingsTest {
  private CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  @BeforeEach
  void listen() throws Exception {
    EnvironmentTest.level(ModelState.class, 30);
  }

  @AfterEach
  void putBack() throws Exception {
    EnvironmentTest.level(ModelState.class, 40);
  }

  /** What can be changed without another structure. */
  private record Settings(
      Activation activation, double dropout, double l2, double rate, WeightInit init) {
    static final Settings PLAIN = new Settings(Activation.TANH, 0.8, 1e-4, 0.01, WeightInit.XAVIER);

    NeuralNetConfiguration.Builder common() {
      return new NeuralNetConfiguration.Builder() // without a seed, which is another each time
          .updater(new Adam(rate))
          .weightInit(init)
          .l2(l2);
    }

    DenseLayer dense() {
      return new DenseLayer.Builder()
          .nIn(6)
          .nOut(8)
          .activation(activation)
          .dropOut(new Dropout(dropout))
          .build();
    }

    static OutputLayer output() {
      return new OutputLayer.Builder(LossFunction.MCXENT)
          .nIn(8)
          .nOut(3)
          .activation(Activation.SOFTMAX)
          .build();
    }

    MultiLayerNetwork network() {
      MultiLayerNetwork net =
          new MultiLayerNetwork(common().list().layer(dense()).layer(output()).build());
      net.init();
      return net;
    }

    MultiLayerNetwork frozen() {
      MultiLayerNetwork net =
          new MultiLayerNetwork(
              common().list().layer(new FrozenLayer(dense())).layer(output()).build());
      net.init();
      return net;
    }

    ComputationGraph graph() {
      ComputationGraph net =
          new ComputationGraph(
              common()
                  .graphBuilder()
                  .addInputs("in")
                  .addLayer("hidden", dense(), "in")
                  .addLayer("out", output(), "hidden")
                  .setOutputs("out")
                  .build());
      net.init();
      return net;
    }

    SameDiff sameDiff() {
      SameDiff graph = SameDiff.create();
      SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, 6);
      SDVariable answer = graph.placeHolder("answer", DataType.FLOAT, -1, 3);
      SDVariable hidden = in.mmul(graph.var("w", Nd4j.ones(DataType.FLOAT, 6, 3).muli(0.1)));
      SDVariable out =
          activation == Activation.TANH
              ? graph.nn().tanh("hidden", hidden)
              : graph.nn().relu("hidden", hidden, 0);
      graph.loss().softmaxCrossEntropy("loss", answer, out, null);
      graph.setLossVariables("loss");
      graph.setTrainingConfig(
          TrainingConfig.builder()
              .updater(new Adam(rate))
              .l2(l2)
              .dataSetFeatureMapping("in")
              .dataSetLabelMapping("answer")
              .build());
      return graph;
    }
  }

  private Dl4jCheckpoints open() {
    return Dl4jCheckpoints.open(
        CheckpointManager.in(store).run("s").seed(5).saveWhen(SaveTrigger.everyEpoch()));
  }

  private String train(MultiLayerNetwork net, int epochs) {
    return EnvironmentTest.said(
        () -> {
          try (Dl4jCheckpoints ckpt = open()) {
            ckpt.fit(net, ckpt.batches(SmallTraining.samples(), 50, true, false), epochs);
          }
        });
  }

  private String train(ComputationGraph net, int epochs) {
    return EnvironmentTest.said(
        () -> {
          try (Dl4jCheckpoints ckpt = open()) {
            ckpt.fit(net, ckpt.batches(SmallTraining.samples(), 50, true, false), epochs);
          }
        });
  }

  private String train(SameDiff graph, int epochs) {
    return EnvironmentTest.said(
        () -> {
          try (Dl4jCheckpoints ckpt = open()) {
            ckpt.fit(graph, ckpt.batches(SmallTraining.samples(), 50, true, false), epochs);
          }
        });
  }

  private static final Settings OTHER =
      new Settings(Activation.RELU, 0.5, 1e-2, 0.01, WeightInit.XAVIER);

  @Test
  void aLayersSettingsAreToldWithTheOldAndTheNewOne() {
    assertThat(train(Settings.PLAIN.network(), 2)).isEmpty();
    assertThat(train(OTHER.network(), 4))
        .contains("WARN")
        .contains("layer 0: activationFn was ActivationTanH and is ActivationReLU")
        .contains("layer 0: idropout.p was 0.8 and is 0.5")
        .contains("layer 0: regularization[0].l2.value was 1.0E-4 and is 0.01")
        .contains("layer 1: regularization[0].l2.value was 1.0E-4 and is 0.01")
        .doesNotContain("layer 1: activationFn");
    assertThat(train(OTHER.network(), 6)).as("said once").isEmpty();
  }

  @Test
  void aFrozenLayersToo() {
    assertThat(train(Settings.PLAIN.frozen(), 2)).isEmpty();
    assertThat(train(OTHER.frozen(), 4))
        .contains("layer 0: layer.activationFn was ActivationTanH and is ActivationReLU");
  }

  @Test
  void ofAGraphTheLayerIsNamed() {
    assertThat(train(Settings.PLAIN.graph(), 2)).isEmpty();
    assertThat(train(OTHER.graph(), 4))
        .contains("WARN")
        .contains("layer 'hidden': activationFn was ActivationTanH and is ActivationReLU")
        .contains("layer 'hidden': idropout.p was 0.8 and is 0.5")
        .contains("layer 'out': regularization[0].l2.value was 1.0E-4 and is 0.01");
    assertThat(train(OTHER.graph(), 6)).as("said once").isEmpty();
  }

  @Test
  void ofASameDiffGraphTheOperationIsNamed() {
    assertThat(train(Settings.PLAIN.sameDiff(), 2)).isEmpty();
    assertThat(train(OTHER.sameDiff(), 4))
        .contains("WARN")
        .contains("operation 'hidden' was tanh")
        .contains("and is relu")
        .contains("regularization[0].l2.value was 1.0E-4 and is 0.01");
    assertThat(train(OTHER.sameDiff(), 6)).as("said once").isEmpty();
  }

  /** A graph with an operation to which DL4J gives a name of its own, drawn at random. */
  private static SameDiff dropout(double kept) {
    SameDiff graph = SameDiff.create();
    SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, 6);
    SDVariable noisy = graph.nn().dropout(in.mul(2), kept);
    return trainable(graph, graph.nn().dropout(noisy, 0.9));
  }

  /** A graph that projects by a constant. */
  private static SameDiff projecting(INDArray projection) {
    SameDiff graph = SameDiff.create();
    SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, 6);
    return trainable(graph, in.mmul(graph.constant("projection", projection)));
  }

  private static SameDiff trainable(SameDiff graph, SDVariable in) {
    SDVariable answer = graph.placeHolder("answer", DataType.FLOAT, -1, 3);
    SDVariable out = in.mmul(graph.var("w", Nd4j.ones(DataType.FLOAT, 6, 3).muli(0.1)));
    graph.loss().softmaxCrossEntropy("loss", answer, out, null);
    graph.setLossVariables("loss");
    graph.setTrainingConfig(
        TrainingConfig.builder()
            .updater(new Adam(0.01))
            .dataSetFeatureMapping("in")
            .dataSetLabelMapping("answer")
            .build());
    return graph;
  }

  @Test
  void aNameThatDl4jHasDrawnIsNoOtherOperation() {
    assertThat(dropout(0.5).getOps().keySet()).isNotEqualTo(dropout(0.5).getOps().keySet());
    assertThat(train(dropout(0.5), 2)).isEmpty();
    assertThat(train(dropout(0.5), 4)).as("the same").isEmpty();
    assertThat(train(dropout(0.8), 6))
        .contains("WARN")
        .contains("was dropout")
        .contains("p=0.5")
        .contains("and is dropout")
        .contains("p=0.8")
        .doesNotContain("0.9", "none");
  }

  @Test
  void aConstantThatIsAnotherOneIsNamedAsNotRestored() {
    INDArray drawn = Nd4j.rand(DataType.FLOAT, 6, 6);
    assertThat(train(projecting(drawn), 2)).isEmpty();
    assertThat(train(projecting(drawn.dup('f')), 4)).as("the same").isEmpty();
    INDArray drawnAnew = Nd4j.rand(DataType.FLOAT, 6, 6);
    SameDiff graph = projecting(drawnAnew.dup());
    assertThat(train(graph, 6))
        .contains("WARN")
        .contains("constant 'projection' was FLOAT [6, 6]")
        .contains("constants are not restored")
        .contains("from a fixed seed")
        .doesNotContain("operation");
    assertThat(graph.getVariable("projection").getArr()).isEqualTo(drawnAnew);
    assertThat(train(projecting(drawnAnew), 8)).as("said once").isEmpty();
  }

  @Test
  void ofAConstantOneElementIsSeen() {
    INDArray ones = Nd4j.ones(DataType.FLOAT, 6, 6);
    train(projecting(ones.dup()), 2);
    ones.putScalar(3, 4, 2);
    assertThat(train(projecting(ones), 4)).contains("constant 'projection'");
  }

  /** Graphs whose checkpoints are older than that. */
  @Test
  void ofConstantsThatWereNotRecordedNothingIsSaid() {
    String now = Trainee.of(projecting(Nd4j.ones(DataType.FLOAT, 6, 6))).configuration();
    String before = now.replaceFirst("\"constants\":\\{[^}]*},", "");
    assertThat(before).isNotEqualTo(now);
    assertThat(LayerSettings.changes(before, now)).isEmpty();
  }

  /** The first weights are those of the checkpoint; the updaters are told elsewhere. */
  @Test
  void whatDecidesNothingAnyMoreIsNotTold() {
    Settings other = new Settings(Activation.TANH, 0.8, 1e-4, 0.002, WeightInit.UNIFORM);
    train(Settings.PLAIN.network(), 2);
    assertThat(train(other.network(), 4)).isEmpty();
    store = new InMemoryStore(Clock.systemUTC());
    train(Settings.PLAIN.graph(), 2);
    assertThat(train(other.graph(), 4)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theSameModelIsNotTold(Kind kind) {
    for (Updater updater : Updater.values()) {
      SmallTraining training = new SmallTraining(Setup.PLAIN.with(kind).with(updater));
      assertThat(training.run(14)).isFalse();
      assertThat(EnvironmentTest.said(training::run)).isEmpty();
      assertThat(training.log.startedAt.get(1)).isPositive();
    }
  }
}
