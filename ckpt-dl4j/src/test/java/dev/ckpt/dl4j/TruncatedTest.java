package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Retention;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.deeplearning4j.datasets.iterator.ExistingDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.BackpropType;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** Truncated BPTT: a batch is three updates, and only behind the last of them is a cut. */
class TruncatedTest {
  private static final int EPOCHS = 3;
  private static final int BATCHES = 4;
  private static final int UPDATES = 3;

  private static MultiLayerNetwork network() {
    MultiLayerNetwork net =
        new MultiLayerNetwork(
            new NeuralNetConfiguration.Builder()
                .seed(4)
                .updater(new Adam(0.01))
                .list()
                .layer(new LSTM.Builder().nIn(2).nOut(5).dropOut(0.8).build())
                .layer(
                    new RnnOutputLayer.Builder(LossFunction.MCXENT)
                        .nIn(5)
                        .nOut(2)
                        .activation(Activation.SOFTMAX)
                        .build())
                .backpropType(BackpropType.TruncatedBPTT)
                .tBPTTLength(4)
                .build());
    net.init();
    return net;
  }

  private static List<DataSet> data() {
    Random random = new Random(2);
    List<DataSet> batches = new ArrayList<>();
    for (int b = 0; b < BATCHES; b++) {
      float[] features = new float[3 * 2 * 12];
      float[] labels = new float[3 * 2 * 12];
      for (int i = 0; i < features.length; i++) {
        features[i] = (float) random.nextGaussian();
      }
      for (int sample = 0; sample < 3; sample++) {
        for (int time = 0; time < 12; time++) {
          labels[sample * 24 + random.nextInt(2) * 12 + time] = 1;
        }
      }
      batches.add(
          new DataSet(
              Nd4j.createFromArray(features).reshape('c', 3, 2, 12),
              Nd4j.createFromArray(labels).reshape('c', 3, 2, 12)));
    }
    return batches;
  }

  private static Dl4jCheckpoints open(CheckpointStore store) {
    return Dl4jCheckpoints.open(
        CheckpointManager.in(store)
            .run("t")
            .seed(5)
            .keep(Retention.latest(100))
            .saveWhen(SaveTrigger.anyOf(SaveTrigger.everySteps(1), SaveTrigger.everyEpoch())));
  }

  private static String run(CheckpointStore store, int kill, boolean listenerOnly) {
    try (Dl4jCheckpoints ckpt = open(store)) {
      MultiLayerNetwork net = network();
      net.addListeners(
          new BaseTrainingListener() {
            private int done;

            @Override
            public void iterationDone(Model model, int iteration, int epoch) {
              ckpt.manager().requestSave("each");
              if (done++ == kill) {
                throw new Killed();
              }
            }
          });
      ckpt.resume(net);
      if (listenerOnly) {
        net.addListeners(ckpt.listener());
        for (int left = ckpt.remainingEpochs(EPOCHS); left > 0; left--) {
          net.fit(new ExistingDataSetIterator(data()));
        }
        ckpt.complete();
      } else {
        ckpt.fit(net, new ExistingDataSetIterator(data()), EPOCHS);
      }
      assertThat(net.getIterationCount()).isEqualTo(EPOCHS * BATCHES * UPDATES);
      return ckpt.sha256();
    }
  }

  @Test
  void killedInAnyUpdateOfABatchItEndsInTheSameBytes() {
    String whole = run(new InMemoryStore(Clock.systemUTC()), -1, false);
    for (int kill = 0; kill < EPOCHS * BATCHES * UPDATES; kill += 4) {
      InMemoryStore store = new InMemoryStore(Clock.systemUTC());
      try {
        run(store, kill, false);
      } catch (Killed e) {
        assertThat(store).isNotNull();
      }
      assertWholeBatches(store, UPDATES);
      assertThat(run(store, -1, false)).as("killed in update %d", kill).isEqualTo(whole);
    }
  }

  @Test
  void theListenerAloneWaitsForTheEndOfTheEpoch() {
    InMemoryStore store = new InMemoryStore(Clock.systemUTC());
    String whole = run(new InMemoryStore(Clock.systemUTC()), -1, true);
    try {
      run(store, BATCHES * UPDATES + 5, true);
    } catch (Killed e) {
      assertThat(store).isNotNull();
    }
    assertWholeBatches(store, BATCHES * UPDATES);
    assertThat(run(store, -1, true)).isEqualTo(whole);
  }

  private static void assertWholeBatches(CheckpointStore store, int updates) {
    List<Checkpoint> saved = Checkpoints.read(store, "t").list();
    assertThat(saved).allMatch(each -> each.progress().step() % updates == 0);
  }
}
