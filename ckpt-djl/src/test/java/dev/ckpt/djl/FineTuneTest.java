package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.initializer.Initializer;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.util.PairList;
import dev.ckpt.Attempt;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.InitFrom;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.internal.memory.InMemoryStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A new run that begins with another's weights. */
class FineTuneTest {
  private static final InitFrom BODY =
      InitFrom.of("base", "best(validate_loss, min)")
          .exclude("10Linear_*")
          .freeze("01Linear_*", "02BatchNorm_*", "04Linear_*");

  private final InMemoryStore store = new InMemoryStore(Clock.systemUTC());
  private final Checkpoints base = Checkpoints.read(store, "base");

  /** 18 tensors of a body, and two of a head. */
  private static Block network(int classes) {
    SequentialBlock block = new SequentialBlock();
    for (int i = 0; i < 3; i++) {
      block
          .add(Linear.builder().setUnits(8).build())
          .add(BatchNorm.builder().build())
          .add(Activation::relu);
    }
    return block.add(Linear.builder().setUnits(classes).build());
  }

  private SmallTraining training(InMemoryStore at, String run, int classes) {
    SmallTraining training = new SmallTraining(Setup.plain(), at);
    training.block = small -> network(classes);
    training.checkpointing = builder -> builder.run(run);
    return training;
  }

  private SmallTraining tuned(InMemoryStore at, InitFrom from) {
    SmallTraining training = training(at, "tuned", 5);
    training.checkpointing = builder -> builder.run("tuned").seed(5).initFrom(from);
    return training;
  }

  private static Map<String, float[]> weights(Trainer trainer) {
    Map<String, float[]> all = new TreeMap<>();
    Weights.byName(trainer.getModel().getBlock())
        .forEach((name, each) -> all.put(name, each.getArray().toFloatArray()));
    return all;
  }

  @BeforeEach
  void trainTheBase() {
    training(store, "base", 3).run();
  }

  @Test
  void theBodyIsLoadedTheHeadIsFreshAndWhatIsFrozenStaysToTheBit() {
    SmallTraining training = tuned(store, BODY);
    List<Map<String, float[]>> seen = new ArrayList<>();
    training.afterResume =
        (ckpt, trainer) -> {
          assertThat(ckpt.progress().step()).isZero();
          seen.add(weights(trainer));
        };
    training.atEnd = (ckpt, trainer) -> seen.add(weights(trainer));
    training.run();
    try (NDArrayReader source = NDArrayReader.open(base, "best(validate_loss, min)");
        ai.djl.ndarray.NDManager manager = ai.djl.ndarray.NDManager.newBaseManager()) {
      int loaded = 0;
      for (Map.Entry<String, float[]> each : seen.get(0).entrySet()) {
        if (each.getKey().startsWith("10Linear")) {
          assertThat(each.getValue().length).isIn(5, 40);
        } else {
          loaded++;
          assertThat(source.read(manager, "model/" + each.getKey()).toFloatArray())
              .as(each.getKey())
              .isEqualTo(each.getValue());
        }
        boolean frozen = each.getKey().matches("0[14]Linear.*|02BatchNorm.*");
        float[] end = seen.get(1).get(each.getKey());
        assertThat(java.util.Arrays.equals(end, each.getValue()))
            .as(each.getKey())
            .isEqualTo(frozen);
      }
      assertThat(loaded).isEqualTo(18);
    }
  }

  @Test
  void killedAnywhereItEndsAlikeAndLoadsOnce() {
    long seed = ThreadLocalRandom.current().nextLong();
    System.out.println("FineTuneTest seed " + seed);
    Random random = new Random(seed);
    SmallTraining whole = tuned(store, BODY);
    whole.run();
    for (int i = 0; i < 4; i++) {
      InMemoryStore other = new InMemoryStore(Clock.systemUTC());
      training(other, "base", 3).run();
      SmallTraining killed = tuned(other, BODY);
      killed.run(4 + random.nextInt(whole.log.executed - 4));
      // a resume never looks there again
      assertThat(Checkpoints.read(other, "tuned").list()).isNotEmpty();
      killed.checkpointing =
          builder -> builder.run("tuned").seed(5).initFrom(InitFrom.of("gone", "latest"));
      killed.run();
      assertThat(killed.log.sha256).isEqualTo(whole.log.sha256);
      assertThat(killed.log.epochs).isEqualTo(whole.log.epochs);
      assertThat(statistics(killed)).isNotEmpty().isEqualTo(statistics(whole));
    }
  }

  @Test
  void theReportCountsEachKind() {
    try (NDArrayReader source = NDArrayReader.open(base, "latest")) {
      assertThat(source.names().stream().filter(each -> each.startsWith("model/"))).hasSize(20);
    }
    SmallTraining strict = tuned(store, InitFrom.of("base", "latest"));
    assertThatThrownBy(strict::run)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("18 matched, 0 missing, 2 reshaped, 0 excluded, 2 unused, 0 frozen")
        .hasMessageContaining("10Linear_weight (saved float32 (3, 8), here float32 (5, 8))")
        .hasMessageContaining("strict: false");
    SmallTraining lenient =
        tuned(
            store,
            InitFrom.of("base", "latest").lenient().rename(Map.of("^02BatchNorm", "99BatchNorm")));
    lenient.atEnd =
        (ckpt, trainer) -> {
          try (Checkpoints.Opened open =
              ckpt.manager().checkpoints().open(ckpt.manager().checkpoints().find("latest").id())) {
            Map<?, ?> said = open.view("initialized").value("state", Map.class);
            assertThat(said.get("matched")).isEqualTo(14);
            assertThat((List<?>) said.get("missing")).hasSize(4);
          }
        };
    lenient.run();
  }

  @Test
  void aSourceThatIsNotThereIsNamed() {
    assertThatThrownBy(tuned(store, InitFrom.of("bass", "latest"))::run)
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("there is no run 'bass'")
        .hasMessageContaining("which holds base");
    assertThatThrownBy(tuned(store, InitFrom.of("base", "best"))::run)
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("best(metric)");
    assertThatThrownBy(tuned(store, InitFrom.of("base", "latest").exclude("*"))::run)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("no parameter can be loaded");
  }

  /** Digests of the statistics of the frozen layer, by the newest checkpoint. */
  private static List<String> statistics(SmallTraining training) {
    return training.log.tensors.entrySet().stream()
        .filter(each -> each.getKey().contains("02BatchNorm_running"))
        .map(Object::toString)
        .toList();
  }

  @ParameterizedTest
  @EnumSource(Loop.class)
  void frozenStatisticsStayInEveryLoopAndInEachCheckpoint(Loop loop) {
    SmallTraining training = new SmallTraining(Setup.plain().with(loop).savingEvery(1), store);
    training.block = small -> network(5);
    training.checkpointing =
        builder -> builder.run("tuned").seed(5).keep(Retention.latest(99)).initFrom(BODY);
    List<Map<String, float[]>> seen = new ArrayList<>();
    training.afterResume = (ckpt, trainer) -> seen.add(weights(trainer));
    training.listener =
        new TrainingListenerAdapter() {
          @Override
          public void onValidationBatch(Trainer trainer, BatchData data) {
            seen.add(weights(trainer));
          }
        };
    training.run();
    assertThat(seen).hasSizeGreaterThan(3);
    for (String name : List.of("02BatchNorm_runningMean", "02BatchNorm_runningVar")) {
      float[] first = seen.get(0).get(name);
      assertThat(seen).allSatisfy(each -> assertThat(each.get(name)).isEqualTo(first));
      Checkpoints tuned = Checkpoints.read(store, "tuned");
      tuned
          .list()
          .forEach(
              each -> {
                try (NDArrayReader reader = NDArrayReader.open(tuned, each.id());
                    ai.djl.ndarray.NDManager manager = ai.djl.ndarray.NDManager.newBaseManager()) {
                  assertThat(reader.read(manager, "model/" + name).toFloatArray())
                      .as(each.id())
                      .isEqualTo(first);
                }
              });
    }
    assertThat(seen.get(0).get("05BatchNorm_runningMean"))
        .as("not frozen")
        .isNotEqualTo(seen.get(seen.size() - 1).get("05BatchNorm_runningMean"));
  }

  private static List<float[]> statisticsOf(String layer, Trainer trainer) {
    Map<String, float[]> all = weights(trainer);
    return List.of(all.get(layer + "_runningMean"), all.get(layer + "_runningVar"));
  }

  private static void thaw(Trainer trainer) {
    Weights.byName(trainer.getModel().getBlock()).values().stream()
        .filter(Parameters::changesOnlyInUpdates)
        .forEach(parameter -> parameter.freeze(false));
  }

  @Test
  void whoThawsALayerThawsItsStatisticsForGood() {
    SmallTraining training = tuned(store, BODY);
    training.epochs = 1;
    training.run();
    List<List<float[]>> seen = new ArrayList<>();
    training.atEnd = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
    for (int epochs = 2; epochs <= 4; epochs++) {
      boolean thaws = epochs == 3; // as the warning says: in the program, once
      training.epochs = epochs;
      training.afterResume =
          (ckpt, trainer) -> {
            if (thaws) {
              thaw(trainer);
            }
          };
      training.run();
    }
    assertThat(training.log.startedAt).containsExactly(0L, 10L, 20L, 30L);
    try (NDArrayReader reader = NDArrayReader.open(base, "best(validate_loss, min)");
        ai.djl.ndarray.NDManager manager = ai.djl.ndarray.NDManager.newBaseManager()) {
      float[] mean = reader.read(manager, "model/02BatchNorm_runningMean").toFloatArray();
      assertThat(seen.get(0).get(0)).as("frozen for two epochs").isEqualTo(mean);
    }
    for (int i = 0; i < 2; i++) {
      assertThat(seen.get(1).get(i)).as("thawed").isNotEqualTo(seen.get(0).get(i));
      assertThat(seen.get(2).get(i)).as("and still").isNotEqualTo(seen.get(1).get(i));
    }
  }

  @Test
  void whatAListenerThawsAtAnEpochsEndIsThawedBehindAKill() {
    for (boolean killed : List.of(false, true)) {
      InMemoryStore at = new InMemoryStore(Clock.systemUTC());
      training(at, "base", 3).run();
      SmallTraining training = tuned(at, BODY);
      training.listener =
          new TrainingListenerAdapter() {
            @Override
            public void onEpoch(Trainer trainer) {
              thaw(trainer);
            }
          };
      List<List<float[]>> seen = new ArrayList<>();
      training.afterResume = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
      training.atEnd = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
      if (killed) {
        assertThat(training.run(11)).isFalse(); // newest is the end of the first epoch
        assertThat(training.log.startedAt).containsExactly(0L);
      }
      training.run();
      float[] base = seen.get(0).get(0);
      assertThat(seen.get(seen.size() - 1).get(0)).as("killed: %s", killed).isNotEqualTo(base);
    }
  }

  /** As DJL's own fine-tuning freezes: before anything is trained. */
  @ParameterizedTest
  @ValueSource(strings = {"gamma and beta", "gamma"})
  void whatTheProgramFrozeAndThawsLetsItsStatisticsMove(String thawed) {
    InitFrom statistics =
        InitFrom.of("base", "latest").exclude("10Linear_*").freeze("02BatchNorm_running*");
    SmallTraining training = tuned(store, statistics);
    training.beforeResume =
        trainer ->
            Weights.byName(trainer.getModel().getBlock())
                .forEach((name, each) -> each.freeze(!name.matches("0[457].*_(w|b|g).*|10.*")));
    List<List<float[]>> seen = new ArrayList<>();
    training.afterResume = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
    for (int epochs = 1; epochs <= 2; epochs++) {
      training.epochs = epochs;
      training.run();
    }
    training.listener =
        new TrainingListenerAdapter() {
          @Override
          public void onEpoch(Trainer trainer) {
            Map<String, Parameter> all = Weights.byName(trainer.getModel().getBlock());
            for (String each : thawed.split(" and ", -1)) {
              java.util.Objects.requireNonNull(all.get("02BatchNorm_" + each)).freeze(false);
            }
          }
        };
    training.epochs = 4; // the third is frozen still
    training.run();
    training.listener = new TrainingListenerAdapter() {};
    training.epochs = 5;
    training.run();
    training.run();
    for (int i = 0; i < 2; i++) {
      assertThat(seen.get(1).get(i)).as("frozen").isEqualTo(seen.get(0).get(i));
      assertThat(seen.get(2).get(i)).as("frozen").isEqualTo(seen.get(0).get(i));
      assertThat(seen.get(3).get(i)).as("thawed").isNotEqualTo(seen.get(0).get(i));
      assertThat(seen.get(4).get(i)).as("for good").isNotEqualTo(seen.get(3).get(i));
    }
  }

  @Test
  void aScaleThatALayerDoesWithoutKeepsNoStatisticsFrozen() {
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.block =
        small ->
            new SequentialBlock()
                .add(Linear.builder().setUnits(8).build())
                .add(BatchNorm.builder().optScale(false).build())
                .add(Linear.builder().setUnits(3).build());
    training.checkpointing = builder -> builder.run("unscaled");
    training.run();
    InitFrom body =
        InitFrom.of("unscaled", "latest").exclude("03Linear_*").freeze("01*", "02BatchNorm_*");
    training.checkpointing = builder -> builder.run("tuned").seed(5).initFrom(body);
    List<List<float[]>> seen = new ArrayList<>();
    training.atEnd = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
    training.epochs = 1;
    training.run();
    training.epochs = 2;
    training.afterResume =
        (ckpt, trainer) ->
            Weights.byName(trainer.getModel().getBlock())
                .forEach((name, each) -> each.freeze(!name.matches(".*(weight|bias|beta)")));
    training.run();
    assertThat(seen.get(1).get(0)).as("thawed").isNotEqualTo(seen.get(0).get(0));
  }

  /** A block of a user's own: a factor that is trained, and a mean that each forward moves. */
  private static final class Factor extends AbstractBlock {
    private final Parameter factor;
    private final Parameter mean;

    Factor() {
      super((byte) 1);
      factor = addParameter(parameter("factor", Parameter.Type.OTHER, true));
      mean = addParameter(parameter("running_mean", Parameter.Type.RUNNING_MEAN, false));
    }

    private static Parameter parameter(String name, Parameter.Type type, boolean trained) {
      return Parameter.builder()
          .setName(name)
          .setType(type)
          .optShape(new Shape(1))
          .optRequiresGrad(trained)
          .optInitializer(Initializer.ONES)
          .build();
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store,
        NDList inputs,
        boolean training,
        @Nullable PairList<String, Object> parameters) {
      NDArray x = inputs.singletonOrThrow();
      NDArray running = store.getValue(mean, x.getDevice(), training);
      if (training) {
        NDArray next = running.mul(0.9f).add(x.mean().stopGradient().mul(0.1f));
        next.copyTo(running);
      }
      return new NDList(x.mul(store.getValue(factor, x.getDevice(), training)).sub(running));
    }

    @Override
    public Shape[] getOutputShapes(Shape[] inputs) {
      return inputs;
    }
  }

  private static Block ownBlock() {
    return new SequentialBlock()
        .add(Linear.builder().setUnits(8).build())
        .add(new Factor())
        .add(Activation::relu)
        .add(Linear.builder().setUnits(3).build());
  }

  /** What is frozen of the user's own block, and the program thaws. */
  @ParameterizedTest
  @CsvSource({
    "02*, false",
    "'02*, 01*', false",
    "'02Factor_factor, 02Factor_running_mean', false",
    "02*, true"
  })
  void whatAUsersOwnBlockHoldsIsFrozenAndThawedWhateverItsTypesAndNamesAre(
      String frozen, boolean byTheProgramToo) {
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.block = small -> ownBlock();
    training.checkpointing = builder -> builder.run("own");
    training.run();
    InitFrom body =
        InitFrom.of("own", "latest").exclude("04Linear_*").freeze(frozen.split(", ", -1));
    training.checkpointing = builder -> builder.run("tuned").seed(5).initFrom(body);
    List<Map<String, float[]>> seen = new ArrayList<>();
    if (byTheProgramToo) {
      training.beforeResume =
          trainer ->
              Weights.byName(trainer.getModel().getBlock())
                  .forEach((name, each) -> each.freeze(!name.startsWith("04")));
    }
    training.afterResume = (ckpt, trainer) -> seen.add(weights(trainer));
    training.atEnd = (ckpt, trainer) -> seen.add(weights(trainer));
    training.epochs = 1;
    training.run();
    training.afterResume =
        (ckpt, trainer) ->
            Weights.byName(trainer.getModel().getBlock())
                .forEach((name, each) -> each.freeze(name.endsWith("running_mean")));
    training.epochs = 2;
    training.run();
    training.afterResume = (ckpt, trainer) -> {};
    training.epochs = 3;
    training.run();
    assertThat(seen).hasSize(4);
    for (String name : List.of("02Factor_factor", "02Factor_running_mean")) {
      assertThat(seen.get(1).get(name)).as("%s frozen", name).isEqualTo(seen.get(0).get(name));
      assertThat(seen.get(2).get(name)).as("%s thawed", name).isNotEqualTo(seen.get(1).get(name));
      assertThat(seen.get(3).get(name)).as("%s for good", name).isNotEqualTo(seen.get(2).get(name));
    }
  }

  @Test
  void statisticsThatAloneWereFrozenAreThawedByLeavingThemOutOfFreeze() {
    InitFrom alone =
        InitFrom.of("base", "latest").exclude("10Linear_*").freeze("02BatchNorm_running*");
    SmallTraining training = tuned(store, alone);
    List<List<float[]>> seen = new ArrayList<>();
    training.afterResume = (ckpt, trainer) -> seen.add(statisticsOf("02BatchNorm", trainer));
    training.epochs = 1;
    training.run();
    training.epochs = 2;
    training.run();
    InitFrom none = InitFrom.of("base", "latest").exclude("10Linear_*");
    training.checkpointing = builder -> builder.run("tuned").seed(5).initFrom(none);
    training.epochs = 3;
    training.run();
    training.epochs = 4;
    training.run();
    for (int i = 0; i < 2; i++) {
      assertThat(seen.get(1).get(i)).isEqualTo(seen.get(0).get(i));
      assertThat(seen.get(2).get(i)).isEqualTo(seen.get(0).get(i));
      assertThat(seen.get(3).get(i)).as("thawed").isNotEqualTo(seen.get(0).get(i));
    }
  }

  @Test
  void aTypoIsNamedAndFreezingAllIsRefused() {
    assertThatThrownBy(tuned(store, BODY.exclude("10Linaer_*"))::run)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("exclude '10Linaer_*' (near it: 10Linear_weight, 10Linear_bias");
    SmallTraining all = training(store, "all", 3);
    all.checkpointing =
        builder -> builder.run("all").initFrom(InitFrom.of("base", "latest").freeze("*"));
    assertThatThrownBy(all::run)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("freeze leaves no parameter to train");
    SmallTraining self = tuned(store, InitFrom.of("tuned", "latest"));
    assertThatThrownBy(self::run)
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("'tuned' is this run itself");
  }

  @Test
  void whatIsRefusedIsRecordedAndIsNoCrashLoop() {
    for (int i = 0; i < 4; i++) {
      assertThatThrownBy(tuned(store, InitFrom.of("base", "latest"))::run)
          .isInstanceOf(CheckpointException.Incompatible.class);
    }
    assertThat(Checkpoints.read(store, "tuned").attempts())
        .hasSize(4)
        .allSatisfy(
            each -> {
              assertThat(each.end()).isEqualTo(Attempt.End.FAILED);
              assertThat(each.cause().orElseThrow()).contains("not every parameter can be loaded");
            });
    SmallTraining right = tuned(store, BODY);
    right.run();
    assertThat(right.log.executed).isEqualTo(30);
  }

  @Test
  void anotherSourceThanTheOneThatItBeganWithIsTold() {
    SmallTraining training = tuned(store, BODY);
    training.run();
    assertThat(Told.by(training::run)).doesNotContain("initFrom counts at step 0 only");
    InitFrom latest =
        InitFrom.of("base", "latest")
            .exclude("10Linear_*")
            .freeze("01Linear_*", "02BatchNorm_*", "04Linear_*");
    training.checkpointing = builder -> builder.run("tuned").initFrom(latest);
    assertThat(Told.by(training::run))
        .contains("initFrom counts at step 0 only")
        .contains("it began with checkpoint 'best(validate_loss, min)'");
    InitFrom renamed = BODY.rename(Map.of("^77", "78"));
    training.checkpointing = builder -> builder.run("tuned").initFrom(renamed);
    assertThat(Told.by(training::run)).contains("it began with rename {}");
    training.checkpointing = builder -> builder.run("tuned").initFrom(BODY.in("elsewhere"));
    assertThat(Told.by(training::run)).contains("it began with run 'base' of its own store");
  }

  @Test
  void aRunThatBeganFreshRefusesWeightsThatItWouldNotUse() {
    SmallTraining plain = training(store, "tuned", 5);
    plain.epochs = 1;
    plain.run();
    String sha256 = plain.log.sha256;
    SmallTraining added = tuned(store, BODY);
    assertThatThrownBy(added::run)
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("run 'tuned' had begun with fresh weights")
        .hasMessageContaining("resume: never");
    plain.run();
    assertThat(plain.log.sha256).as("nothing was changed").isEqualTo(sha256);
    added.checkpointing = builder -> builder.run("tuned").resume(new Resume.Never()).initFrom(BODY);
    added.run();
    added.checkpointing = builder -> builder.run("tuned").initFrom(BODY);
    added.run();
    assertThat(added.log.startedAt).endsWith(0L, 30L);
  }
}
