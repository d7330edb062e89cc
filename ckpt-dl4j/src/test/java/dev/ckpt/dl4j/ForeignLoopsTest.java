package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.deeplearning4j.datasets.iterator.EarlyTerminationDataSetIterator;
import org.deeplearning4j.datasets.iterator.IteratorDataSetIterator;
import org.deeplearning4j.datasets.iterator.MultipleEpochsIterator;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.earlystopping.EarlyStoppingConfiguration;
import org.deeplearning4j.earlystopping.scorecalc.DataSetLossCalculator;
import org.deeplearning4j.earlystopping.scorecalc.DataSetLossCalculatorCG;
import org.deeplearning4j.earlystopping.termination.MaxEpochsTerminationCondition;
import org.deeplearning4j.earlystopping.trainer.EarlyStoppingGraphTrainer;
import org.deeplearning4j.earlystopping.trainer.EarlyStoppingTrainer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Loops of DL4J's own, around our iterator, that no resume can put where they were. */
class ForeignLoopsTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  private Dl4jCheckpoints open() {
    return Dl4jCheckpoints.open(CheckpointManager.in(store).run("r").seed(5));
  }

  private static DataSetIterator data() {
    return new ListDataSetIterator<>(SmallTraining.samples().asList(), 15);
  }

  @Test
  void dl4jsOwnEarlyStoppingIsRefusedWithOursAsTheWayOut() {
    try (Dl4jCheckpoints ckpt = open()) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      ckpt.resume(net);
      assertStoppingRefused(net, ckpt.iterator(data()));
      assertThat(ckpt.progress().step()).isZero();
      assertThat(net.getIterationCount()).isZero();
    }
    try (Dl4jCheckpoints ckpt = open()) {
      ComputationGraph net = SmallTraining.graph(Updater.ADAM);
      ckpt.resume(net);
      EarlyStoppingGraphTrainer trainer =
          new EarlyStoppingGraphTrainer(
              new EarlyStoppingConfiguration.Builder<ComputationGraph>()
                  .epochTerminationConditions(new MaxEpochsTerminationCondition(4))
                  .scoreCalculator(new DataSetLossCalculatorCG(data(), true))
                  .build(),
              net,
              ckpt.iterator(data()));
      assertThatThrownBy(trainer::fit)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("EarlyStoppingTrainer keeps its scores");
      assertThat(net.getIterationCount()).isZero();
    }
  }

  private static void assertStoppingRefused(MultiLayerNetwork net, DataSetIterator train) {
    EarlyStoppingTrainer trainer =
        new EarlyStoppingTrainer(
            new EarlyStoppingConfiguration.Builder<MultiLayerNetwork>()
                .epochTerminationConditions(new MaxEpochsTerminationCondition(4))
                .scoreCalculator(new DataSetLossCalculator(data(), true))
                .build(),
            net,
            train);
    assertThatThrownBy(trainer::fit)
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("EarlyStoppingTrainer keeps its scores")
        .hasMessageContaining("ckpt.fit(net, data, earlyStoppingConfiguration)");
    assertThat(net.getIterationCount()).isZero();
  }

  @Test
  void dl4jsOwnEarlyStoppingIsRefusedWithTheListenerAloneToo() {
    try (Dl4jCheckpoints ckpt = open()) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      net.addListeners(ckpt.listener());
      ckpt.resume(net);
      assertStoppingRefused(net, data());
      assertThat(net.getIterationCount()).isZero();
      net.fit(data(), ckpt.remainingEpochs(1));
      ckpt.complete();
      assertThat(ckpt.progress().step()).isEqualTo(10);
      assertThat(ckpt.progress().epoch()).isEqualTo(1);
    }
  }

  @Test
  void whatCountsAroundOurIteratorIsRefused() {
    try (Dl4jCheckpoints ckpt = open()) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      ckpt.resume(net);
      List<DataSetIterator> counting =
          List.of(
              new EarlyTerminationDataSetIterator(ckpt.iterator(data()), 2),
              new MultipleEpochsIterator(2, ckpt.iterator(data())),
              new org.nd4j.linalg.dataset.api.iterator.MultipleEpochsIterator(
                  2, ckpt.iterator(data())));
      assertThat(counting)
          .allSatisfy(
              each ->
                  assertThatThrownBy(() -> net.fit(each))
                      .isInstanceOf(UnsupportedOperationException.class)
                      .hasMessageContaining(
                          each.getClass().getSimpleName() + " around ckpt.iterator(...)")
                      .hasMessageContaining("Put it inside"));
      assertThat(net.getIterationCount()).isZero();
      net.fit(ckpt.iterator(new EarlyTerminationDataSetIterator(data(), 2)));
      assertThat(net.getIterationCount()).isEqualTo(2);
    }
  }

  /** Says of itself that it may be read ahead, as DL4J's wrappers do. */
  private static final class SaysAsync extends NotAsync {
    private static final long serialVersionUID = 1L;

    SaysAsync(DataSetIterator inner) {
      super(inner);
    }

    @Override
    public boolean asyncSupported() {
      return true;
    }

    @Override
    public boolean resetSupported() {
      return false;
    }
  }

  private static List<DataSetIterator> readAhead(Dl4jCheckpoints ckpt) {
    return List.of(
        new IteratorDataSetIterator(ckpt.iterator(data()), 30),
        new SaysAsync(ckpt.iterator(data())));
  }

  @Test
  @Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void dl4jsLoaderAroundAWrapperOfOursIsRefusedAndKeepsNobodyWaiting() {
    for (int i = 0; i < 2; i++) {
      try (Dl4jCheckpoints ckpt = open()) {
        MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
        ckpt.resume(net);
        net.fit(readAhead(ckpt).get(i));
        assertThat(net.getIterationCount()).isZero();
        List<ThrowingCallable> next =
            List.of(
                () -> ckpt.remainingEpochs(4),
                () -> net.fit(ckpt.iterator(data())),
                () -> ckpt.step(15),
                ckpt::endEpoch,
                ckpt::complete);
        assertThat(next).allSatisfy(ForeignLoopsTest::assertLoaderRefused);
      }
    }
    assertThat(Checkpoints.read(store, "r").list()).isEmpty();
  }

  @Test
  @Timeout(value = 2, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void whoAsksNothingBehindThatIsToldAtTheEnd() {
    MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
    Dl4jCheckpoints resumed = open();
    resumed.resume(net);
    net.fit(readAhead(resumed).get(1));
    assertLoaderRefused(resumed::close);
    resumed.close();
    Dl4jCheckpoints never = open();
    net.fit(readAhead(never).get(1));
    assertLoaderRefused(never::close);
  }

  private static void assertLoaderRefused(ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("AsyncDataSetIterator would read ahead")
        .hasMessageContaining("asyncSupported()");
  }
}
