package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.nd4j.linalg.indexing.NDArrayIndex.all;
import static org.nd4j.linalg.indexing.NDArrayIndex.interval;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.common.primitives.Pair;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.MultiDataSet;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.AbstractMultiDataSetNormalizer;
import org.nd4j.linalg.dataset.api.preprocessor.MultiNormalizerMinMaxScaler;
import org.nd4j.linalg.dataset.api.preprocessor.MultiNormalizerStandardize;
import org.nd4j.linalg.dataset.api.preprocessor.Normalizer;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerMinMaxScaler;
import org.nd4j.linalg.dataset.api.preprocessor.NormalizerStandardize;
import org.nd4j.linalg.factory.Nd4j;

/** What comes out of checkpoints: DL4J's own file, weights in another network, arrays. */
class ExportTest {
  @TempDir Path folder;

  private static SmallTraining trained(Setup setup, AtomicReference<Object> model) {
    SmallTraining training = new SmallTraining(setup);
    training.atEnd = (ckpt, trainee) -> model.set(trainee.own());
    training.run();
    return training;
  }

  private static Checkpoints checkpoints(SmallTraining training) {
    return Checkpoints.read(training.store, "small");
  }

  @ParameterizedTest
  @EnumSource(Updater.class)
  void plainDl4jPredictsAndHoldsTheUpdatersStateFromTheZip(Updater updater) throws Exception {
    AtomicReference<Object> model = new AtomicReference<>();
    Checkpoints run = checkpoints(trained(Setup.PLAIN.with(updater), model));
    MultiLayerNetwork net = (MultiLayerNetwork) Objects.requireNonNull(model.get());
    Path file = Dl4jCheckpoints.exportModel(run, "latest", folder.resolve("model.zip"));

    MultiLayerNetwork read = ModelSerializer.restoreMultiLayerNetwork(file.toFile());
    INDArray features = SmallTraining.samples().getFeatures();
    assertThat(read.params()).isEqualTo(net.params());
    assertThat(read.output(features)).isEqualTo(net.output(features));
    assertThat(read.updaterState()).isEqualTo(net.updaterState());
    assertThat(read.getIterationCount()).isEqualTo(SmallTraining.BATCHES);
    assertThat(read.getEpochCount()).isEqualTo(SmallTraining.EPOCHS);
  }

  @Test
  void plainDl4jReadsAComputationGraphWhoseVerticesAreSortedOtherwise() throws Exception {
    AtomicReference<Object> model = new AtomicReference<>();
    Checkpoints run = checkpoints(trained(Setup.PLAIN.with(Kind.GRAPH), model));
    ComputationGraph net = (ComputationGraph) Objects.requireNonNull(model.get());
    Path file = Dl4jCheckpoints.exportModel(run, "latest", folder.resolve("graph.zip"));

    ComputationGraph read = ModelSerializer.restoreComputationGraph(file.toFile());
    INDArray features = SmallTraining.samples().getFeatures();
    assertThat(read.params()).isEqualTo(net.params());
    assertThat(read.updaterState()).isEqualTo(net.updaterState());
    assertThat(read.outputSingle(features)).isEqualTo(net.outputSingle(features));
  }

  @Test
  void theCountersOfASaveInsideTheUpdateAreThoseBehindIt() throws Exception {
    SmallTraining training =
        new SmallTraining(Setup.PLAIN.with(Loop.LISTENER_ONLY).with(Data.SYNC));
    training.run(7);
    Path file =
        Dl4jCheckpoints.exportModel(checkpoints(training), "latest", folder.resolve("m.zip"));
    assertThat(ModelSerializer.restoreMultiLayerNetwork(file.toFile()).getIterationCount())
        .isEqualTo(6);
  }

  /** Each kind, with and without the labels' statistics. */
  static List<Normalizer> normalizers() {
    List<Normalizer> all = new ArrayList<>();
    for (boolean labels : new boolean[] {false, true}) {
      NormalizerStandardize standardize = new NormalizerStandardize();
      NormalizerMinMaxScaler range = new NormalizerMinMaxScaler(-1, 3);
      MultiNormalizerStandardize many = new MultiNormalizerStandardize();
      MultiNormalizerMinMaxScaler ranges = new MultiNormalizerMinMaxScaler(0.1, 0.9);
      standardize.fitLabel(labels);
      range.fitLabel(labels);
      many.fitLabel(labels);
      ranges.fitLabel(labels);
      standardize.fit(SmallTraining.samples());
      range.fit(SmallTraining.samples());
      many.fit(pairs());
      ranges.fit(pairs());
      all.addAll(List.of(standardize, range, many, ranges));
    }
    return all;
  }

  /** Two inputs and two answers of different widths. */
  private static MultiDataSet pairs() {
    INDArray in = SmallTraining.samples().getFeatures();
    INDArray out = SmallTraining.samples().getLabels();
    return new MultiDataSet(
        new INDArray[] {in.dup(), in.get(all(), interval(1, 3)).dup()},
        new INDArray[] {out.dup(), in.get(all(), interval(2, 6)).dup()});
  }

  private Path exported(Normalizer... normalizers) {
    return exported(new SmallTraining(Setup.PLAIN), normalizers);
  }

  private Path exported(SmallTraining training, Normalizer... normalizers) {
    try (Dl4jCheckpoints ckpt = Dl4jCheckpoints.open(training.checkpoints())) {
      List.of(normalizers).forEach(ckpt::normalizer);
      ckpt.fit(
          SmallTraining.network(Updater.ADAM),
          ckpt.batches(SmallTraining.samples(), 50, true, false),
          1);
      return ckpt.exportModel("latest", folder.resolve("model.zip"));
    }
  }

  @ParameterizedTest
  @MethodSource("normalizers")
  void plainDl4jFindsTheNormalizerInTheZip(Normalizer normalizer) throws Exception {
    Path file = exported(normalizer);
    Normalizer<?> read = ModelSerializer.restoreNormalizerFromFile(file.toFile());
    assertThat(read).isEqualTo(normalizer).hasSameClassAs(normalizer);
    if (normalizer instanceof AbstractDataSetNormalizer<?> one) {
      DataSet here = SmallTraining.samples();
      DataSet there = SmallTraining.samples();
      one.preProcess(here);
      ((AbstractDataSetNormalizer<?>) read).preProcess(there);
      assertThat(there.getFeatures()).isEqualTo(here.getFeatures());
      assertThat(there.getLabels()).isEqualTo(here.getLabels());
      assertThat(here.getFeatures()).isNotEqualTo(SmallTraining.samples().getFeatures());
      assertThat(ModelSerializer.restoreMultiLayerNetworkAndNormalizer(file.toFile(), true))
          .extracting(Pair::getSecond)
          .isEqualTo(normalizer);
    } else {
      MultiDataSet here = pairs();
      MultiDataSet there = pairs();
      ((AbstractMultiDataSetNormalizer<?>) normalizer).preProcess(here);
      ((AbstractMultiDataSetNormalizer<?>) read).preProcess(there);
      assertThat(there).isEqualTo(here);
      assertThat(here).isNotEqualTo(pairs());
    }
  }

  @Test
  void ofSeveralNormalizersOfOneThatWasNotFittedAndOfWholeNumbersTheZipHasNone() throws Exception {
    List<Normalizer> fitted = normalizers();
    NormalizerMinMaxScaler whole = new NormalizerMinMaxScaler();
    whole.fit(
        new DataSet(
            Nd4j.arange(12).reshape(4, 3).castTo(DataType.INT), Nd4j.ones(DataType.FLOAT, 4, 1)));
    for (Normalizer[] each :
        List.of(
            new Normalizer[] {fitted.get(0), fitted.get(1)},
            new Normalizer[] {new NormalizerStandardize()},
            new Normalizer[] {whole},
            new Normalizer[] {})) {
      File file = exported(each).toFile();
      assertThat((Object) ModelSerializer.restoreNormalizerFromFile(file)).isNull();
      assertThat(ModelSerializer.restoreMultiLayerNetwork(file).getEpochCount()).isEqualTo(1);
    }
  }

  @Test
  void aNormalizerIsMadeOfTheStatisticsInACheckpoint() {
    NormalizerStandardize fitted = (NormalizerStandardize) normalizers().get(0);
    SmallTraining training = new SmallTraining(Setup.PLAIN);
    exported(training, fitted);
    try (NDArrayReader reader = NDArrayReader.open(checkpoints(training), "latest")) {
      assertThat(
              new NormalizerStandardize(
                  reader.read("normalizers/0/features/0/mean"),
                  reader.read("normalizers/0/features/0/std")))
          .isEqualTo(fitted);
    }
  }

  @Test
  void ofAGraphThereIsNoSuchFileAndTheMessageSaysWhatToDo() {
    Checkpoints run =
        checkpoints(trained(Setup.PLAIN.with(Kind.SAMEDIFF), new AtomicReference<>()));
    assertThatThrownBy(
            () -> Dl4jCheckpoints.exportModel(run, "latest", folder.resolve("model.zip")))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("sd.save");
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void weightsAreLoadedIntoANetworkThatNobodyTrains(Kind kind) {
    AtomicReference<Object> model = new AtomicReference<>();
    SmallTraining training = trained(Setup.PLAIN.with(kind), model);
    Object fresh =
        switch (kind) {
          case NETWORK -> SmallTraining.network(Updater.ADAM);
          case GRAPH -> SmallTraining.graph(Updater.ADAM);
          case TWO_INPUTS -> SmallTraining.twoInputs(Updater.ADAM);
          case SAMEDIFF -> SmallTraining.sameDiff(Updater.ADAM);
        };
    Object whole = Objects.requireNonNull(model.get());
    if (fresh instanceof SameDiff graph) {
      Dl4jCheckpoints.loadWeights(graph, checkpoints(training), "latest");
      for (String name : Trainee.of(graph).parameters().keySet()) {
        assertThat(graph.getVariable(name).getArr())
            .as(name)
            .isEqualTo(((SameDiff) whole).getVariable(name).getArr());
      }
    } else {
      Dl4jCheckpoints.loadWeights((Model) fresh, training.store, "latest");
      assertThat(((Model) fresh).params()).isEqualTo(((Model) whole).params());
    }
  }

  @Test
  void weightsOfAnotherStructureAreRefusedByName() {
    SmallTraining training = trained(Setup.PLAIN, new AtomicReference<>());
    ComputationGraph other = SmallTraining.graph(Updater.ADAM);
    INDArray before = other.params().dup();
    assertThatThrownBy(() -> Dl4jCheckpoints.loadWeights(other, training.store, "latest"))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("left_W");
    assertThat(other.params()).isEqualTo(before);
  }

  @Test
  void tensorsComeBackWithTheNamesTheShapesAndTheOrderThatDl4jGaveThem() {
    AtomicReference<Object> model = new AtomicReference<>();
    SmallTraining training = trained(Setup.PLAIN, model);
    MultiLayerNetwork net = (MultiLayerNetwork) Objects.requireNonNull(model.get());
    try (NDArrayReader reader = NDArrayReader.open(checkpoints(training), "latest")) {
      net.paramTable()
          .forEach(
              (name, array) -> {
                INDArray read = reader.read("model/" + name);
                assertThat(read).as(name).isEqualTo(array);
                assertThat(read.shape()).as(name).isEqualTo(array.shape());
              });
      assertThat(net.getParam("0_W").ordering()).isEqualTo('f');
      assertThat(reader.read("model/0_W").ordering()).isEqualTo('f');
      assertThat(reader.read("updater/V/0_W").shape()).containsExactly(6, 12);
      assertThat(reader.names()).doesNotContain("updater/M/1_mean");
    }
  }
}
