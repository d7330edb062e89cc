package dev.ckpt.dl4j;

import dev.ckpt.dl4j.Cell.Trait;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.dropout.Dropout;
import org.deeplearning4j.nn.conf.dropout.GaussianNoise;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.learning.config.Sgd;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;
import org.nd4j.linalg.schedule.ScheduleType;
import org.nd4j.linalg.schedule.StepSchedule;

/** The same small model for each {@link Cell}, with one trait and nothing else that is hard. */
final class CellModels {
  private static final int FEATURES = 6;
  private static final int UNITS = 12;
  private static final int CLASSES = 3;

  /** So low that weights touch it in each update. */
  private static final double MAX_NORM = 0.4;

  private CellModels() {}

  private static IUpdater updater(Trait trait) {
    return switch (trait) {
      case ADAM -> new Adam(0.01);
      case NESTEROVS -> new Nesterovs(0.05, 0.9);
      case SCHEDULE -> new Sgd(new StepSchedule(ScheduleType.ITERATION, 0.2, 0.8, 9));
      default -> new Sgd(0.1);
    };
  }

  private static NeuralNetConfiguration.Builder settings(Trait trait) {
    NeuralNetConfiguration.Builder settings =
        new NeuralNetConfiguration.Builder().seed(77).updater(updater(trait));
    return trait == Trait.MAX_NORM
        ? settings.constrainWeights(new MaxNormConstraint(MAX_NORM, 1))
        : settings;
  }

  private static Layer dense() {
    return new DenseLayer.Builder().nIn(FEATURES).nOut(UNITS).activation(Activation.TANH).build();
  }

  private static Layer middle(Trait trait) {
    return trait == Trait.BATCH_NORM
        ? new BatchNormalization.Builder().nIn(UNITS).nOut(UNITS).build()
        : new ActivationLayer(Activation.IDENTITY);
  }

  private static Layer output(Trait trait) {
    OutputLayer.Builder output =
        new OutputLayer.Builder(LossFunction.MCXENT)
            .nIn(UNITS)
            .nOut(CLASSES)
            .activation(Activation.SOFTMAX);
    return switch (trait) {
      case DROPOUT -> output.dropOut(new Dropout(0.7)).build();
      case NOISE -> output.dropOut(new GaussianNoise(0.2)).build();
      default -> output.build();
    };
  }

  static MultiLayerNetwork network(Trait trait) {
    MultiLayerNetwork net =
        new MultiLayerNetwork(
            settings(trait)
                .list()
                .layer(dense())
                .layer(middle(trait))
                .layer(output(trait))
                .build());
    net.init();
    return net;
  }

  static ComputationGraph graph(Trait trait) {
    ComputationGraph net =
        new ComputationGraph(
            settings(trait)
                .graphBuilder()
                .addInputs("in")
                .addLayer("hidden", dense(), "in")
                .addLayer("middle", middle(trait), "hidden")
                .addLayer("out", output(trait), "middle")
                .setOutputs("out")
                .build());
    net.init();
    return net;
  }

  /** Dropout by hand, because SameDiff's own cannot be trained; a norm of the batch alone. */
  static SameDiff sameDiff(Trait trait) {
    Nd4j.getRandom().setSeed(77);
    SameDiff graph = SameDiff.create();
    SDVariable in = graph.placeHolder("in", DataType.FLOAT, -1, FEATURES);
    SDVariable answer = graph.placeHolder("answer", DataType.FLOAT, -1, CLASSES);
    SDVariable w = graph.var("w", Nd4j.randn(DataType.FLOAT, FEATURES, UNITS).muli(0.3));
    SDVariable b = graph.var("b", Nd4j.zeros(DataType.FLOAT, 1, UNITS));
    SDVariable v = graph.var("v", Nd4j.randn(DataType.FLOAT, UNITS, CLASSES).muli(0.3));
    SDVariable weight = trait == Trait.MAX_NORM ? graph.math().clipByNorm(w, MAX_NORM, 0) : w;
    SDVariable hidden = graph.nn().tanh(in.mmul(weight).add(b));
    SDVariable used =
        switch (trait) {
          case DROPOUT -> hidden.mul(graph.random().bernoulli(0.7, DataType.FLOAT, 1, UNITS));
          case NOISE -> hidden.add(graph.random().normal(0, 0.2, DataType.FLOAT, 1, UNITS));
          case BATCH_NORM -> {
            SDVariable mean = hidden.mean(true, 0);
            SDVariable from = hidden.sub(mean);
            SDVariable variance = graph.math().square(from).mean(true, 0);
            SDVariable gamma = graph.var("gamma", Nd4j.ones(DataType.FLOAT, 1, UNITS));
            SDVariable beta = graph.var("beta", Nd4j.zeros(DataType.FLOAT, 1, UNITS));
            yield from.div(graph.math().sqrt(variance.add(1e-5))).mul(gamma).add(beta);
          }
          default -> hidden;
        };
    SDVariable out = used.mmul(v).rename("out");
    graph.loss().softmaxCrossEntropy("loss", answer, out, null);
    graph.setLossVariables("loss");
    graph.setTrainingConfig(
        TrainingConfig.builder()
            .updater(updater(trait))
            .dataSetFeatureMapping("in")
            .dataSetLabelMapping("answer")
            .build());
    return graph;
  }
}
