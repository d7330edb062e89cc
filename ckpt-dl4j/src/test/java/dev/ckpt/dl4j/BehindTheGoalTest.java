package dev.ckpt.dl4j;

import static dev.ckpt.dl4j.KilledLoops.at;
import static dev.ckpt.dl4j.KilledLoops.data;
import static dev.ckpt.dl4j.KilledLoops.run;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Retention;
import dev.ckpt.dl4j.KilledLoops.Outcome;
import dev.ckpt.dl4j.KilledLoops.Program;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** A run that has reached its goal: who wants more of it is told how. */
class BehindTheGoalTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  private Dl4jCheckpoints open(boolean restoresBest) {
    var manager = CheckpointManager.in(store).run("r").seed(5);
    return Dl4jCheckpoints.open(
        restoresBest ? manager.restoreBest("score", Retention.Mode.MIN) : manager);
  }

  @Test
  void whoHasCompletedTheRunIsToldHowPhasesAreTrained() throws Exception {
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
      assertThat(run(store, -1, twoFits).step()).isEqualTo(20);
    }
    Program phases = // as that says
        (ckpt, attempt) -> {
          MultiLayerNetwork net = attempt.network();
          ckpt.resume(net);
          trainInPhases(ckpt, net);
          ckpt.complete();
        };
    Outcome led = run(store, -1, phases);
    assertThat(led.step()).isEqualTo(40);
    assertThat(led).isEqualTo(run(new InMemoryStore(Clock.systemUTC()), -1, phases));
  }

  private static void trainInPhases(Dl4jCheckpoints ckpt, MultiLayerNetwork net) {
    for (int goal : at(2, 4)) {
      int left = ckpt.remainingEpochs(goal);
      if (left > 0) {
        net.fit(ckpt.iterator(data()), left);
      }
    }
  }

  @Test
  void whoHoldsTheBestWeightsIsToldHowPhasesAreTrained() {
    for (int start = 0; start < 2; start++) {
      try (Dl4jCheckpoints ckpt = open(true)) {
        MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
        ckpt.fit(net, data(), 2);
        assertThat(ckpt.restoreBest()).isPresent();
        for (ThrowingCallable more :
            List.<ThrowingCallable>of(
                () -> ckpt.fit(net, data(), 4), () -> net.fit(ckpt.iterator(data())))) {
          assertThatThrownBy(more)
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("The model holds the best weights (restoreBest), those of ")
              .hasMessageContaining("ckpt.remainingEpochs(goal)")
              .hasMessageContaining("ckpt.complete() and ckpt.restoreBest() once, behind the last");
        }
        assertThat(ckpt.isComplete()).isTrue();
      }
    }
    try (Dl4jCheckpoints ckpt = open(true)) { // as that says
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      ckpt.resume(net);
      trainInPhases(ckpt, net);
      ckpt.complete();
      assertThat(ckpt.progress().step()).isEqualTo(40);
      assertThat(ckpt.restoreBest()).isPresent();
    }
  }

  @Test
  void whoEvaluatesOnOurIteratorIsToldToGiveTheBareData() {
    for (boolean restoresBest : new boolean[] {false, true}) {
      for (int start = 0; start < 2; start++) {
        try (Dl4jCheckpoints ckpt = open(restoresBest)) {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          DataSetIterator train = ckpt.iterator(data());
          ckpt.fit(net, train, 2);
          assertTold(ckpt, train, "MultiLayerNetwork", () -> net.evaluate(train));
          assertThat(net.evaluate(data()).accuracy()).isBetween(0.0, 1.0);
        }
      }
    }
  }

  @Test
  void soIsWhoEvaluatesAGraph() {
    try (Dl4jCheckpoints ckpt = open(false)) {
      ComputationGraph net = SmallTraining.graph(Updater.ADAM);
      DataSetIterator train = ckpt.iterator(data());
      ckpt.fit(net, train, 2);
      assertTold(ckpt, train, "ComputationGraph", () -> net.evaluate(train));
    }
  }

  private static void assertTold(
      Dl4jCheckpoints ckpt, DataSetIterator train, String net, ThrowingCallable evaluates) {
    assertThatThrownBy(evaluates)
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining(net + ".evaluate reads ckpt.iterator(...) and trains nothing")
        .hasMessageContaining("Give it the bare data");
    assertThatThrownBy(train::hasNext) // by hand nobody knows what is meant
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("To evaluate, give the bare data");
    assertThat(ckpt.isComplete()).isTrue();
    assertThat(ckpt.progress().step()).isEqualTo(20);
  }
}
