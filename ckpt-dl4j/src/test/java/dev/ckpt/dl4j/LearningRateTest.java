package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.learning.GradientUpdater;
import org.nd4j.linalg.schedule.ExponentialSchedule;
import org.nd4j.linalg.schedule.ISchedule;
import org.nd4j.linalg.schedule.MapSchedule;
import org.nd4j.linalg.schedule.ScheduleType;

/** A learning rate that the program sets while it trains is that of a resume, too. */
class LearningRateTest {

  /** What a program sets once; it does not know of a resume. */
  private record Change(String name, Consumer<Trainee> set) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static void all(Trainee trainee, double rate) {
    if (trainee.own() instanceof MultiLayerNetwork network) {
      network.setLearningRate(rate);
    } else if (trainee.own() instanceof ComputationGraph graph) {
      graph.setLearningRate(rate);
    } else {
      for (GradientUpdater<?> updater : ((SameDiff) trainee.own()).getUpdaterMap().values()) {
        updater.getConfig().setLrAndSchedule(rate, null);
      }
    }
  }

  private static void all(Trainee trainee, ISchedule schedule) {
    if (trainee.own() instanceof MultiLayerNetwork network) {
      network.setLearningRate(schedule);
    } else if (trainee.own() instanceof ComputationGraph graph) {
      graph.setLearningRate(schedule);
    } else {
      for (GradientUpdater<?> updater : ((SameDiff) trainee.own()).getUpdaterMap().values()) {
        updater.getConfig().setLrAndSchedule(Double.NaN, schedule);
      }
    }
  }

  private static void one(Trainee trainee, double rate) {
    if (trainee.own() instanceof MultiLayerNetwork network) {
      network.setLearningRate(2, rate);
    } else if (trainee.own() instanceof ComputationGraph graph) {
      graph.setLearningRate("out", rate);
    } else {
      GradientUpdater<?> updater = ((SameDiff) trainee.own()).getUpdaterMap().get("v");
      Objects.requireNonNull(updater).getConfig().setLrAndSchedule(rate, null);
    }
  }

  static Stream<Arguments> changes() {
    return Stream.of(
            new Change("a rate", trainee -> all(trainee, 1.0 / 3000)),
            new Change("a rate of one layer", trainee -> one(trainee, 1.0 / 300)),
            new Change(
                "a schedule",
                trainee ->
                    all(trainee, new ExponentialSchedule(ScheduleType.ITERATION, 0.03, 0.91))),
            new Change(
                "a schedule by points",
                trainee ->
                    all(
                        trainee,
                        new MapSchedule.Builder(ScheduleType.EPOCH)
                            .add(0, 0.01)
                            .add(2, 1.0 / 700)
                            .build())))
        .flatMap(
            change ->
                Stream.of(Kind.NETWORK, Kind.GRAPH, Kind.SAMEDIFF)
                    .map(kind -> Arguments.of(kind, change)));
  }

  private static SmallTraining training(Kind kind, Change change, int at) {
    SmallTraining training = new SmallTraining(Setup.PLAIN.with(kind).with(Updater.NESTEROVS));
    training.inUpdate =
        (iteration, trainee) -> {
          if (iteration == at) {
            change.set.accept(trainee);
          }
        };
    return training;
  }

  @ParameterizedTest
  @MethodSource("changes")
  void itIsThatOfAResumeToo(Kind kind, Change change) {
    Log without = new SmallTraining(Setup.PLAIN.with(kind).with(Updater.NESTEROVS)).run();
    Log whole = training(kind, change, 13).run();
    assertThat(whole.sha256).as("the change counts").isNotEqualTo(without.sha256);
    for (int kill : new int[] {17, 22}) {
      SmallTraining killed = training(kind, change, 13);
      assertThat(killed.run(kill)).isFalse();
      assertThat(killed.run(4)).isFalse(); // what a resume has set is saved as well
      killed.run();
      assertThat(killed.log.startedAt.get(1)).isGreaterThan(13);
      assertThat(killed.log.startedAt.get(2)).isGreaterThan(killed.log.startedAt.get(1));
      assertThat(killed.log.batches).isEqualTo(whole.batches);
      assertThat(killed.log.tensors).isEqualTo(whole.tensors);
      assertThat(killed.log.sha256).isEqualTo(whole.sha256);
    }
  }

  @Test
  void aProgramThatConfiguresAnotherOneMeansThat() {
    Change third = new Change("a third", trainee -> all(trainee, 1.0 / 3));
    SmallTraining killed = training(Kind.NETWORK, third, 13);
    assertThat(killed.run(17)).isFalse();
    killed.beforeResume = trainee -> all(trainee, 0.125);
    List<String> counts = new ArrayList<>();
    killed.afterResume = (ckpt, trainee) -> counts.add(trainee.settings());
    killed.run();
    assertThat(killed.log.startedAt.get(1)).isGreaterThan(13);
    assertThat(counts).hasSize(1);
    assertThat(counts.get(0)).contains("learningRate=0.125").doesNotContain("0.333");
  }

  /** What is not restored is told; a checkpoint builds nothing but ND4J's own schedules. */
  @Test
  void aScheduleOfTheProgramsOwnIsNamed() throws Exception {
    Change own = new Change("own", trainee -> all(trainee, new Halving()));
    SmallTraining killed = training(Kind.NETWORK, own, 13);
    assertThat(killed.run(17)).isFalse();
    PrintStream err = System.err;
    ByteArrayOutputStream caught = new ByteArrayOutputStream();
    EnvironmentTest.level(LearningRates.class, 30);
    System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
    try {
      killed.run();
    } finally {
      System.setErr(err);
      EnvironmentTest.level(LearningRates.class, 40);
    }
    assertThat(caught.toString(StandardCharsets.UTF_8))
        .contains("WARN")
        .contains("set it again behind ckpt.resume(...)")
        .contains("Halving");
  }

  /** Of the test's, and so not one of ND4J's; it has no text. */
  public static final class Halving implements ISchedule {
    private static final long serialVersionUID = 1L;

    @Override
    public double valueAt(int iteration, int epoch) {
      return 0.01 / (1 + epoch);
    }

    @Override
    public ISchedule clone() {
      return new Halving();
    }
  }
}
