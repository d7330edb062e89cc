package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.AbstractSymbolBlock;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.ParameterList;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import ai.djl.util.PairList;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Resume;
import dev.ckpt.Retention.Mode;
import dev.ckpt.internal.memory.InMemoryStore;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Half of a checkpoint's worth: the model in it. */
class PredictTest {
  @TempDir Path folder;

  private final InMemoryStore store = new InMemoryStore(Clock.systemUTC());
  private final Checkpoints run = Checkpoints.read(store, "small");
  private final List<Trainer> trainers = new ArrayList<>();
  private byte[] saved = {};
  private Map<String, float[]> weights = Map.of();

  /** Trains, and has DJL itself save the final model. */
  private void train() {
    train(net -> net);
  }

  private void train(UnaryOperator<Block> block) {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
    training.block = block;
    training.afterResume = (ckpt, trainer) -> trainers.add(trainer);
    training.atEnd =
        (ckpt, trainer) -> {
          try {
            trainer.getModel().save(folder.resolve("djl"), "net");
            saved = Files.readAllBytes(folder.resolve("djl/net-0000.params"));
            weights = new java.util.TreeMap<>();
            Weights.byName(trainer.getModel().getBlock())
                .forEach((name, each) -> weights.put(name, each.getArray().toFloatArray()));
          } catch (IOException e) {
            throw new AssertionError(e);
          }
        };
    training.run();
  }

  private static float[] predict(Model model) throws TranslateException {
    try (Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator());
        NDManager manager = NDManager.newBaseManager()) {
      NDArray rows = manager.arange(60f).reshape(10, 6).sin();
      return predictor.predict(new NDList(rows)).singletonOrThrow().toFloatArray();
    }
  }

  private static Model model(Block block) {
    Model model = Model.newInstance("other", Device.cpu());
    model.setBlock(block);
    return model;
  }

  private float[] ofDjl() throws IOException, MalformedModelException, TranslateException {
    try (Model plain = model(SmallTraining.network())) {
      plain.load(folder.resolve("djl"), "net");
      return predict(plain);
    }
  }

  @Test
  void theFileIsTheOneThatDjlWrites() throws IOException {
    train();
    Path file = DjlCheckpoints.exportModel(run, "latest", folder.resolve("ours"), "net");
    assertThat(file.getFileName()).hasToString("net-0000.params");
    byte[] ours = Files.readAllBytes(file);
    // the name in the head is the model's own; DJL writes the one it is saved under
    int head = "DJL@".length() + 4 + 2;
    assertThat(java.util.Arrays.copyOfRange(ours, head + "small".length(), ours.length))
        .isEqualTo(java.util.Arrays.copyOfRange(saved, head + "net".length(), saved.length));
    try (var files = Files.list(folder.resolve("ours"))) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void whatAProgramSaysOfItsModelWhileItTrainsIsInTheFile() throws Exception {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
    training.listener =
        new TrainingListenerAdapter() {
          @Override
          public void onEpoch(Trainer trainer) {
            Model model = trainer.getModel();
            model.setProperty("Epoch", "" + trainer.getTrainingResult().getEpoch());
          }
        };
    training.run();
    List<String> said = new ArrayList<>();
    for (Checkpoint each : run.list()) {
      DjlCheckpoints.exportModel(run, each.id(), folder.resolve(each.id()), "net");
      try (Model plain = model(SmallTraining.network())) {
        plain.load(folder.resolve(each.id()), "net");
        said.add(each.progress().step() + ": " + plain.getProperty("Epoch"));
      }
    }
    assertThat(said).contains("30: 3").doesNotContainNull().hasSizeGreaterThan(1);
    assertThat(said).allMatch(each -> each.matches("1[0-9]: 1|2[0-9]: 2|30: [23]|[1-9]: null"));
  }

  @Test
  void aFileThatDjlWouldLoadInsteadIsNamedAndNothingIsWritten() throws Exception {
    train();
    Path ours = Files.createDirectories(folder.resolve("ours"));
    Files.createFile(ours.resolve("other-0009.params"));
    Files.createFile(ours.resolve("net-0007.params"));
    assertThatThrownBy(() -> DjlCheckpoints.exportModel(run, "latest", ours, "net"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("holds net-0007.params, which DJL loads instead of net-0000.params");
    assertThat(ours.resolve("net-0000.params")).doesNotExist();
    Files.delete(ours.resolve("net-0007.params"));
    DjlCheckpoints.exportModel(run, "latest", ours, "net");
    try (Model plain = model(SmallTraining.network())) {
      plain.load(ours, "net");
      assertThat(predict(plain)).isEqualTo(ofDjl());
    }
  }

  @Test
  void plainDjlPredictsTheSameFromIt() throws Exception {
    train();
    DjlCheckpoints.exportModel(run, "latest", folder.resolve("ours"), "net");
    try (Model plain = model(SmallTraining.network())) {
      plain.load(folder.resolve("ours"), "net");
      assertThat(predict(plain)).isEqualTo(ofDjl());
    }
  }

  @Test
  void weightsGoIntoABareModelAndIntoAnInitializedOne() throws Exception {
    train();
    float[] expected = ofDjl();
    try (Model bare = model(SmallTraining.network());
        Model drawn = model(SmallTraining.network())) {
      Checkpoint loaded = DjlCheckpoints.loadWeights(bare, store, "latest");
      assertThat(loaded).isEqualTo(run.latest().orElseThrow());
      assertThat(predict(bare)).isEqualTo(expected);
      drawn.getBlock().initialize(drawn.getNDManager(), DataType.FLOAT32, new Shape(16, 6));
      assertThat(predict(drawn)).isNotEqualTo(expected);
      DjlCheckpoints.loadWeights(drawn, run, loaded.id());
      assertThat(predict(drawn)).isEqualTo(expected);
    }
  }

  /** As a TorchScript module is one: it scales, and writes itself. */
  private static final class Module extends AbstractSymbolBlock {
    private final Parameter scale =
        Parameter.builder()
            .setName("scale")
            .setType(Parameter.Type.GAMMA)
            .optShape(new Shape(1))
            .build();

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> more) {
      NDArray rows = inputs.singletonOrThrow();
      return new NDList(rows.mul(store.getValue(scale, rows.getDevice(), training)));
    }

    @Override
    public ParameterList getDirectParameters() {
      ParameterList all = new ParameterList();
      all.add("scale", scale);
      return all;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }

    @Override
    public void saveParameters(DataOutputStream out) throws IOException {
      out.writeUTF("the engine's own form");
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream in) throws IOException {
      in.readUTF();
    }
  }

  @Test
  void aModuleOfTheEnginesOwnIsWarnedOfAndNoFileIsMadeThatLacksItsWeights() throws Exception {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
    training.block = net -> new SequentialBlock().add(new Module()).add(net);
    assertThat(Told.by(training::run)).contains("01Module: a module of the engine's own");
    assertThatThrownBy(
            () -> DjlCheckpoints.exportModel(run, "latest", folder.resolve("ours"), "net"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("the engine itself writes 01Module");
    try (Model bare = model(training.block.apply(SmallTraining.network()));
        Model drawn = model(training.block.apply(SmallTraining.network()))) {
      assertThatThrownBy(() -> DjlCheckpoints.loadWeights(bare, store, "latest"))
          .isInstanceOf(CheckpointException.NotFound.class)
          .hasMessageContaining("Build and initialize the model");
      drawn.getBlock().initialize(drawn.getNDManager(), DataType.FLOAT32, new Shape(16, 6));
      assertThat(Told.by(() -> DjlCheckpoints.loadWeights(drawn, store, "latest")))
          .contains("01Module: a module of the engine's own");
      float scale = drawn.getBlock().getParameters().get(0).getValue().getArray().getFloat(0);
      try (NDArrayReader reader = NDArrayReader.open(run, "latest");
          NDManager manager = NDManager.newBaseManager()) {
        assertThat(scale)
            .isNotEqualTo(1)
            .isEqualTo(reader.read(manager, "model/01Module_scale").getFloat(0));
      }
    }
  }

  @Test
  void theBestIsWhatTheMetricSays() {
    train();
    List<Checkpoint> all = run.list();
    Checkpoint best = run.find("best(validate_loss, min)");
    double least =
        all.stream()
            .mapToDouble(each -> each.metrics().getOrDefault("validate_loss", Double.NaN))
            .filter(Double::isFinite)
            .min()
            .orElseThrow();
    assertThat(best.metrics()).containsEntry("validate_loss", least);
    assertThatThrownBy(() -> run.find("best"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("keep.best")
        .hasMessageContaining("validate_loss");
    assertThatThrownBy(() -> run.find("newest"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("latest, best");
  }

  /** Counts what it has trained, and writes that. */
  private static final class Counter extends AbstractBlock {
    private int trained;

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList inputs, boolean training, PairList<String, Object> more) {
      trained += training ? 1 : 0;
      return inputs;
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }

    @Override
    public void saveParameters(DataOutputStream out) throws IOException {
      out.writeInt(trained);
    }

    @Override
    public void loadParameters(NDManager manager, DataInputStream in) throws IOException {
      trained = in.readInt();
    }
  }

  @Test
  void whatABlockOfOnesOwnWritesIsInTheFileAsItWasSaved() throws Exception {
    train(net -> new SequentialBlock().add(new Counter()).add(net));
    Path file = DjlCheckpoints.exportModel(run, "latest", folder.resolve("ours"), "net");
    Counter read = new Counter();
    Counter reference = new Counter();
    try (Model ours = model(new SequentialBlock().add(read).add(SmallTraining.network()));
        Model djls = model(new SequentialBlock().add(reference).add(SmallTraining.network()))) {
      ours.load(file.getParent(), "net");
      djls.load(folder.resolve("djl"), "net");
      assertThat(read.trained).isEqualTo(reference.trained).isEqualTo(30);
      assertThat(predict(ours)).isEqualTo(predict(djls));
    }
  }

  @Test
  void aMetricMayBeNamedAsPeopleNameThem() {
    SmallTraining training = new SmallTraining(SmallTraining.Setup.plain(), store);
    training.evaluators = List.of(new Accuracy("F1 (macro)"));
    training.checkpointing = builder -> builder.restoreBest("validate_F1 (macro)", Mode.MAX);
    training.run();
    Checkpoint best = run.best("validate_F1 (macro)", Mode.MAX).orElseThrow();
    for (String text :
        List.of("best", "best(validate_F1 (macro))", "best( validate_F1 (macro), max )")) {
      assertThat(run.find(text)).isEqualTo(best);
    }
    assertThat(Resume.parse("best(validate_F1 (macro), max)")).isInstanceOf(Resume.From.class);
  }

  @Test
  void anotherModelIsRefusedByItsNames() {
    train();
    try (Model other =
            model(
                new SequentialBlock()
                    .add(Linear.builder().setUnits(12).build())
                    .add(Linear.builder().setUnits(4).build()));
        Model reshaped = model(SmallTraining.network())) {
      assertThatThrownBy(() -> DjlCheckpoints.loadWeights(other, store, "latest"))
          .isInstanceOf(CheckpointException.Incompatible.class)
          .hasMessageContaining("02Linear_weight")
          .hasMessageContaining("02BatchNorm_gamma");
      reshaped.getBlock().initialize(reshaped.getNDManager(), DataType.FLOAT32, new Shape(1, 7));
      assertThatThrownBy(() -> DjlCheckpoints.loadWeights(reshaped, store, "latest"))
          .isInstanceOf(CheckpointException.Incompatible.class)
          .hasMessageContaining("Reshaped: 01Linear_weight (saved float32 (12, 6), now");
    }
  }

  @Test
  void everyTensorIsGivenAsAnArray() {
    train();
    try (NDArrayReader reader = NDArrayReader.open(run, "latest");
        NDManager manager = NDManager.newBaseManager()) {
      assertThat(reader.names())
          .contains("model/01Linear_weight", "optimizer/slot/means/01Linear_weight");
      weights.forEach(
          (name, values) ->
              assertThat(reader.read(manager, "model/" + name).toFloatArray()).isEqualTo(values));
      assertThatThrownBy(() -> reader.read(manager, "01Linear_weight"))
          .hasMessageContaining("model/01Linear_weight");
    }
  }
}
