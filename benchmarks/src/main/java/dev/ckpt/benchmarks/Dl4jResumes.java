package dev.ckpt.benchmarks;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.constraint.MaxNormConstraint;
import org.deeplearning4j.nn.conf.dropout.GaussianNoise;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.deeplearning4j.optimize.listeners.CheckpointListener;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;
import org.nd4j.linalg.schedule.ScheduleType;
import org.nd4j.linalg.schedule.StepSchedule;

/**
 * What becomes of a training that is killed and resumed: with ours, and with DL4J's {@code
 * CheckpointListener}, with more and more done by hand. Each is compared with the same training
 * that nobody killed.
 */
final class Dl4jResumes {
  private static final int SAMPLES = 320;
  private static final int BATCH = 16;
  private static final int BATCHES_PER_EPOCH = SAMPLES / BATCH;
  private static final int EPOCHS = 4;
  private static final int EVERY = 15;
  private static final int KILLED_AT = 52;

  /**
   * One way to resume.
   *
   * @param batches trained on in both processes together, of those that the goal needs
   * @param updates that the network counted at its end
   * @param largest difference of a weight from the training that nobody killed
   */
  record Row(
      String what, boolean sameBytes, int batches, int planned, int updates, double largest) {}

  /** How much of what the zip lacks a program adds of its own. */
  private enum ByHand {
    NOTHING("DL4J's CheckpointListener"),
    POSITION("the same, place in the data by hand"),
    RANDOM("the same, and ND4J's generator by hand");

    private final String what;

    ByHand(String what) {
      this.what = what;
    }
  }

  /** The end of a process, as far as one JVM can play it. */
  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private record Ended(INDArray weights, INDArray slots, int updates) {
    static Ended of(MultiLayerNetwork net) {
      return new Ended(net.params().dup(), net.updaterState().dup(), net.getIterationCount());
    }
  }

  private final Path folder;

  /** What a program that helps itself writes down beside each zip: root and node. */
  private final List<long[]> states = new ArrayList<>();

  private int batches;

  Dl4jResumes(Path folder) {
    this.folder = folder;
  }

  List<Row> compare() throws IOException {
    Ended whole = ours(Files.createTempDirectory(folder, "whole-"), false);
    List<Row> rows = new ArrayList<>();
    batches = 0;
    Path killed = Files.createTempDirectory(folder, "killed-");
    ours(killed, true);
    rows.add(row("ckpt", ours(killed, false), whole));
    Ended plain = dl4j(ByHand.RANDOM, false);
    for (ByHand byHand : ByHand.values()) {
      batches = 0;
      rows.add(row(byHand.what, dl4j(byHand, true), plain));
    }
    return rows;
  }

  private Row row(String what, Ended ended, Ended whole) {
    return new Row(
        what,
        ended.weights.equalsWithEps(whole.weights, 0) && ended.slots.equalsWithEps(whole.slots, 0),
        batches,
        EPOCHS * BATCHES_PER_EPOCH,
        ended.updates,
        ended.weights.sub(whole.weights).amaxNumber().doubleValue());
  }

  /** Counts batches, and ends the process. */
  private final class Counting extends BaseTrainingListener {
    private final boolean kills;
    private int done;

    Counting(boolean kills) {
      this.kills = kills;
    }

    @Override
    public void iterationDone(Model model, int iteration, int epoch) {
      batches++;
      if (kills && ++done == KILLED_AT) {
        throw new Killed();
      }
    }
  }

  private Ended ours(Path store, boolean kills) {
    MultiLayerNetwork net = network();
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store)
                .run("r")
                .seed(7)
                .saveWhen(
                    SaveTrigger.anyOf(
                        SaveTrigger.everySteps(EVERY), SaveTrigger.onCompletion())))) {
      net.setListeners(new Counting(kills));
      ckpt.fit(net, data(), EPOCHS);
    } catch (Killed e) {
      return Ended.of(net); // as far as it came
    }
    return Ended.of(net);
  }

  private Ended dl4j(ByHand byHand, boolean kills) throws IOException {
    Path zips = Files.createTempDirectory(folder, "dl4j-");
    MultiLayerNetwork net = network();
    Nd4j.getRandom().setSeed(7);
    states.clear();
    CheckpointListener own =
        new CheckpointListener.Builder(zips.toFile())
            .saveEveryNIterations(EVERY)
            .keepAll()
            .logSaving(false)
            .build();
    net.setListeners(own, generator(), new Counting(kills));
    try {
      net.fit(data(), EPOCHS);
      return Ended.of(net);
    } catch (Killed e) {
      // what follows is the next process
    }
    MultiLayerNetwork next = CheckpointListener.loadLastCheckpointMLN(zips.toFile());
    next.setListeners(new Counting(false));
    int saved = KILLED_AT / EVERY * EVERY; // iterations are counted from 0
    DataSetIterator data = data();
    if (byHand != ByHand.NOTHING) {
      for (int i = 0; i < (saved + 1) % BATCHES_PER_EPOCH; i++) {
        data.next();
      }
    }
    Nd4j.getRandom().setSeed(12345); // what a new process has is another one
    if (byHand == ByHand.RANDOM) {
      long[] state = states.get(states.size() - 1);
      Nd4j.getRandom().setStates(state[0], state[1]);
    }
    while (next.getEpochCount() < EPOCHS) {
      next.fit(data);
    }
    return Ended.of(next);
  }

  /** Behind {@link CheckpointListener}: where ND4J's generator stands. */
  private BaseTrainingListener generator() {
    return new BaseTrainingListener() {
      @Override
      public void iterationDone(Model model, int iteration, int epoch) {
        if (iteration > 0 && iteration % EVERY == 0) {
          states.add(new long[] {Nd4j.getRandom().rootState(), Nd4j.getRandom().nodeState()});
        }
      }
    };
  }

  private static MultiLayerNetwork network() {
    MultiLayerNetwork net =
        new MultiLayerNetwork(
            new NeuralNetConfiguration.Builder()
                .seed(12345)
                .updater(new Adam(new StepSchedule(ScheduleType.ITERATION, 0.02, 0.7, 10)))
                .constrainWeights(new MaxNormConstraint(0.7, 1))
                .list()
                .layer(
                    new DenseLayer.Builder()
                        .nIn(6)
                        .nOut(12)
                        .activation(Activation.TANH)
                        .dropOut(new GaussianNoise(0.2))
                        .build())
                .layer(new BatchNormalization.Builder().nIn(12).nOut(12).build())
                .layer(
                    new OutputLayer.Builder(LossFunction.MCXENT)
                        .nIn(12)
                        .nOut(3)
                        .activation(Activation.SOFTMAX)
                        .dropOut(0.7)
                        .build())
                .build());
    net.init();
    return net;
  }

  private static DataSetIterator data() {
    Random random = new Random(1);
    List<DataSet> samples = new ArrayList<>();
    for (int i = 0; i < SAMPLES; i++) {
      int label = random.nextInt(3);
      float[] features = new float[6];
      float[] answer = new float[3];
      answer[label] = 1;
      for (int j = 0; j < features.length; j++) {
        features[j] = (float) random.nextGaussian() + (j % 3 == label ? 1.5f : 0);
      }
      samples.add(
          new DataSet(
              Nd4j.createFromArray(new float[][] {features}),
              Nd4j.createFromArray(new float[][] {answer})));
    }
    return new ListDataSetIterator<>(samples, BATCH);
  }

  /** Whether a listener can be opened on a folder that holds its checkpoints: what it says. */
  String inItsOwnFolder() throws IOException {
    Path zips = Files.createTempDirectory(folder, "own-");
    CheckpointListener first =
        new CheckpointListener.Builder(zips.toFile())
            .saveEveryNIterations(1)
            .keepAll()
            .logSaving(false)
            .build();
    MultiLayerNetwork net = network();
    first.iterationDone(net, 0, 0);
    first.iterationDone(net, 1, 0);
    try {
      new CheckpointListener.Builder(zips.toFile()).saveEveryNIterations(1).keepAll().build();
      return "goes on";
    } catch (IllegalStateException e) {
      return "refused: " + e.getMessage();
    }
  }

  /** A Markdown table, which reads as plain text too. */
  static String table(List<Row> rows) {
    StringBuilder table = new StringBuilder();
    String line = "| %-40s | %10s | %15s | %15s | %18s |%n";
    table.append(
        String.format(
            line,
            "killed and resumed with",
            "same bytes",
            "batches trained",
            "updates counted",
            "largest difference"));
    table.append(
        String.format(
            line, "-".repeat(40), "-".repeat(10), "-".repeat(15), "-".repeat(15), "-".repeat(18)));
    for (Row row : rows) {
      table.append(
          String.format(
              Locale.ROOT,
              line,
              row.what,
              row.sameBytes ? "yes" : "no",
              row.batches + " of " + row.planned,
              row.updates + " of " + row.planned,
              row.sameBytes ? "0" : String.format(Locale.ROOT, "%.4f", row.largest)));
    }
    return table.toString();
  }
}
