package dev.ckpt.dl4j;

import static dev.ckpt.dl4j.KilledLoops.PER_EPOCH;
import static dev.ckpt.dl4j.KilledLoops.assertTrains;
import static dev.ckpt.dl4j.KilledLoops.at;
import static dev.ckpt.dl4j.KilledLoops.data;
import static dev.ckpt.dl4j.KilledLoops.over;
import static dev.ckpt.dl4j.KilledLoops.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.dl4j.KilledLoops.Outcome;
import dev.ckpt.dl4j.KilledLoops.Program;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.deeplearning4j.parallelism.ParallelWrapper;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Loops of one's own: each batch and each epoch counts once, whoever ends it, killed or not. */
class CountedOnceTest {

  @Test
  void whileEpochsRemainAsManyAreTrainedAsWereAskedFor() throws Exception {
    Program fits =
        over(
            (ckpt, net, train) -> {
              while (ckpt.remainingEpochs(4) > 0) {
                net.fit(train);
              }
            });
    assertTrains(40, 4, fits, at(13, 9), at(39), at(9, 0));
    Program graphFits =
        (ckpt, attempt) -> {
          SameDiff graph = attempt.graph();
          ckpt.resume(graph);
          DataSetIterator train = ckpt.iterator(data());
          while (ckpt.remainingEpochs(4) > 0) {
            graph.fit(train, 1);
          }
          ckpt.complete();
        };
    assertTrains(40, 4, graphFits, at(13, 9), at(39));
  }

  @Test
  void anEpochWhoseBatchesAreGivenIsBehindTheProgram() throws Exception {
    Program fits =
        over(
            (ckpt, net, train) -> {
              while (ckpt.progress().epoch() < 4) {
                int before = ckpt.progress().epoch();
                net.fit(train);
                assertThat(ckpt.progress().epoch()).isEqualTo(before + 1);
                assertThat(ckpt.progress().batch()).isZero();
              }
            });
    assertTrains(40, 4, fits, at(13, 9));
  }

  @Test
  void aLoopOverBatchesEndsItsEpochsToo() throws Exception {
    for (boolean before : new boolean[] {true, false}) {
      Program byHand =
          over(
              (ckpt, net, train) -> {
                while (ckpt.remainingEpochs(4) > 0) {
                  if (before) {
                    train.reset();
                  }
                  while (train.hasNext()) {
                    net.fit(train.next());
                  }
                  if (!before) {
                    train.reset();
                  }
                }
              });
      assertTrains(40, 4, byHand, at(13, 9), at(39));
    }
    Program neverReset =
        over(
            (ckpt, net, train) -> {
              while (ckpt.remainingEpochs(4) > 0) {
                while (train.hasNext()) {
                  net.fit(train.next());
                }
              }
            });
    assertTrains(40, 4, neverReset, at(13, 9));
  }

  @Test
  void twoPhasesTrainAsManyEpochsAsTheySay() throws Exception {
    Program phases =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.resume(net);
          int left = ckpt.remainingEpochs(2);
          if (left > 0) {
            net.fit(ckpt.iterator(data()), left);
          }
          net.setLearningRate(0.001);
          left = ckpt.remainingEpochs(4);
          if (left > 0) {
            net.fit(ckpt.iterator(data()), left);
          }
          ckpt.complete();
        };
    assertTrains(40, 4, phases, at(13, 9), at(19), at(25, 3));
  }

  @Test
  void insideAFitTheEpochIsNotOverBeforeItsListenersAreDone() throws Exception {
    List<Integer> seen = new ArrayList<>();
    Program fits =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          net.addListeners(
              new BaseTrainingListener() {
                @Override
                public void onEpochEnd(Model model) {
                  seen.add(ckpt.progress().epoch());
                  seen.add(ckpt.remainingEpochs(4));
                }
              });
          ckpt.resume(net);
          net.fit(ckpt.iterator(data()), ckpt.remainingEpochs(4));
          ckpt.complete();
        };
    assertTrains(40, 4, fits);
    assertThat(seen).containsExactly(0, 4, 1, 3, 2, 2, 3, 1);
    seen.clear();
    Program tellsByHand =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          net.addListeners(
              new BaseTrainingListener() {
                @Override
                public void onEpochEnd(Model model) {
                  seen.add(ckpt.progress().epoch());
                }
              });
          ckpt.resume(net);
          DataSetIterator train = ckpt.iterator(data());
          for (int left = ckpt.remainingEpochs(3); left > 0; left--) {
            train.reset();
            while (train.hasNext()) {
              net.fit(train.next());
            }
            net.getListeners().forEach(each -> each.onEpochEnd(net));
            net.incrementEpochCount();
          }
          ckpt.complete();
        };
    assertTrains(30, 3, tellsByHand);
    assertThat(seen).containsExactly(0, 1, 2);
  }

  @Test
  void anEpochThatOurIteratorHasEndedIsNotEndedAgain() throws Exception {
    Program resets =
        over(
            (ckpt, net, train) -> {
              for (int left = ckpt.remainingEpochs(4); left > 0; left--) {
                net.fit(train);
                train.reset();
                ckpt.endEpoch();
              }
            });
    assertTrains(40, 4, resets, at(13, 9));
    Program asks =
        over(
            (ckpt, net, train) -> {
              while (ckpt.remainingEpochs(4) > 0) {
                while (train.hasNext()) {
                  net.fit(train.next());
                }
                assertThat(ckpt.remainingEpochs(4)).isLessThan(4);
                ckpt.endEpoch();
              }
            });
    assertTrains(40, 4, asks, at(13, 9));
  }

  @Test
  void anEpochOfWorkersBehindOneOfOurIteratorCounts() {
    MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(new InMemoryStore(Clock.systemUTC())).run("r").seed(5))) {
      ckpt.resume(net);
      net.fit(ckpt.iterator(data()), ckpt.remainingEpochs(1));
      for (int left = ckpt.remainingEpochs(3); left > 0; left--) {
        try (ParallelWrapper workers =
            new ParallelWrapper.Builder<>(net).workers(2).averagingFrequency(1).build()) {
          workers.fit(data());
        } catch (Exception e) {
          throw new AssertionError(e);
        }
        ckpt.endEpoch();
      }
      assertThat(ckpt.progress().epoch()).isEqualTo(3);
    }
  }

  @Test
  void aStepForABatchThatOurIteratorCountsIsRefused() throws Exception {
    Program steps =
        over(
            (ckpt, net, train) -> {
              net.fit(train.next());
              assertRefused(ckpt);
              net.fit(train);
              assertRefused(ckpt);
              train.reset();
              assertRefused(ckpt);
              for (DataSet batch : data().next().batchBy(5)) { // a phase of its own
                net.fit(batch);
                ckpt.step(batch.numExamples());
              }
              ckpt.endEpoch();
            });
    assertTrains(PER_EPOCH + 3, 2, steps);
  }

  /** A batch that is read and waits for its update is not done: no checkpoint may say so. */
  @Test
  void batchesThatAreMergedIntoOneUpdateAreNotTornByAKill() throws Exception {
    for (int together : new int[] {2, 3}) {
      int updates = (PER_EPOCH + together - 1) / together;
      Program merges =
          over(
              (ckpt, net, train) -> {
                while (ckpt.remainingEpochs(2) > 0) {
                  List<DataSet> held = new ArrayList<>();
                  while (train.hasNext()) {
                    held.add(train.next());
                    if (held.size() == together || !train.hasNext()) {
                      net.fit(DataSet.merge(held));
                      held.clear();
                    }
                  }
                }
              });
      assertTrains(2 * updates, 2, merges, at(1), at(3, 2), at(updates, 1));
    }
  }

  @Test
  void aLoopThatAsksForTheNextBatchBeforeItTrainsIsSavedBehindTheUpdate() throws Exception {
    List<Long> starts = new ArrayList<>();
    Program looksAhead =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.resume(net);
          starts.add(ckpt.progress().step());
          DataSetIterator train = ckpt.iterator(data());
          while (ckpt.remainingEpochs(2) > 0) {
            boolean last = false;
            while (!last) {
              DataSet batch = train.next();
              last = !train.hasNext();
              net.fit(batch);
            }
          }
          ckpt.complete();
        };
    assertTrains(20, 2, looksAhead, at(8), at(13, 3));
    assertThat(starts.get(2)).as("within the epoch").isBetween(3L, 8L);
  }

  @Test
  void whatThrowsWhileABatchWaitsForItsUpdateDoesNotSaveItAsDone() throws Exception {
    boolean[] breaks = {true};
    Program merges =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.resume(net);
          DataSetIterator train =
              ckpt.iterator(
                  new NotAsync(data()) {
                    private static final long serialVersionUID = 1L;
                    private int given;

                    @Override
                    public DataSet next() {
                      if (breaks[0] && given++ == 5) {
                        throw new IllegalStateException("unreadable");
                      }
                      return super.next();
                    }
                  });
          while (ckpt.remainingEpochs(1) > 0) {
            while (train.hasNext()) {
              net.fit(DataSet.merge(List.of(train.next(), train.next())));
            }
          }
          ckpt.complete();
        };
    CheckpointStore store = new InMemoryStore(Clock.systemUTC());
    assertThatThrownBy(() -> run(store, -1, merges)).hasMessage("unreadable");
    breaks[0] = false;
    Outcome resumed = run(store, -1, merges);
    assertThat(resumed.step()).isEqualTo(5);
    assertThat(resumed).isEqualTo(run(new InMemoryStore(Clock.systemUTC()), -1, merges));
  }

  private static void assertRefused(Dl4jCheckpoints ckpt) {
    assertThatThrownBy(() -> ckpt.step(15))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ckpt.iterator(...) counts its batches by itself")
        .hasMessageContaining("leave ckpt.step(...) out");
  }
}
