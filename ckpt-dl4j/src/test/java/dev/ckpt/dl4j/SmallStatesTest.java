package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.SaveTrigger;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.deeplearning4j.optimize.api.InvocationType;
import org.deeplearning4j.optimize.api.TrainingListener;
import org.deeplearning4j.optimize.listeners.CollectScoresListener;
import org.deeplearning4j.optimize.listeners.ComposableIterationListener;
import org.deeplearning4j.optimize.listeners.EvaluativeListener;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.Loss;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.MultiDataSet;
import org.nd4j.linalg.dataset.api.preprocessor.ImagePreProcessingScaler;
import org.nd4j.linalg.dataset.api.preprocessor.MultiNormalizerStandardize;
import org.nd4j.linalg.dataset.api.preprocessor.Normalizer;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerMinMaxScaler;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.factory.Nd4j;

/** Normalizers, listeners, metrics and ND4J's generator go on where they were. */
class SmallStatesTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  private void open(Consumer<Dl4jCheckpoints> use) {
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store).run("s").seed(5).saveWhen(SaveTrigger.everyEpoch()))) {
      use.accept(ckpt);
    }
  }

  private static ListDataSetIterator<DataSet> data() {
    return new ListDataSetIterator<>(SmallTraining.samples().asList(), 50);
  }

  @Test
  void aNormalizerIsFittedOnce() {
    DataSet all = SmallTraining.samples();
    NormalizerStandardize first = new NormalizerStandardize();
    NormalizerMinMaxScaler second = new NormalizerMinMaxScaler(-1, 1);
    second.fitLabel(true);
    MultiNormalizerStandardize third = new MultiNormalizerStandardize();
    third.fitLabel(true);
    open(
        ckpt -> {
          List.<Normalizer>of(first, second, third).forEach(ckpt::normalizer);
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          if (ckpt.resume(net).isEmpty()) {
            first.fit(all);
            second.fit(all);
            third.fit(all.toMultiDataSet());
          }
          ckpt.fit(net, data(), 1);
        });
    open(
        ckpt -> {
          NormalizerStandardize mean = ckpt.normalizer(new NormalizerStandardize());
          NormalizerMinMaxScaler range = ckpt.normalizer(new NormalizerMinMaxScaler(-1, 1));
          MultiNormalizerStandardize many = ckpt.normalizer(new MultiNormalizerStandardize());
          assertThat(ckpt.resume(SmallTraining.network(Updater.ADAM))).isPresent();
          assertThat(mean.getMean()).isEqualTo(first.getMean());
          assertThat(mean.getStd()).isEqualTo(first.getStd());
          assertThat(mean.isFitLabel()).isFalse();
          assertThat(range.getMin()).isEqualTo(second.getMin());
          assertThat(range.getLabelMax()).isEqualTo(second.getLabelMax());
          assertThat(range.isFitLabel()).isTrue();
          assertThat(many.getFeatureMean(0)).isEqualTo(third.getFeatureMean(0));
          assertThat(many.getLabelStd(0)).isEqualTo(third.getLabelStd(0));
          DataSet one = SmallTraining.samples();
          DataSet other = SmallTraining.samples();
          mean.transform(one);
          first.transform(other);
          assertThat(one.getFeatures()).isEqualTo(other.getFeatures());
        });
  }

  @Test
  void anotherNormalizerOrOneOfAnUnknownKindIsRefused() {
    open(
        ckpt -> {
          ckpt.normalizer(new NormalizerStandardize()).fit(SmallTraining.samples());
          ckpt.fit(SmallTraining.network(Updater.ADAM), data(), 1);
          assertThatThrownBy(() -> ckpt.normalizer(new NormalizerStandardize()))
              .isInstanceOf(IllegalStateException.class);
        });
    open(
        ckpt -> {
          ckpt.normalizer(new NormalizerMinMaxScaler());
          assertThatThrownBy(() -> ckpt.resume(SmallTraining.network(Updater.ADAM)))
              .isInstanceOf(CheckpointException.Incompatible.class)
              .hasMessageContaining("NormalizerStandardize")
              .hasMessageContaining("NormalizerMinMaxScaler");
          assertThatThrownBy(() -> ckpt.normalizer(new ImagePreProcessingScaler()))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("needs neither");
        });
  }

  /** A listener of the user's own. */
  private static final class Sum extends BaseTrainingListener implements Checkpointable {
    double sum;

    @Override
    public void iterationDone(Model model, int iteration, int epoch) {
      sum += model.score();
    }

    @Override
    public void capture(StateSink sink) {
      sink.value("sum", Double.toString(sum));
    }

    @Override
    public void restore(StateView view) {
      sum = Double.parseDouble(view.value("sum", String.class));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void listenersCountAndCollectOn(boolean composed) {
    Sum sum = new Sum();
    CollectScoresListener scores = new CollectScoresListener(1);
    EvaluativeListener evaluations = new EvaluativeListener(data(), 1, InvocationType.EPOCH_END);
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          net.setListeners(listeners(composed, sum, scores, evaluations));
          ckpt.fit(net, data(), 2);
          ckpt.random("x").nextInt();
        });
    Sum sumAgain = new Sum();
    CollectScoresListener scoresAgain = new CollectScoresListener(1);
    EvaluativeListener evaluationsAgain =
        new EvaluativeListener(data(), 1, InvocationType.EPOCH_END);
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          net.setListeners(listeners(composed, sumAgain, scoresAgain, evaluationsAgain));
          ckpt.resume(net);
          assertThat(sumAgain.sum).isEqualTo(sum.sum).isPositive();
          List<Integer> iterations = Dl4jInternals.COLLECTED_ITERATIONS.get(scoresAgain);
          assertThat(iterations).containsExactly(0, 1, 2, 3, 4, 5);
          List<Double> collected = Dl4jInternals.COLLECTED_SCORES.get(scoresAgain);
          assertThat(collected)
              .containsExactlyElementsOf(Dl4jInternals.COLLECTED_SCORES.get(scores));
          assertThat(Dl4jInternals.EVALUATIONS.get(evaluationsAgain).get())
              .isEqualTo(Dl4jInternals.EVALUATIONS.get(evaluations).get());
        });
  }

  /** What is composed hears of iterations alone. */
  private static TrainingListener[] listeners(
      boolean composed, Sum sum, CollectScoresListener scores, EvaluativeListener evaluations) {
    return composed
        ? new TrainingListener[] {
          new ComposableIterationListener(sum, new ComposableIterationListener(scores)), evaluations
        }
        : new TrainingListener[] {sum, scores, evaluations};
  }

  /** A listener of the user's own, of a graph. */
  private static final class GraphSum extends BaseListener implements Checkpointable {
    double sum;

    @Override
    public boolean isActive(Operation operation) {
      return operation == Operation.TRAINING;
    }

    @Override
    public void iterationDone(SameDiff graph, At at, MultiDataSet batch, Loss loss) {
      sum += loss.totalLoss();
    }

    @Override
    public void capture(StateSink sink) {
      sink.value("sum", Double.toString(sum));
    }

    @Override
    public void restore(StateView view) {
      sum = Double.parseDouble(view.value("sum", String.class));
    }
  }

  @Test
  void aListenerThatIsGivenToFitAloneGoesOn() {
    GraphSum whole = new GraphSum();
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(new InMemoryStore(Clock.systemUTC())).run("w").seed(5))) {
      ckpt.fit(SmallTraining.sameDiff(Updater.ADAM), data(), 4, whole);
    }
    GraphSum first = new GraphSum();
    open(ckpt -> ckpt.fit(SmallTraining.sameDiff(Updater.ADAM), data(), 2, first));
    GraphSum next = new GraphSum();
    open(ckpt -> ckpt.fit(SmallTraining.sameDiff(Updater.ADAM), data(), 4, next));
    assertThat(next.sum).isEqualTo(whole.sum).isGreaterThan(first.sum);
  }

  @Test
  void aListenerWithAStateThatComesBehindTheResumeIsRefused() {
    open(
        ckpt -> {
          SameDiff graph = SmallTraining.sameDiff(Updater.ADAM);
          ckpt.resume(graph);
          assertThatThrownBy(() -> ckpt.fit(graph, data(), 5, new GraphSum()))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("setListeners before ckpt.resume");
        });
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(new InMemoryStore(Clock.systemUTC())).run("n").seed(5))) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      ckpt.resume(net);
      net.addListeners(new Sum());
      assertThatThrownBy(() -> ckpt.fit(net, data(), 1))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("Sum keeps a state");
    }
  }

  @Test
  void metricsAreInTheCheckpointsAndNonFiniteOnesAreNot() {
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          ckpt.resume(net);
          ckpt.metric("accuracy", 0.75);
          ckpt.metric("gone", Double.NaN);
          ckpt.fit(net, data(), 1);
          var saved = ckpt.manager().checkpoints().find("latest");
          assertThat(saved.metrics())
              .containsEntry("accuracy", 0.75)
              .containsEntry("score", net.score())
              .doesNotContainKey("gone");
        });
  }

  /** What a listener, or a metric, is told of an epoch that has no batch left to train. */
  @Test
  void theLastLossIsThatOfTheCheckpoint() {
    double[] score = new double[1];
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          ckpt.fit(net, data(), 2);
          score[0] = net.score();
        });
    assertThat(score[0]).isFinite().isPositive();
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          assertThat(net.score()).isNotEqualTo(score[0]);
          ckpt.resume(net);
          assertThat(net.score()).isEqualTo(score[0]);
          ckpt.manager().save(ckpt.progress(), ckpt.session().parts().metrics().all()).join();
          assertThat(ckpt.manager().checkpoints().find("latest").metrics())
              .containsEntry("score", score[0]);
        });
  }

  @Test
  void theLastLossOfAGraphThatIsCompleteToo() {
    ComputationGraph whole = SmallTraining.graph(Updater.ADAM);
    open(ckpt -> ckpt.fit(whole, data(), 2));
    open(
        ckpt -> {
          ComputationGraph net = SmallTraining.graph(Updater.ADAM);
          ckpt.fit(net, data(), 2);
          assertThat(net.score()).isEqualTo(whole.score()).isPositive();
        });
  }

  @Test
  void theSecondHalfOfAPairOfGaussiansIsNotForgotten() {
    double[] next = new double[3];
    open(
        ckpt -> {
          ckpt.resume(SmallTraining.network(Updater.ADAM));
          Nd4j.getRandom().nextGaussian(); // its twin is kept outside of the native state
          ckpt.manager().save(ckpt.progress(), Map.of()).join();
          for (int i = 0; i < next.length; i++) {
            next[i] = Nd4j.getRandom().nextGaussian();
          }
        });
    open(
        ckpt -> {
          Nd4j.getRandom().setSeed(77);
          ckpt.resume(SmallTraining.network(Updater.ADAM));
          for (double each : next) {
            assertThat(Nd4j.getRandom().nextGaussian()).isEqualTo(each);
          }
        });
  }

  @Test
  void aFreshStartDrawsTheSameWhateverWasDrawnBeforeIt() {
    INDArray[] drawn = new INDArray[2];
    for (int i = 0; i < 2; i++) {
      int before = i * 17;
      int at = i;
      CheckpointStore own = new InMemoryStore(Clock.systemUTC());
      try (Dl4jCheckpoints ckpt =
          Dl4jCheckpoints.open(CheckpointManager.in(own).run("f").seed(5))) {
        Nd4j.rand(1, 1 + before);
        ckpt.resume(SmallTraining.network(Updater.ADAM));
        drawn[at] = Nd4j.rand(1, 8);
      }
    }
    assertThat(drawn[0]).isEqualTo(drawn[1]);
  }
}
