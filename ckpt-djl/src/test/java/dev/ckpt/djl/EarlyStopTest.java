package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListenerAdapter;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress.Phase;
import dev.ckpt.Retention;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.internal.memory.InMemoryStore;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** A training that a listener ends, and that gives back its best weights. */
class EarlyStopTest {
  private static final int GOAL = 8;

  private final InMemoryStore store = new InMemoryStore(Clock.systemUTC());
  private final Checkpoints run = Checkpoints.read(store, "small");

  private static SmallTraining training(InMemoryStore store, Loop loop) {
    SmallTraining training = new SmallTraining(Setup.plain().with(loop).stoppingEarly(), store);
    training.epochs = GOAL;
    // the best by this is an early one, so that it is seen which weights are there
    training.checkpointing =
        builder ->
            builder.keep(Retention.latest(1)).restoreBest("validate_loss", Retention.Mode.MAX);
    return training;
  }

  private static int lastEpoch(SmallTraining training) {
    return training.log.epochs.keySet().stream().mapToInt(Integer::intValue).max().orElseThrow();
  }

  private Checkpoint best() {
    return run.best("validate_loss", Retention.Mode.MAX).orElseThrow();
  }

  @Test
  void theBestWeightsAreInTheModelAtTheEnd() {
    SmallTraining training = training(store, Loop.FIT);
    training.atEnd =
        (ckpt, trainer) -> {
          try (NDArrayReader reader = NDArrayReader.open(run, best().id())) {
            Weights.byName(trainer.getModel().getBlock())
                .forEach(
                    (name, parameter) ->
                        assertThat(parameter.getArray().toFloatArray())
                            .as(name)
                            .isEqualTo(
                                reader.read(trainer.getManager(), "model/" + name).toFloatArray()));
          }
        };
    training.run();
    assertThat(lastEpoch(training)).as("stopped early").isLessThan(GOAL);
    assertThat(best().id()).isNotEqualTo(run.latest().orElseThrow().id());
    assertThat(run.list()).as("the newest, and the best that the policy did not keep").hasSize(2);
  }

  @ParameterizedTest
  @EnumSource(
      value = Loop.class,
      names = {"FIT", "EASY_TRAIN"})
  void killedAtTenMomentsItStopsInTheSameEpochWithTheSameBestWeights(Loop loop) {
    SmallTraining whole = training(new InMemoryStore(Clock.systemUTC()), loop);
    whole.run();
    long seed = ThreadLocalRandom.current().nextLong();
    System.out.println("EarlyStopTest seed " + seed);
    Random random = new Random(seed);
    int batches = whole.log.executed;
    for (int i = 0; i < 10; i++) {
      SmallTraining killed = training(new InMemoryStore(Clock.systemUTC()), loop);
      int moment = random.nextInt(batches + 4);
      // the last ones in a validation
      assertThat(killed.run(moment < batches ? moment : batches - 1 - moment)).isFalse();
      killed.run();
      assertThat(lastEpoch(killed)).as("killed at %d", moment).isEqualTo(lastEpoch(whole));
      assertThat(killed.log.epochs).isEqualTo(whole.log.epochs);
      assertThat(killed.log.sha256).as("killed at %d", moment).isEqualTo(whole.log.sha256);
    }
  }

  @Test
  void aStopThatWasSavedButNotRecordedIsNotTrainedOn() throws Exception {
    SmallTraining training = training(store, Loop.FIT);
    training.run();
    int executed = training.log.executed;
    String sha256 = training.log.sha256;
    store.delete(List.of("runs/small/ends/000001.json"));
    training.run();
    assertThat(training.log.executed).isEqualTo(executed);
    assertThat(training.log.sha256).isEqualTo(sha256);
  }

  @Test
  void aRunThatStoppedEarlyTrainsOnOnlyWithoutTheListener() {
    SmallTraining training = training(store, Loop.FIT);
    training.run();
    int stopped = lastEpoch(training);
    int executed = training.log.executed;
    training.epochs = GOAL + 5;
    training.run();
    assertThat(training.log.executed).as("a larger goal alone").isEqualTo(executed);
    SmallTraining on = new SmallTraining(Setup.plain(), store);
    on.epochs = GOAL;
    on.run();
    assertThat(lastEpoch(on)).isEqualTo(GOAL);
    assertThat(on.log.epochs).doesNotContainKey(stopped);
  }

  /** What DJL's listener compares an epoch with, at the end of each epoch. */
  private static SmallTraining watched(
      Loop loop, InMemoryStore store, EarlyStoppingListener stopping, List<Double> compared) {
    SmallTraining training = new SmallTraining(Setup.plain().with(loop), store);
    training.epochs = GOAL;
    watch(training, stopping, compared);
    return training;
  }

  private static void watch(
      SmallTraining training, EarlyStoppingListener stopping, List<Double> compared) {
    training.listener = stopping;
    training.first =
        List.of(
            new TrainingListenerAdapter() {
              @Override
              public void onEpoch(Trainer trainer) {
                compared.add(DjlInternals.PREVIOUS_METRIC.get(stopping));
              }
            });
  }

  @ParameterizedTest
  @CsvSource({
    "FIT, true",
    "EASY_TRAIN, true",
    "EASY_TRAIN, false",
    "LISTENER_ONLY, true",
    "LISTENER_ONLY, false",
    "STEP, true",
    "STEP, false"
  })
  void morePatienceTrainsOnAsIfItHadBeenThereFromTheStart(Loop loop, boolean told) {
    List<Double> wanted = new ArrayList<>();
    SmallTraining whole = watched(loop, new InMemoryStore(Clock.systemUTC()), patient(4), wanted);
    whole.run();
    assertThat(whole.log.executed).isEqualTo(50);
    List<Double> compared = new ArrayList<>();
    SmallTraining training = watched(loop, store, patient(2), compared);
    training.tellsOfStops = told;
    training.run();
    assertThat(training.log.executed).isEqualTo(30);
    for (int i = 0; i < 2; i++) { // and again, when that has stopped it
      watch(training, patient(4), compared);
      training.run();
      assertThat(training.log.executed).isEqualTo(50);
    }
    assertThat(training.log.startedAt).containsExactly(0L, 30L, 50L);
    assertThat(compared).isEqualTo(wanted);
    assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
  }

  /** As a main class that is a listener, and calls fit. */
  @Test
  void whoTrainsIsNotWhoStops() {
    var program =
        new TrainingListenerAdapter() {
          void run(SmallTraining training) {
            training.run();
          }
        };
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.epochs = GOAL;
    training.first = List.of(program);
    for (int patience : new int[] {2, 4}) {
      training.listener = patient(patience);
      program.run(training);
    }
    assertThat(training.log.startedAt).containsExactly(0L, 30L);
    assertThat(training.log.executed).isEqualTo(50);
  }

  private static EarlyStoppingListener.Builder stopping() {
    return EarlyStoppingListener.builder().optEpochPatience(2).optEarlyStopPctImprovement(99);
  }

  @Test
  void eachWiderLimitIsAReasonToTrainOnAndNoNarrowerOne() {
    for (EarlyStoppingListener.Builder wider :
        List.of(
            stopping().optEpochPatience(3),
            stopping().optEarlyStopPctImprovement(98),
            stopping().optMaxDuration(Duration.ofDays(2)),
            stopping().optMinEpochs(4),
            stopping().optMonitoredMetric("trainLoss"))) {
      InMemoryStore own = new InMemoryStore(Clock.systemUTC());
      SmallTraining training = new SmallTraining(Setup.plain(), own);
      training.epochs = GOAL;
      training.listener = stopping().optMaxDuration(Duration.ofDays(1)).build();
      training.run();
      assertThat(training.log.executed).isEqualTo(30);
      for (EarlyStoppingListener.Builder narrower :
          List.of(
              stopping().optEpochPatience(1).optMaxDuration(Duration.ofDays(1)),
              stopping().optEarlyStopPctImprovement(99.5).optMaxDuration(Duration.ofDays(1)),
              stopping().optMaxDuration(Duration.ofHours(1)))) {
        training.listener = narrower.build();
        training.run();
        assertThat(training.log.executed).isEqualTo(30);
      }
      training.listener = wider.build();
      training.run();
      assertThat(training.log.executed).isGreaterThan(30);
    }
  }

  @Test
  void oneOfTwoListenersThatIsGoneIsAReasonToTrainOn() {
    SmallTraining training = new SmallTraining(Setup.plain().stoppingEarly(), store);
    training.epochs = GOAL;
    training.listener = patient(2);
    training.run();
    int stopped = training.log.executed;
    SmallTraining on = new SmallTraining(Setup.plain(), store);
    on.epochs = GOAL;
    on.listener = patient(99);
    on.run();
    assertThat(on.log.executed).isEqualTo(GOAL * 10 - stopped);
  }

  @Test
  void patienceOutlivesAKill() {
    SmallTraining whole = new SmallTraining(Setup.plain());
    whole.epochs = GOAL;
    whole.listener = patient(2);
    whole.run();
    int stopped = lastEpoch(whole);
    assertThat(whole.log.executed).as("stopped early").isLessThan(GOAL * 10);
    for (int kill = 5; kill < whole.log.executed; kill += 10) {
      SmallTraining killed = new SmallTraining(Setup.plain());
      killed.epochs = GOAL;
      killed.listener = patient(2);
      assertThat(killed.run(kill)).isFalse();
      killed.listener = patient(2);
      killed.run();
      assertThat(lastEpoch(killed)).as("killed at %d", kill).isEqualTo(stopped);
    }
  }

  /** Nothing is an improvement to it. */
  private static EarlyStoppingListener patient(int epochs) {
    return EarlyStoppingListener.builder()
        .optEpochPatience(epochs)
        .optEarlyStopPctImprovement(99)
        .build();
  }

  @Test
  void elapsedTimeOutlivesAKill() {
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.epochs = GOAL;
    EarlyStoppingListener first = limited(Duration.ofDays(1));
    training.listener = first;
    training.afterResume =
        (ckpt, trainer) -> {
          long hourAgo = DjlInternals.STARTED_MILLIS.get(first) - Duration.ofHours(1).toMillis();
          DjlInternals.STARTED_MILLIS.set(first, hourAgo);
        };
    assertThat(training.run(14)).isFalse();
    training.afterResume = (ckpt, trainer) -> {};
    training.listener = limited(Duration.ofMinutes(30));
    training.run();
    assertThat(lastEpoch(training)).as("the hour of the first attempt counts").isEqualTo(2);
  }

  private static EarlyStoppingListener limited(Duration most) {
    return EarlyStoppingListener.builder().optEpochPatience(99).optMaxDuration(most).build();
  }

  /** A listener of the user's own. */
  private static final class StopsAfter extends TrainingListenerAdapter {
    private final int epochs;

    StopsAfter(int epochs) {
      this.epochs = epochs;
    }

    @Override
    public void onEpoch(Trainer trainer) {
      // of a listener that comes first, the result is of the epoch before
      if (trainer.getTrainingResult().getEpoch() >= epochs) {
        throw new EarlyStoppedException(epochs, "enough");
      }
    }
  }

  @Test
  void aStopByAListenerOfOnesOwnIsRememberedWhileItIsThere() {
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.epochs = GOAL;
    training.listener = new StopsAfter(2);
    training.run();
    String sha256 = training.log.sha256;
    for (int i = 0; i < 2; i++) {
      training.epochs += 2; // a larger goal alone is no reason
      training.run();
      assertThat(training.log.startedAt).endsWith(20L);
      assertThat(training.log.sha256).isEqualTo(sha256);
    }
    assertThat(lastEpoch(training)).isEqualTo(2);
    training.listener = new TrainingListenerAdapter() {};
    training.epochs = 3;
    training.run();
    assertThat(lastEpoch(training)).isEqualTo(3);
  }

  @ParameterizedTest
  @CsvSource({"EASY_TRAIN, false", "LISTENER_ONLY, false", "LISTENER_ONLY, true"})
  void aStopOfDjlsIsRememberedWhetherItIsToldOrNot(Loop loop, boolean told) {
    SmallTraining whole = new SmallTraining(Setup.plain().with(loop));
    whole.epochs = 5;
    whole.run();
    SmallTraining training = new SmallTraining(Setup.plain().with(loop), store);
    training.tellsOfStops = told;
    for (int i = 0; i < 4; i++) {
      training.epochs = GOAL + i; // a larger goal alone is no reason
      training.listener = patient(2);
      training.run();
    }
    assertThat(training.log.executed).isEqualTo(30);
    assertThat(training.log.startedAt).containsExactly(0L, 30L, 30L, 30L);
    training.listener = new TrainingListenerAdapter() {};
    training.epochs = whole.epochs;
    training.run();
    assertThat(training.log.executed).isEqualTo(50);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
  }

  /** Stops in a batch, as a limit of time or a target does. */
  private static final class StopsInBatch extends TrainingListenerAdapter {
    private final int batch;
    private int batches;

    StopsInBatch(int batch) {
      this.batch = batch;
    }

    @Override
    public void onTrainingBatch(Trainer trainer, BatchData data) {
      if (++batches == batch) {
        throw new EarlyStoppedException(batch, "enough");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, false", "3, false", "99, false", "99, true"})
  void aStopInABatchEndsBehindItAndIsRemembered(int savedEvery, boolean first) {
    SmallTraining whole = new SmallTraining(Setup.plain());
    whole.run();
    SmallTraining training = new SmallTraining(Setup.plain().savingEvery(savedEvery), store);
    for (int i = 0; i < 3; i++) {
      if (first) { // before DJL's evaluators, which count the batch all the same
        training.first = List.of(new StopsInBatch(14), new StopsInBatch(14));
      } else {
        training.listener = new StopsInBatch(14);
      }
      training.run();
      assertThat(training.log.executed).isEqualTo(14);
      assertThat(run.latest().orElseThrow().progress().step()).isEqualTo(14);
    }
    assertThat(training.log.startedAt).containsExactly(0L, 14L, 14L);
    training.listener = new TrainingListenerAdapter() {};
    training.first = List.of();
    training.run();
    assertThat(training.log.executed).isEqualTo(30);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
    assertThat(training.log.epochs).isEqualTo(whole.log.epochs);
    assertThat(training.log.batches).isEqualTo(whole.log.batches);
  }

  @Test
  void aStopInAValidationLeavesNoMetricsOfAPartOfIt() {
    SmallTraining whole = new SmallTraining(Setup.plain());
    whole.run();
    SmallTraining training = new SmallTraining(Setup.plain(), store);
    training.listener =
        new TrainingListenerAdapter() {
          private int batches;

          @Override
          public void onValidationBatch(Trainer trainer, BatchData data) {
            if (++batches == 5) {
              throw new EarlyStoppedException(2, "enough");
            }
          }
        };
    training.run();
    Checkpoint stopped = run.latest().orElseThrow();
    assertThat(stopped.progress().step()).isEqualTo(20);
    assertThat(stopped.metrics().keySet())
        .as("%s", stopped.metrics())
        .contains("train_loss")
        .noneMatch(name -> name.startsWith("validate_"));
    training.listener = new TrainingListenerAdapter() {};
    training.run();
    // under another number: DJL's own count of epochs has not heard the end of the second
    assertThat(training.log.epochs.values()).contains(whole.log.epochs.get(3));
    assertThat(training.log.batches).isEqualTo(whole.log.batches);
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
  }

  /** In the validation batch of that number; three are an epoch's. */
  private static final class StopsInValidation extends TrainingListenerAdapter {
    private final int batch;
    private int batches;

    StopsInValidation(int batch) {
      this.batch = batch;
    }

    @Override
    public void onValidationBatch(Trainer trainer, BatchData data) {
      if (++batches == batch) {
        throw new EarlyStoppedException(batch, "enough");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "LISTENER_ONLY, true, 1", "LISTENER_ONLY, false, 1",
    "LISTENER_ONLY, true, 5", "LISTENER_ONLY, false, 5",
    "LISTENER_ONLY, true, 4", "LISTENER_ONLY, false, 4",
    "EASY_TRAIN, true, 5", "EASY_TRAIN, false, 5",
    "EASY_TRAIN, true, 8", "EASY_TRAIN, false, 8"
  })
  void aStopInAValidationEndsItsEpochWithoutMetricsOfAPart(Loop loop, boolean told, int batch) {
    SmallTraining whole = new SmallTraining(Setup.plain().with(loop));
    whole.run();
    SmallTraining training = new SmallTraining(Setup.plain().with(loop), store);
    training.listener = new StopsInValidation(batch);
    training.tellsOfStops = told;
    String said = Told.by(() -> training.run());
    int epoch = (batch + 2) / 3;
    Checkpoint stopped = run.latest().orElseThrow();
    assertThat(stopped.progress().step()).isEqualTo(epoch * 10);
    assertThat(stopped.progress().epoch()).isEqualTo(epoch);
    assertThat(stopped.progress().samples()).isEqualTo(epoch * SmallTraining.SAMPLES);
    assertThat(stopped.metrics().keySet())
        .as("%s", stopped.metrics())
        .contains("train_loss")
        .noneMatch(name -> name.startsWith("validate_"));
    if (told || epoch == SmallTraining.EPOCHS) {
      assertThat(said).doesNotContain("ckpt.failed");
    } else {
      assertThat(said)
          .contains("behind " + epoch + " of 3 epochs", "ckpt.failed(e) before complete()");
    }
    training.listener = new TrainingListenerAdapter() {};
    training.epochs += told ? 0 : 1;
    whole.epochs = training.epochs;
    whole.run();
    training.run();
    assertThat(training.log.sha256).isEqualTo(whole.log.sha256);
    if (epoch < whole.epochs) {
      assertThat(training.log.epochs.values()).contains(whole.log.epochs.get(epoch + 1));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "EASY_TRAIN, true",
    "EASY_TRAIN, false",
    "LISTENER_ONLY, true",
    "LISTENER_ONLY, false"
  })
  void djlsListenerBeforeTheEvaluatorsLeavesNextEpochsMetricsAlone(Loop loop, boolean told) {
    InMemoryStore whole = new InMemoryStore(Clock.systemUTC());
    SmallTraining unstopped = new SmallTraining(Setup.plain().with(loop), whole);
    unstopped.checkpointing = builder -> builder.keep(Retention.latest(9));
    unstopped.epochs = GOAL;
    unstopped.run();
    SmallTraining stopped = new SmallTraining(Setup.plain().with(loop), store);
    stopped.checkpointing = builder -> builder.keep(Retention.latest(9));
    stopped.epochs = GOAL;
    stopped.tellsOfStops = told;
    stopped.first = List.of(patient(2));
    stopped.run();
    assertThat(stopped.log.executed).isLessThan(GOAL * 10);
    stopped.first = List.of(patient(99));
    stopped.run();
    assertThat(metrics(run)).isEqualTo(metrics(Checkpoints.read(whole, "small")));
    assertThat(stopped.log.sha256).isEqualTo(unstopped.log.sha256);
  }

  /** Data that ends the training, in its n-th batch: no listener does. */
  private static final class StoppingData extends ArrayDataset {
    private int left;

    StoppingData(ArrayDataset.Builder builder, int batch) {
      super(builder);
      left = batch;
    }

    @Override
    public Batch getByRange(NDManager manager, long from, long to) {
      if (--left == 0) {
        throw new EarlyStoppedException(1, "no more");
      }
      return super.getByRange(manager, from, to);
    }
  }

  /** In the validation of the first epoch, and of the second. */
  @ParameterizedTest
  @CsvSource({"FIT, 1", "FIT, 5", "LISTENER_ONLY, 1", "LISTENER_ONLY, 5"})
  void aStopThatIsNoListenersLeavesTheGoalOpen(Loop loop, int batch) {
    SmallTraining training = new SmallTraining(Setup.plain().with(loop), store);
    training.epochs = GOAL;
    training.dataset =
        (builder, which) -> which == 2 ? new StoppingData(builder, batch) : builder.build();
    training.run();
    assertThat(run.latest().orElseThrow().metrics().keySet())
        .contains("train_loss")
        .noneMatch(name -> name.startsWith("validate_"));
    training.dataset = (builder, which) -> builder.build();
    training.run();
    assertThat(training.log.startedAt).containsExactly(0L, batch == 1 ? 10L : 20L);
    assertThat(training.log.executed).isEqualTo(GOAL * 10);
  }

  @ParameterizedTest
  @EnumSource(
      value = Loop.class,
      names = {"FIT", "EASY_TRAIN"})
  void aListenerThatStopsBeforeTheEvaluatorsLeavesTheMetricsOfItsOwnEpoch(Loop loop) {
    InMemoryStore whole = new InMemoryStore(Clock.systemUTC());
    SmallTraining unstopped = new SmallTraining(Setup.plain().with(loop), whole);
    unstopped.checkpointing = builder -> builder.keep(Retention.latest(9));
    unstopped.run();
    SmallTraining stopped = new SmallTraining(Setup.plain().with(loop), store);
    stopped.checkpointing = builder -> builder.keep(Retention.latest(9));
    stopped.first = List.of(new StopsAfter(2));
    stopped.run();
    assertThat(metrics(run)).hasSize(2).isSubsetOf(metrics(Checkpoints.read(whole, "small")));
    assertThat(run.latest().orElseThrow().metrics().keySet())
        .contains("train_loss", "validate_loss", "train_accuracy", "validate_accuracy");

    stopped.first = List.of();
    stopped.run();
    assertThat(metrics(run)).isEqualTo(metrics(Checkpoints.read(whole, "small")));
    assertThat(stopped.log.sha256).isEqualTo(unstopped.log.sha256);
  }

  /** What the checkpoints at the ends of epochs say, each under its step. */
  private static List<String> metrics(Checkpoints run) {
    return run.list().stream()
        .filter(each -> each.progress().phase() == Phase.AFTER_EPOCH)
        .map(each -> each.progress().step() + " " + new TreeMap<>(each.metrics()))
        .toList();
  }

  @Test
  void withTheBestWeightsNothingIsTrainedOn() {
    SmallTraining training = training(store, Loop.FIT);
    training.atEnd =
        (ckpt, trainer) -> {
          assertThatThrownBy(() -> ckpt.step(1))
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("restoreBest");
          int saved = run.list().size();
          assertThat(ckpt.complete()).isTrue();
          assertThat(run.list()).hasSize(saved);
        };
    training.run();
  }
}
