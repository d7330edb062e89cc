package dev.ckpt.samples;

import dev.ckpt.CheckpointException;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeMap;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;
import org.nd4j.linalg.schedule.ExponentialSchedule;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.linalg.schedule.ScheduleType;

/**
 * Trains a small DL4J network on the UCI digits and resumes by itself.
 *
 * <p>What a program needs for that: a fixed seed for the weights, and to let the checkpoints run
 * the loop ({@code ckpt.fit}). The rest of this class is an ordinary DL4J training, with switches
 * to try it in other ways.
 */
class DigitsDl4jTraining implements DigitsCommand.Program {

  /** For the kill test: the file of a {@link BatchJournal}. */
  private static final String JOURNAL = "ckpt.sample.journal";

  /** Set by the launcher if a person is looking. */
  private static final String TERMINAL = "ckpt.sample.terminal";

  private final DigitsOptions options;
  private final PrintStream out;
  private boolean trained;

  DigitsDl4jTraining(DigitsOptions options, PrintStream out) {
    if (options.accumulate() > 1) {
      throw new IllegalArgumentException("--accumulate: DL4J updates in each batch");
    }
    this.options = options;
    this.out = out;
  }

  /** Trains until the goal, or finds that it is reached; prints the digest of what was learned. */
  @Override
  public void run() throws IOException {
    DigitsDl4j.oneThread();
    DigitsData digits = DigitsData.load(options.rows());
    try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(options.checkpoints("digits-dl4j"))) {
      DataSet training = dataSet(digits, false);
      DataSet validation = dataSet(digits, true);
      MultiLayerNetwork net = network(ckpt.manager().seed());
      var output =
          new Dl4jTrainingOutput(
              out,
              Boolean.getBoolean(TERMINAL),
              options.epochs(),
              training.batchBy(options.batch()),
              validation.batchBy(options.batch()),
              ckpt);
      net.setListeners(listeners(ckpt.listener(), output));
      initialized(ckpt, net);
      ckpt.resume(net);
      if (ckpt.remainingEpochs(options.epochs()) == 0) {
        output.line(
            "already finished: --epochs "
                + options.epochs()
                + " is reached; a larger one trains on, --fresh begins anew");
      } else {
        train(ckpt, net, output, ckpt.batches(training, options.batch(), true, false));
      }
      trained = true;
      output.line("final sha256: " + digest(net));
      List<CheckpointException> failures = ckpt.manager().failures();
      if (!failures.isEmpty()) {
        throw new CheckpointException.SaveFailed(
            "trained to the end, but a save failed: " + failures.get(0).getMessage(),
            failures.get(0));
      }
    }
  }

  @Override
  public boolean trained() {
    return trained;
  }

  /** For tests that interfere, before anything is restored. */
  void initialized(Dl4jCheckpoints ckpt, MultiLayerNetwork net) {}

  private List<TrainingListener> listeners(TrainingListener checkpoints, TrainingListener output)
      throws IOException {
    List<TrainingListener> all = new ArrayList<>();
    String journal = System.getProperty(JOURNAL);
    if (journal != null) {
      all.add(new Dl4jBatchJournal(new BatchJournal(Path.of(journal))));
    }
    all.add(output);
    all.add(
        switch (options.listener()) {
          case FIRST -> 0;
          case MIDDLE -> all.size() - 1;
          case LAST -> all.size();
        },
        checkpoints);
    return all;
  }

  private void train(
      Dl4jCheckpoints ckpt,
      MultiLayerNetwork net,
      Dl4jTrainingOutput output,
      DataSetIterator training) {
    DataSetIterator batches = ckpt.iterator(training, options.prefetch());
    switch (options.loop()) {
      case FIT -> ckpt.fit(net, batches, options.epochs());
      case EASYTRAIN -> { // DL4J's own loop
        net.fit(batches, ckpt.remainingEpochs(options.epochs()));
        ckpt.complete();
      }
      case MANUAL -> {
        int remaining = ckpt.remainingEpochs(options.epochs());
        for (int i = 0; i < remaining; i++) {
          batches.reset();
          while (batches.hasNext()) {
            net.fit(batches.next());
          }
          net.getListeners().forEach(each -> each.onEpochEnd(net));
          net.incrementEpochCount();
        }
        ckpt.complete();
      }
    }
  }

  private static DataSet dataSet(DigitsData digits, boolean validation) {
    float[] images = digits.pixels(validation);
    long[] labels = digits.labels(validation);
    float[] answers = new float[labels.length * DigitsData.CLASSES];
    for (int i = 0; i < labels.length; i++) {
      answers[i * DigitsData.CLASSES + (int) labels[i]] = 1;
    }
    return new DataSet(
        Nd4j.createFromArray(images)
            .reshape('c', labels.length, 1, DigitsData.SIDE, DigitsData.SIDE),
        Nd4j.createFromArray(answers).reshape('c', labels.length, DigitsData.CLASSES));
  }

  /** A small convolutional network with what makes a resume hard: BatchNorm and dropout. */
  private MultiLayerNetwork network(long seed) {
    NeuralNetConfiguration.Builder settings = new NeuralNetConfiguration.Builder().seed(seed);
    // A rate that falls with each update: resumed with a wrong count, the weights would differ.
    switch (options.optimizer()) {
      case ADAM -> settings.updater(new Adam(falling(0.004)));
      case ADAMW -> settings.updater(new Adam(falling(0.004))).weightDecay(0.001);
      case SGD -> settings.updater(new Nesterovs(falling(0.05), 0.9));
    }
    MultiLayerNetwork net =
        new MultiLayerNetwork(
            settings
                .list()
                .layer(convolution(16))
                .layer(new BatchNormalization())
                .layer(new ActivationLayer(Activation.RELU))
                .layer(pooling())
                .layer(convolution(32))
                .layer(new BatchNormalization())
                .layer(new ActivationLayer(Activation.RELU))
                .layer(pooling())
                .layer(
                    new DenseLayer.Builder()
                        .nOut(64)
                        .activation(Activation.RELU)
                        .dropOut(0.75)
                        .build())
                .layer(
                    new OutputLayer.Builder(LossFunction.MCXENT)
                        .nOut(DigitsData.CLASSES)
                        .activation(Activation.SOFTMAX)
                        .dropOut(0.5)
                        .build())
                .setInputType(InputType.convolutional(DigitsData.SIDE, DigitsData.SIDE, 1))
                .build());
    net.init();
    return net;
  }

  private static ConvolutionLayer convolution(int filters) {
    return new ConvolutionLayer.Builder(3, 3).padding(1, 1).nOut(filters).build();
  }

  private static SubsamplingLayer pooling() {
    return new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.MAX)
        .kernelSize(2, 2)
        .stride(2, 2)
        .build();
  }

  private static ISchedule falling(double rate) {
    return new ExponentialSchedule(ScheduleType.ITERATION, rate, 0.999);
  }

  /**
   * SHA-256 over every weight, in the order of their names, and over the updaters' state, as
   * little-endian floats. Uses nothing of the checkpoints, so that it can bear witness for them.
   */
  private static String digest(MultiLayerNetwork net) {
    MessageDigest sha = sha256();
    new TreeMap<>(net.paramTable())
        .forEach(
            (name, array) -> {
              sha.update(name.getBytes(StandardCharsets.UTF_8));
              sha.update((byte) 0);
              update(sha, array);
            });
    update(sha, net.updaterState());
    return HexFormat.of().formatHex(sha.digest());
  }

  private static void update(MessageDigest sha, INDArray array) {
    float[] values = array.dup('c').data().asFloat();
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    sha.update(bytes);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
