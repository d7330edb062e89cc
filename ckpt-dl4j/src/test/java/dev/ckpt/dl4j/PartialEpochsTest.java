package dev.ckpt.dl4j;

import static dev.ckpt.dl4j.KilledLoops.PER_EPOCH;
import static dev.ckpt.dl4j.KilledLoops.assertTrains;
import static dev.ckpt.dl4j.KilledLoops.at;
import static dev.ckpt.dl4j.KilledLoops.over;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.KilledLoops.Program;
import java.util.List;
import java.util.function.Function;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/**
 * Epochs that the program ends behind some of their batches: the next one begins with the first.
 */
class PartialEpochsTest {
  @Test
  void anEpochThatIsEndedBehindSomeOfItsBatchesBeginsAnewWithTheFirst() throws Exception {
    for (int batches : new int[] {7, PER_EPOCH}) {
      StringBuilder seen = new StringBuilder();
      Program some =
          over(
              KilledLoops::numbered,
              (ckpt, net, train) -> {
                seen.setLength(0);
                for (int left = ckpt.remainingEpochs(4); left > 0; left--) {
                  for (long done = ckpt.progress().batch(); done < batches; done++) {
                    DataSet batch = train.next();
                    seen.append(batch.getFeatures().getInt(0));
                    net.fit(batch);
                  }
                  ckpt.endEpoch();
                  seen.append(' ');
                }
              });
      assertTrains(4 * batches, 4, some);
      String epoch = "0123456789".substring(0, batches) + " ";
      assertThat(seen).hasToString(epoch.repeat(4));
      assertTrains(4 * batches, 4, some, at(9, 9), at(batches, 3));
    }
  }

  /** How the program says that the epoch is over. */
  private interface End {
    void of(Dl4jCheckpoints ckpt, MultiLayerNetwork net, DataSetIterator train);
  }

  private static List<Function<Dl4jCheckpoints, DataSetIterator>> sources() {
    return List.of(
        ckpt -> ckpt.iterator(KilledLoops.numbered(), 0),
        ckpt -> ckpt.iterator(KilledLoops.numbered(), 2),
        ckpt ->
            ckpt.iterator(
                ckpt.batches(
                    KilledLoops.numberedSamples(),
                    SmallTraining.SAMPLES / PER_EPOCH,
                    false,
                    false)));
  }

  @Test
  void aBatchThatWasAskedForAndNotTakenIsNotTheFirstOfTheNextEpoch() throws Exception {
    List<End> ends =
        List.of(
            (ckpt, net, train) -> ckpt.endEpoch(),
            (ckpt, net, train) -> {
              ckpt.endEpoch();
              train.reset();
            },
            (ckpt, net, train) -> {
              train.reset();
              ckpt.endEpoch();
            },
            (ckpt, net, train) -> net.incrementEpochCount());
    for (var source : sources()) {
      for (End end : ends) {
        StringBuilder seen = new StringBuilder();
        Program asks =
            (ckpt, attempt) -> {
              seen.setLength(0);
              MultiLayerNetwork net = attempt.network();
              ckpt.resume(net);
              DataSetIterator train = source.apply(ckpt);
              for (int left = ckpt.remainingEpochs(4); left > 0; left--) {
                long done = ckpt.progress().batch();
                while (train.hasNext() && done < 7) {
                  DataSet batch = train.next();
                  seen.append(batch.getFeatures().getInt(0));
                  net.fit(batch);
                  done++;
                }
                end.of(ckpt, net, train);
                seen.append(' ');
              }
              ckpt.complete();
            };
        assertTrains(28, 4, asks);
        assertThat(seen).hasToString("0123456 ".repeat(4));
        assertTrains(28, 4, asks, at(9, 9), at(7, 3));
        assertThat(seen.toString()).endsWith("0123456 ".repeat(2));
      }
    }
  }

  @Test
  void aFitBehindAWarmUpOfSomeBatchesBeginsWithTheFirst() throws Exception {
    for (var source : sources()) {
      Program warmsUp =
          (ckpt, attempt) -> {
            MultiLayerNetwork net = attempt.network();
            ckpt.resume(net);
            DataSetIterator train = source.apply(ckpt);
            if (ckpt.remainingEpochs(4) == 4) {
              long done = ckpt.progress().batch();
              while (train.hasNext() && done < 3) {
                net.fit(train.next());
                done++;
              }
              ckpt.endEpoch();
            }
            int left = ckpt.remainingEpochs(4);
            net.fit(train, left);
            ckpt.complete();
          };
      assertTrains(3 + 3 * PER_EPOCH, 4, warmsUp, at(2), at(5, 9));
    }
  }
}
