package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.deeplearning4j.datasets.iterator.AsyncDataSetIterator;
import org.deeplearning4j.datasets.iterator.AsyncShieldDataSetIterator;
import org.deeplearning4j.datasets.iterator.EarlyTerminationDataSetIterator;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.earlystopping.scorecalc.DataSetLossCalculator;
import org.deeplearning4j.nn.api.OptimizationAlgorithm;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.OutputLayer;
import org.deeplearning4j.nn.conf.ocnn.OCNNOutputLayer;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.dataset.AsyncMultiDataSetIterator;
import org.nd4j.linalg.dataset.adapter.MultiDataSetIteratorAdapter;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.learning.config.IUpdater;
import org.nd4j.linalg.learning.config.Nadam;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** What cannot be exact is an error that says what to do, before anything is touched. */
class RefusalTest {
  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  private void open(Consumer<Dl4jCheckpoints> use) {
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store).run("r").seed(5).saveWhen(SaveTrigger.everySteps(1)))) {
      use.accept(ckpt);
    }
  }

  private static MultiLayerNetwork net(IUpdater updater, int... units) {
    return net(new NeuralNetConfiguration.Builder().seed(3).updater(updater), units);
  }

  private static MultiLayerNetwork net(NeuralNetConfiguration.Builder settings, int... units) {
    NeuralNetConfiguration.ListBuilder layers = settings.list();
    int in = 6;
    for (int each : units) {
      layers.layer(new DenseLayer.Builder().nIn(in).nOut(each).build());
      in = each;
    }
    layers.layer(new OutputLayer.Builder(LossFunction.MSE).nIn(in).nOut(3).build());
    MultiLayerNetwork net = new MultiLayerNetwork(layers.build());
    net.init();
    return net;
  }

  private static DataSetIterator data() {
    return new ListDataSetIterator<>(SmallTraining.samples().asList(), 50);
  }

  @Test
  void anotherStructureListsWhatIsMissingExtraAndReshapedAndChangesNothing() {
    open(ckpt -> ckpt.fit(net(new Adam(), 5), data(), 1));
    open(
        ckpt -> {
          MultiLayerNetwork other = net(new Adam(), 7, 5);
          String before = digest(other);
          assertThatThrownBy(() -> ckpt.fit(other, data(), 2))
              .isInstanceOf(CheckpointException.Incompatible.class)
              .hasMessageContaining("Missing in the checkpoint: 2_W, 2_b")
              .hasMessageContaining("0_W (saved float32 (5, 6), now float32 (7, 6))")
              .hasMessageNotContaining("Extra");
          assertThat(digest(other)).isEqualTo(before);
        });
    open(
        ckpt ->
            assertThatThrownBy(() -> ckpt.resume(net(new Adam())))
                .hasMessageContaining("Extra in the checkpoint: 1_W, 1_b"));
  }

  private static String digest(MultiLayerNetwork net) {
    StateDigest digest = new StateDigest();
    new ModelState(() -> Trainee.of(net)).capture(digest);
    return digest.hex();
  }

  @Test
  void anotherUpdaterIsNamedAlsoIfItsSlotsAreCalledAlike() {
    open(ckpt -> ckpt.fit(net(new Adam(), 5), data(), 1));
    open(
        ckpt ->
            assertThatThrownBy(() -> ckpt.resume(net(new Nadam(), 5)))
                .isInstanceOf(CheckpointException.Incompatible.class)
                .hasMessageContaining("config.Adam]")
                .hasMessageContaining("config.Nadam]")
                .hasMessageContaining("initFrom"));
  }

  @Test
  void anotherKindOfNetworkIsRefused() {
    open(ckpt -> ckpt.fit(net(new Adam(), 5), data(), 1));
    open(
        ckpt ->
            assertThatThrownBy(() -> ckpt.resume(SmallTraining.sameDiff(Updater.ADAM)))
                .isInstanceOf(CheckpointException.Incompatible.class));
  }

  @Test
  void anAlgorithmThatKeepsAHistoryIsRefused() {
    MultiLayerNetwork net =
        net(
            new NeuralNetConfiguration.Builder()
                .optimizationAlgo(OptimizationAlgorithm.LBFGS)
                .seed(3),
            5);
    open(
        ckpt ->
            assertThatThrownBy(() -> ckpt.fit(net, data(), 1))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("LBFGS")
                .hasMessageContaining("STOCHASTIC_GRADIENT_DESCENT"));
  }

  @Test
  void aLayerThatKeepsMoreThanItsParametersIsRefusedByName() {
    NeuralNetConfiguration.ListBuilder layers =
        new NeuralNetConfiguration.Builder()
            .seed(3)
            .updater(new Adam(0.01))
            .list()
            .layer(new DenseLayer.Builder().nIn(6).nOut(5).build())
            .layer(outlier().build());
    MultiLayerNetwork net = new MultiLayerNetwork(layers.build());
    net.init();
    ComputationGraph graph =
        new ComputationGraph(
            new NeuralNetConfiguration.Builder()
                .seed(3)
                .updater(new Adam(0.01))
                .graphBuilder()
                .addInputs("in")
                .addLayer("dense", new DenseLayer.Builder().nIn(6).nOut(5).build(), "in")
                .addLayer("outlier", outlier().build(), "dense")
                .setOutputs("outlier")
                .build());
    graph.init();
    open(
        ckpt -> {
          assertThatThrownBy(() -> ckpt.fit(net, data(), 1))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("Layer 'layer1', an OCNNOutputLayer");
          assertThatThrownBy(() -> ckpt.resume(graph))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("Layer 'outlier', an OCNNOutputLayer");
        });
  }

  private static OCNNOutputLayer.Builder outlier() {
    return new OCNNOutputLayer.Builder().nIn(5).hiddenLayerSize(4).nu(0.1).windowSize(64);
  }

  @Test
  void aNetworkOrAGraphThatIsNotReadySaysWhatIsMissing() {
    open(
        ckpt -> {
          MultiLayerNetwork bare =
              new MultiLayerNetwork(net(new Adam(), 5).getLayerWiseConfigurations().clone());
          assertThatThrownBy(() -> ckpt.resume(bare)).hasMessageContaining("net.init()");
          assertThatThrownBy(() -> ckpt.resume(SameDiff.create()))
              .hasMessageContaining("setTrainingConfig");
          assertThatThrownBy(() -> ckpt.resume(net(new Adam(), 5).getLayer(0)))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("MultiLayerNetwork, a ComputationGraph or a SameDiff");
        });
  }

  @Test
  void trainingBeforeResumingIsRefusedAtTheFirstBatch() {
    open(
        ckpt -> {
          MultiLayerNetwork net = net(new Adam(), 5);
          assertThatThrownBy(() -> net.fit(ckpt.iterator(data())))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("ckpt.resume(net)");
          net.setListeners(ckpt.listener());
          assertThatThrownBy(() -> net.fit(data()))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("ckpt.resume(net)");
        });
  }

  @Test
  void anotherNetworkIsRefused() {
    open(
        ckpt -> {
          MultiLayerNetwork net = net(new Adam(), 5);
          ckpt.resume(net);
          assertThatThrownBy(() -> ckpt.resume(net(new Adam(), 5)))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining("one Dl4jCheckpoints serves one");
          // and if its batches train another one, the epoch's end sees it
          MultiLayerNetwork other = net(new Adam(), 5);
          DataSetIterator batches = ckpt.iterator(data());
          while (batches.hasNext()) {
            other.fit(batches.next());
          }
          assertThatThrownBy(batches::reset)
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("None of the 3 batches of this epoch updated the network");
        });
  }

  @Test
  void aCopyThatIsTrainedInsteadIsSeenThoughEachFitHasAnIteratorOfItsOwn() {
    open(
        ckpt -> {
          MultiLayerNetwork net = net(new Adam(), 5);
          ckpt.resume(net);
          MultiLayerNetwork copy = net.clone();
          copy.fit(ckpt.iterator(data()));
          assertThatThrownBy(() -> copy.fit(ckpt.iterator(data())))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("None of the 3 batches of this epoch updated the network");
        });
  }

  @Test
  void anotherThreadIsRefusedWithTheReason() {
    open(
        ckpt -> {
          MultiLayerNetwork net = net(new Adam(), 5);
          ckpt.resume(net);
          DataSetIterator batches = ckpt.iterator(data());
          assertThatThrownBy(() -> new AsyncDataSetIterator(batches))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("loads ahead by itself");
          assertThatThrownBy(() -> CompletableFuture.supplyAsync(batches::hasNext).join())
              .hasCauseInstanceOf(IllegalStateException.class)
              .hasMessageContaining("boundaries belong to the thread that trains");
        });
  }

  @Test
  void dl4jsLoaderIsRefusedBelowOursToo() throws Exception {
    AsyncDataSetIterator loader = new AsyncDataSetIterator(data(), 2);
    AsyncMultiDataSetIterator loaders =
        new AsyncMultiDataSetIterator(new MultiDataSetIteratorAdapter(data()), 2);
    open(
        ckpt -> {
          assertThatThrownBy(() -> ckpt.iterator(loader))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("AsyncDataSetIterator loads on a thread of its own")
              .hasMessageContaining("the iterator that is in it");
          assertThatThrownBy(() -> ckpt.iterator(loaders))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("AsyncMultiDataSetIterator loads");
          for (DataSetIterator wrapper :
              List.of(
                  new EarlyTerminationDataSetIterator(loader, 3),
                  new AsyncShieldDataSetIterator(new EarlyTerminationDataSetIterator(loader, 3)))) {
            assertThatThrownBy(() -> ckpt.iterator(wrapper))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("AsyncDataSetIterator loads on a thread of its own");
          }
          ckpt.iterator(new AsyncShieldDataSetIterator(data()));
        });
    loader.shutdown();
    loaders.shutdown();
  }

  @Test
  void batchesOfWhichNoneIsFullAreRefusedIfOnlyFullOnesCount() {
    open(
        ckpt -> {
          assertThatThrownBy(() -> ckpt.batches(SmallTraining.samples(), 151, true, true))
              .isInstanceOf(IllegalArgumentException.class)
              .hasMessageContaining("150 samples make no full batch of 151");
          assertThat(ckpt.batches(SmallTraining.samples(), 150, true, true)).hasNext();
          assertThat(ckpt.batches(SmallTraining.samples(), 151, true, false)).hasNext();
        });
  }

  @Test
  void anIteratorThatCannotGoBackIsRefusedWhenItMust() {
    open(
        ckpt ->
            assertThatThrownBy(() -> ckpt.fit(net(new Adam(), 5), new Once(data()), 2))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Once cannot be reset"));
  }

  private static final class Once extends NotAsync {
    private static final long serialVersionUID = 1L;

    Once(DataSetIterator inner) {
      super(inner);
    }

    @Override
    public boolean resetSupported() {
      return false;
    }
  }

  @Test
  void anUnknownShapeOfDl4jNamesTheFieldAndTheTestedVersions() {
    assertThatThrownBy(() -> PrivateField.of(MultiLayerNetwork.class, "solvers", Map.class))
        .isInstanceOf(UnsupportedOperationException.class)
        .hasMessageContaining("This DL4J (1.0.0-M2.1)")
        .hasMessageContaining("MultiLayerNetwork.solvers does not exist")
        .hasMessageContaining("DL4J and ND4J 1.0.0-M2.1");
    assertThatThrownBy(() -> PrivateField.of(MultiLayerNetwork.class, "solver", Map.class))
        .hasMessageContaining("not java.util.Map");
  }

  @Test
  void ourIteratorInsideOfAnotherOfOursIsRefusedAndOnItsOwnCountsOnce() {
    open(
        ckpt -> {
          assertThatThrownBy(
                  () ->
                      ckpt.fit(
                          net(new Adam(), 5),
                          new EarlyTerminationDataSetIterator(ckpt.iterator(data()), 2),
                          1))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("each batch would count twice");
          assertThatThrownBy(() -> ckpt.iterator(ckpt.iterator(data()), 0))
              .isInstanceOf(UnsupportedOperationException.class);
          ckpt.fit(net(new Adam(), 5), ckpt.iterator(data()), 2);
          assertThat(ckpt.progress().epoch()).isEqualTo(2);
        });
  }

  @Test
  void anIteratorOfAnotherRunIsRefused() {
    open(
        other -> {
          DataSetIterator theirs = other.iterator(data());
          try (Dl4jCheckpoints ckpt =
              Dl4jCheckpoints.open(CheckpointManager.in(store).run("another").seed(5))) {
            assertThatThrownBy(() -> ckpt.fit(net(new Adam(), 5), theirs, 1))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("another Dl4jCheckpoints");
          }
        });
  }

  @Test
  void whoReadsOurIteratorWithoutTrainingIsRefusedAndNothingIsCounted() {
    open(
        ckpt -> {
          MultiLayerNetwork net = net(new Adam(), 5);
          ckpt.resume(net);
          DataSetIterator train = ckpt.iterator(data());
          assertThatThrownBy(() -> new NormalizerStandardize().fit(train))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining(".fit reads ckpt.iterator(...) and trains nothing");
          assertThatThrownBy(() -> net.evaluate(train))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("MultiLayerNetwork.evaluate reads ckpt.iterator(...)")
              .hasMessageContaining("Give it the bare data");
          assertThatThrownBy(() -> new DataSetLossCalculator(train, true).calculateScore(net))
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("reads ckpt.iterator(...)");
          assertThat(ckpt.progress().step()).isZero();
          assertThat(ckpt.progress().batch()).isZero();
          net.fit(train);
          assertThatThrownBy(() -> net.evaluate(train))
              .isInstanceOf(UnsupportedOperationException.class);
          assertThat(ckpt.progress().epoch()).isEqualTo(1);
          assertThat(ckpt.progress().batch()).isZero();
          net.evaluate(data());
          net.fit(train);
          assertThat(ckpt.complete()).isTrue();
          assertThat(ckpt.progress().epoch()).isEqualTo(2);
        });
  }
}
