package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.deeplearning4j.parallelism.ParallelWrapper;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Loops of one's own: each batch and each epoch counts once, whoever ends it, killed or not. */
class CountedOnceTest {
  private static final int PER_EPOCH = 10;

  /** One attempt: builds everything, resumes, trains, completes. */
  private interface Program {
    void run(Dl4jCheckpoints ckpt, Attempt attempt) throws Exception;
  }

  /** Kills in an update, counted from the start of the process; -1: in none. */
  private static final class Attempt {
    private final int kill;
    private int done;

    Attempt(int kill) {
      this.kill = kill;
    }

    private void updated() {
      if (done++ == kill) {
        throw new Killed();
      }
    }

    MultiLayerNetwork network() {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      net.addListeners(
          new BaseTrainingListener() {
            @Override
            public void iterationDone(Model model, int iteration, int epoch) {
              updated();
            }
          });
      return net;
    }

    SameDiff graph() {
      SameDiff graph = SmallTraining.sameDiff(Updater.ADAM);
      graph.setListeners(
          new BaseListener() {
            @Override
            public boolean isActive(Operation operation) {
              return operation == Operation.TRAINING;
            }

            @Override
            public void iterationDone(SameDiff model, At at, MultiDataSet batch, Loss loss) {
              updated();
            }
          });
      return graph;
    }
  }

  /** What a program does with a network that is resumed, and its data. */
  private interface Loop {
    void run(Dl4jCheckpoints ckpt, MultiLayerNetwork net, DataSetIterator train) throws Exception;
  }

  private static Program over(Loop loop) {
    return over(CountedOnceTest::data, loop);
  }

  /** Begins as docs/dl4j.md says, and completes. */
  private static Program over(Supplier<DataSetIterator> data, Loop loop) {
    return (ckpt, attempt) -> {
      MultiLayerNetwork net = attempt.network();
      ckpt.resume(net);
      loop.run(ckpt, net, ckpt.iterator(data.get()));
      ckpt.complete();
    };
  }

  private record Outcome(long step, int epoch, long batch, long samples, String sha256) {}

  private static DataSetIterator data() {
    return new ListDataSetIterator<>(
        SmallTraining.samples().asList(), SmallTraining.SAMPLES / PER_EPOCH);
  }

  private static Outcome run(CheckpointStore store, int kill, Program program) throws Exception {
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store)
                .run("r")
                .seed(5)
                .saveWhen(
                    SaveTrigger.anyOf(
                        SaveTrigger.everySteps(3),
                        SaveTrigger.everyEpoch(),
                        SaveTrigger.onException())))) {
      program.run(ckpt, new Attempt(kill));
      assertThat(ckpt.isComplete()).isTrue();
      var at = ckpt.progress();
      return new Outcome(at.step(), at.epoch(), at.batch(), at.samples(), ckpt.sha256());
    }
  }

  /** Ends behind so many updates and epochs, and with the same bytes if it is killed. */
  private static void assertTrains(int steps, int epochs, Program program, int[]... kills)
      throws Exception {
    Outcome whole = run(new InMemoryStore(Clock.systemUTC()), -1, program);
    assertThat(List.of(whole.step, (long) whole.epoch, whole.batch))
        .containsExactly((long) steps, (long) epochs, 0L);
    for (int[] each : kills) {
      CheckpointStore store = new InMemoryStore(Clock.systemUTC());
      for (int kill : each) {
        assertThatThrownBy(() -> run(store, kill, program)).isInstanceOf(Killed.class);
      }
      assertThat(run(store, -1, program)).as("killed at %s", each).isEqualTo(whole);
    }
  }

  private static int[] at(int... kills) {
    return kills;
  }

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

  /** Whose first element tells which batch it is. */
  private static DataSetIterator numbered() {
    DataSet all = SmallTraining.samples();
    for (int i = 0; i < SmallTraining.SAMPLES; i++) {
      all.getFeatures().putScalar(i, 0, i / (SmallTraining.SAMPLES / PER_EPOCH));
    }
    return new ListDataSetIterator<>(all.asList(), SmallTraining.SAMPLES / PER_EPOCH);
  }

  @Test
  void anEpochThatIsEndedBehindSomeOfItsBatchesBeginsAnewWithTheFirst() throws Exception {
    for (int batches : new int[] {7, PER_EPOCH}) {
      StringBuilder seen = new StringBuilder();
      Program some =
          over(
              CountedOnceTest::numbered,
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

  @Test
  void whoHasCompletedTheRunIsToldHowPhasesAreTrained() throws Exception {
    CheckpointStore store = new InMemoryStore(Clock.systemUTC());
    Program twoFits =
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.fit(net, data(), 2);
          ckpt.fit(net, data(), 2); // trains nothing
          assertThat(ckpt.isComplete()).isTrue();
          for (ThrowingCallable more :
              List.<ThrowingCallable>of(
                  () -> ckpt.fit(net, data(), 4), () -> net.fit(ckpt.iterator(data())))) {
            assertThatThrownBy(more)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Run 'r' is recorded as complete at step 20")
                .hasMessageContaining("ckpt.remainingEpochs(goal)")
                .hasMessageContaining("ckpt.complete() once, behind the last");
          }
        };
    for (int start = 0; start < 2; start++) {
      assertThat(run(store, -1, twoFits).step).isEqualTo(20);
    }
    Program phases = // as that says
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.resume(net);
          for (int goal : at(2, 4)) {
            int left = ckpt.remainingEpochs(goal);
            if (left > 0) {
              net.fit(ckpt.iterator(data()), left);
            }
          }
          ckpt.complete();
        };
    Outcome led = run(store, -1, phases);
    assertThat(led.step).isEqualTo(40);
    assertThat(led).isEqualTo(run(new InMemoryStore(Clock.systemUTC()), -1, phases));
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
    assertThat(resumed.step).isEqualTo(5);
    assertThat(resumed).isEqualTo(run(new InMemoryStore(Clock.systemUTC()), -1, merges));
  }

  private static void assertRefused(Dl4jCheckpoints ckpt) {
    assertThatThrownBy(() -> ckpt.step(15))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("ckpt.iterator(...) counts its batches by itself")
        .hasMessageContaining("leave ckpt.step(...) out");
  }
}
