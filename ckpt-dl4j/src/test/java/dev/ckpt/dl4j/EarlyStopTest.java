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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.earlystopping.EarlyStoppingConfiguration;
import org.deeplearning4j.earlystopping.EarlyStoppingResult;
import org.deeplearning4j.earlystopping.EarlyStoppingResult.TerminationReason;
import org.deeplearning4j.earlystopping.saver.InMemoryModelSaver;
import org.deeplearning4j.earlystopping.scorecalc.DataSetLossCalculator;
import org.deeplearning4j.earlystopping.scorecalc.DataSetLossCalculatorCG;
import org.deeplearning4j.earlystopping.termination.EpochTerminationCondition;
import org.deeplearning4j.earlystopping.termination.MaxEpochsTerminationCondition;
import org.deeplearning4j.earlystopping.termination.MaxScoreIterationTerminationCondition;
import org.deeplearning4j.earlystopping.termination.MaxTimeIterationTerminationCondition;
import org.deeplearning4j.earlystopping.termination.ScoreImprovementEpochTerminationCondition;
import org.deeplearning4j.earlystopping.trainer.EarlyStoppingTrainer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.listeners.At;
import org.nd4j.autodiff.listeners.BaseListener;
import org.nd4j.autodiff.listeners.ListenerResponse;
import org.nd4j.autodiff.listeners.Operation;
import org.nd4j.autodiff.listeners.records.LossCurve;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.adapter.MultiDataSetIteratorAdapter;

/** Early stopping remembers its scores, its patience and its best model over a kill. */
class EarlyStopTest {
  private static ListDataSetIterator<DataSet> data() {
    return new ListDataSetIterator<>(SmallTraining.samples().asList(), 30);
  }

  private static EarlyStoppingConfiguration<MultiLayerNetwork> patience() {
    return new EarlyStoppingConfiguration.Builder<MultiLayerNetwork>()
        .epochTerminationConditions(
            new ScoreImprovementEpochTerminationCondition(2, 0.02),
            new MaxEpochsTerminationCondition(40))
        .iterationTerminationConditions(
            new MaxTimeIterationTerminationCondition(1, TimeUnit.HOURS),
            new MaxScoreIterationTerminationCondition(1e9))
        .scoreCalculator(new DataSetLossCalculator(data(), true))
        .build();
  }

  private static Dl4jCheckpoints open(CheckpointStore store) {
    return Dl4jCheckpoints.open(
        CheckpointManager.in(store)
            .run("early")
            .seed(5)
            .saveWhen(SaveTrigger.anyOf(SaveTrigger.everySteps(1), SaveTrigger.onCompletion())));
  }

  /** Kills in that update, counted from the start of the attempt. */
  private static MultiLayerNetwork network(Dl4jCheckpoints ckpt, int kill) {
    MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
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
    return net;
  }

  /** The result, and the digest of the weights at the end. */
  private record Outcome(
      TerminationReason reason,
      Map<Integer, Double> scores,
      int bestEpoch,
      int epochs,
      String best,
      String sha256) {

    static Outcome of(EarlyStoppingResult<MultiLayerNetwork> result, Dl4jCheckpoints ckpt) {
      return new Outcome(
          result.getTerminationReason(),
          result.getScoreVsEpoch(),
          result.getBestModelEpoch(),
          result.getTotalEpochs(),
          result.getBestModel().params().toStringFull(),
          ckpt.sha256());
    }
  }

  private static Outcome run(CheckpointStore store, int kill) {
    try (Dl4jCheckpoints ckpt = open(store)) {
      return Outcome.of(ckpt.fit(network(ckpt, kill), data(), patience()), ckpt);
    }
  }

  @Test
  void killedAnywhereItStopsWhereItWouldHaveWithTheSameBestModel() {
    Outcome whole = run(new InMemoryStore(Clock.systemUTC()), -1);
    assertThat(whole.reason).isEqualTo(TerminationReason.EpochTerminationCondition);
    assertThat(whole.epochs).isBetween(4, 39);
    assertThat(whole.bestEpoch).isBetween(1, whole.epochs - 1);

    CheckpointStore store = new InMemoryStore(Clock.systemUTC());
    Outcome killed = null;
    int attempts = 0;
    while (killed == null) {
      try {
        killed = run(store, 6); // five batches an epoch: in another place each time
      } catch (Killed e) {
        attempts++;
      }
    }
    assertThat(attempts).isGreaterThan(2);
    assertThat(killed).isEqualTo(whole);
    assertThat(run(store, 0)).as("started once more it trains nothing").isEqualTo(whole);
  }

  @Test
  void itStopsWhereDl4jsOwnTrainerStops() {
    Outcome ours = run(new InMemoryStore(Clock.systemUTC()), -1);
    MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
    EarlyStoppingResult<MultiLayerNetwork> theirs;
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      ckpt.resume(net); // the same random stream
      theirs = new EarlyStoppingTrainer(patience(), net, data()).fit();
    }
    assertThat(theirs.getScoreVsEpoch()).isEqualTo(ours.scores);
    assertThat(theirs.getBestModelEpoch()).isEqualTo(ours.bestEpoch);
    assertThat(theirs.getTotalEpochs()).isEqualTo(ours.epochs);
  }

  @Test
  void theLastModelIsSavedThoughABatchEndsTheTraining() throws Exception {
    InMemoryModelSaver<MultiLayerNetwork> saver = new InMemoryModelSaver<>();
    EarlyStoppingConfiguration<MultiLayerNetwork> config =
        new EarlyStoppingConfiguration.Builder<MultiLayerNetwork>()
            .epochTerminationConditions(new MaxEpochsTerminationCondition(4))
            .iterationTerminationConditions(new MaxScoreIterationTerminationCondition(0))
            .scoreCalculator(new DataSetLossCalculator(data(), true))
            .modelSaver(saver)
            .saveLastModel(true)
            .build();
    MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      assertThat(ckpt.fit(net, data(), config).getTerminationReason())
          .isEqualTo(TerminationReason.IterationTerminationCondition);
    }
    assertThat(saver.getLatestModel().params()).isEqualTo(net.params());
  }

  @Test
  void insideOurEarlyStoppingTheEpochIsNotOverBeforeItsListenersAreDone() {
    List<Integer> seen = new ArrayList<>();
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      net.addListeners(
          new BaseTrainingListener() {
            @Override
            public void onEpochEnd(Model model) {
              seen.add(ckpt.progress().epoch());
              seen.add(ckpt.remainingEpochs(9));
            }
          });
      EarlyStoppingConfiguration<MultiLayerNetwork> three =
          new EarlyStoppingConfiguration.Builder<MultiLayerNetwork>()
              .epochTerminationConditions(new MaxEpochsTerminationCondition(3))
              .scoreCalculator(new DataSetLossCalculator(data(), true))
              .build();
      assertThat(ckpt.fit(net, data(), three).getTotalEpochs()).isEqualTo(3);
      assertThat(ckpt.progress().epoch()).isEqualTo(3);
    }
    assertThat(seen).containsExactly(0, 9, 1, 8, 2, 7);
  }

  private static EarlyStoppingConfiguration<ComputationGraph> ofAGraph() {
    return new EarlyStoppingConfiguration.Builder<ComputationGraph>()
        .epochTerminationConditions(new MaxEpochsTerminationCondition(3))
        .scoreCalculator(new DataSetLossCalculatorCG(data(), true))
        .build();
  }

  @Test
  void aGraphOfSeveralInputsStopsEarlyToo() {
    EarlyStoppingResult<ComputationGraph> one;
    EarlyStoppingResult<ComputationGraph> several;
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      one = ckpt.fit(SmallTraining.graph(Updater.ADAM), data(), ofAGraph());
    }
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      several =
          ckpt.fit(
              SmallTraining.graph(Updater.ADAM),
              new MultiDataSetIteratorAdapter(data()),
              ofAGraph());
    }
    assertThat(several.getTotalEpochs()).isEqualTo(3);
    assertThat(several.getScoreVsEpoch()).hasSize(3).isEqualTo(one.getScoreVsEpoch());
  }

  /** Counts in a field that no checkpoint knows. */
  private static final class Counting implements EpochTerminationCondition {
    private static final long serialVersionUID = 1L;
    private int calls;

    @Override
    public void initialize() {
      calls = 0;
    }

    @Override
    public boolean terminate(int epoch, double score, boolean minimize) {
      return ++calls > 3;
    }
  }

  @Test
  void aConditionWithStateOfItsOwnIsRefusedByField() {
    EarlyStoppingConfiguration<MultiLayerNetwork> config =
        new EarlyStoppingConfiguration.Builder<MultiLayerNetwork>()
            .epochTerminationConditions(new Counting())
            .scoreCalculator(new DataSetLossCalculator(data(), true))
            .build();
    try (Dl4jCheckpoints ckpt = open(new InMemoryStore(Clock.systemUTC()))) {
      assertThatThrownBy(() -> ckpt.fit(SmallTraining.network(Updater.ADAM), data(), config))
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("Counting")
          .hasMessageContaining("calls");
    }
  }

  @Test
  void aListenerThatStopsAGraphEndsTheRun() {
    CheckpointStore store = new InMemoryStore(Clock.systemUTC());
    for (int attempt = 0; attempt < 2; attempt++) {
      try (Dl4jCheckpoints ckpt = open(store)) {
        SameDiff graph = SmallTraining.sameDiff(Updater.ADAM);
        ckpt.fit(graph, data(), 9, new StopsAt(3));
        assertThat(ckpt.progress().epoch()).isEqualTo(4);
        assertThat(graph.getTrainingConfig().getIterationCount()).isEqualTo(20);
        assertThat(ckpt.isComplete()).isTrue();
      }
    }
  }

  private static final class StopsAt extends BaseListener {
    private final int epoch;

    StopsAt(int epoch) {
      this.epoch = epoch;
    }

    @Override
    public boolean isActive(Operation operation) {
      return operation == Operation.TRAINING;
    }

    @Override
    public ListenerResponse epochEnd(SameDiff graph, At at, LossCurve losses, long millis) {
      return at.epoch() == epoch ? ListenerResponse.STOP : ListenerResponse.CONTINUE;
    }
  }
}
