package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import java.util.function.Supplier;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Trainings with loops of one's own, killed in an update and started again. */
final class KilledLoops {
  static final int PER_EPOCH = 10;

  private KilledLoops() {}

  /** One attempt: builds everything, resumes, trains, completes. */
  interface Program {
    void run(Dl4jCheckpoints ckpt, Attempt attempt) throws Exception;
  }

  /** Kills in an update, counted from the start of the process; -1: in none. */
  static final class Attempt {
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
  interface Loop {
    void run(Dl4jCheckpoints ckpt, MultiLayerNetwork net, DataSetIterator train) throws Exception;
  }

  static Program over(Loop loop) {
    return over(KilledLoops::data, loop);
  }

  /** Begins as docs/dl4j.md says, and completes. */
  static Program over(Supplier<DataSetIterator> data, Loop loop) {
    return (ckpt, attempt) -> {
      MultiLayerNetwork net = attempt.network();
      ckpt.resume(net);
      loop.run(ckpt, net, ckpt.iterator(data.get()));
      ckpt.complete();
    };
  }

  record Outcome(long step, int epoch, long batch, long samples, String sha256) {}

  static DataSetIterator data() {
    return new ListDataSetIterator<>(
        SmallTraining.samples().asList(), SmallTraining.SAMPLES / PER_EPOCH);
  }

  static Outcome run(CheckpointStore store, int kill, Program program) throws Exception {
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
  static void assertTrains(int steps, int epochs, Program program, int[]... kills)
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

  static int[] at(int... kills) {
    return kills;
  }

  /** Whose first element tells which batch it is of. */
  static DataSet numberedSamples() {
    DataSet all = SmallTraining.samples();
    for (int i = 0; i < SmallTraining.SAMPLES; i++) {
      all.getFeatures().putScalar(i, 0, i / (SmallTraining.SAMPLES / PER_EPOCH));
    }
    return all;
  }

  static DataSetIterator numbered() {
    return new ListDataSetIterator<>(numberedSamples().asList(), SmallTraining.SAMPLES / PER_EPOCH);
  }
}
