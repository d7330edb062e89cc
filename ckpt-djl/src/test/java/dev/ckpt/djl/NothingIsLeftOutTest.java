package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.djl.SmallTraining.Log;
import dev.ckpt.djl.SmallTraining.Order;
import dev.ckpt.djl.SmallTraining.Setup;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The negative controls: a resume that forgets any one part must show. */
class NothingIsLeftOutTest {
  enum Part {
    NOTHING,
    WEIGHTS,
    RUNNING_STATISTICS,
    SLOTS,
    UPDATE_COUNTS,
    POSITION,
    RANDOM_STREAM,
    EVALUATORS,
    LISTENERS;

    /** Those that the digest of the weights cannot show, but the log does. */
    static final Set<Part> SHOWN_BY_LOG = Set.of(RANDOM_STREAM, EVALUATORS, LISTENERS);
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void aForgottenPartShows(Part forgotten) {
    Setup setup = Setup.plain();
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);
    assertThat(killed.run(14)).isFalse();

    Map<String, NDArray> fresh = new HashMap<>();
    killed.beforeResume =
        trainer ->
            Parameters.of(trainer)
                .byName()
                .forEach((name, parameter) -> fresh.put(name, parameter.getArray().duplicate()));
    killed.afterResume = (ckpt, trainer) -> forget(forgotten, ckpt, trainer, fresh);
    killed.run();

    boolean sameBytes = killed.log.sha256.equals(whole.sha256);
    boolean sameLog =
        killed.log.batches.equals(whole.batches) && killed.log.epochs.equals(whole.epochs);
    assertThat(sameBytes)
        .isEqualTo(forgotten == Part.NOTHING || Part.SHOWN_BY_LOG.contains(forgotten));
    assertThat(sameLog).isEqualTo(forgotten == Part.NOTHING);
  }

  private static void forget(
      Part part, DjlCheckpoints ckpt, Trainer trainer, Map<String, NDArray> fresh) {
    assertThat(ckpt.progress().batch()).as("resumed inside an epoch").isPositive();
    Optimizer optimizer = unwrapped(DjlInternals.optimizer(trainer));
    switch (part) {
      case NOTHING -> {}
      case WEIGHTS -> overwrite(trainer, fresh, false);
      case RUNNING_STATISTICS -> overwrite(trainer, fresh, true);
      case SLOTS -> new OptimizerFields(optimizer).slots().values().forEach(Map::clear);
      case UPDATE_COUNTS -> {
        DjlInternals.UPDATE_COUNTS.get(optimizer).clear();
        DjlInternals.NUM_UPDATE.set(optimizer, 0);
      }
      case POSITION -> {
        Map<String, Object> state = new HashMap<>(ckpt.session().position().read());
        state.put("batch", 0);
        state.put("epochSamples", 0);
        ckpt.session().position().write(state);
      }
      case RANDOM_STREAM -> ckpt.random("noise").setSeed(1);
      case EVALUATORS -> {
        for (Evaluator evaluator : trainer.getEvaluators()) {
          evaluator.resetAccumulator("train/epoch");
        }
      }
      case LISTENERS ->
          trainer.notifyListeners(
              listener -> {
                if (listener instanceof ai.djl.training.listener.EpochTrainingListener) {
                  DjlInternals.EPOCHS_COUNTED.set(listener, 0);
                }
              });
    }
  }

  private static Optimizer unwrapped(Optimizer watched) {
    return PrivateField.<Optimizer>of(WatchedOptimizer.class, "users", Optimizer.class)
        .get(watched);
  }

  private static void overwrite(Trainer trainer, Map<String, NDArray> fresh, boolean statistics) {
    Parameters.of(trainer)
        .byName()
        .forEach(
            (name, parameter) -> {
              if (isStatistic(parameter) == statistics) {
                Objects.requireNonNull(fresh.get(name)).copyTo(parameter.getArray());
              }
            });
  }

  private static boolean isStatistic(Parameter parameter) {
    return parameter.getType() == Parameter.Type.RUNNING_MEAN
        || parameter.getType() == Parameter.Type.RUNNING_VAR;
  }

  /** With an order that does not come from the engine, the masks of dropout alone differ. */
  @Test
  void withoutASeedForEachBatchDropoutDiffers() {
    Setup setup = Setup.plain().with(Order.OWN);
    assertThat(shasOfWholeAndKilled(setup, "seeded", true)).hasSize(1);
    assertThat(shasOfWholeAndKilled(setup, "unseeded", false)).hasSize(2);
  }

  private Set<String> shasOfWholeAndKilled(Setup setup, String name, boolean seeded) {
    SmallTraining whole = new SmallTraining(setup);
    SmallTraining killed = new SmallTraining(setup);
    if (!seeded) {
      whole.seedEngine = NothingIsLeftOutTest::onlyAtTheStart;
      killed.seedEngine = NothingIsLeftOutTest::onlyAtTheStart;
    }
    whole.run();
    assertThat(killed.run(14)).isFalse();
    killed.run();
    return new java.util.HashSet<>(java.util.List.of(whole.log.sha256, killed.log.sha256));
  }

  private static IntConsumer onlyAtTheStart() {
    int[] calls = new int[1];
    return seed -> {
      if (calls[0]++ < 2) { // at open, and when the trainer begins
        Seeding.seedDefaultEngine(seed);
      }
    };
  }
}
