package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import java.nio.file.Path;
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
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.ndarray.INDArray;

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
