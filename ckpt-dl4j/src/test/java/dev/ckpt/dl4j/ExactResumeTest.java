package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Killed in a batch, it goes on and ends with the same bytes and the same log. */
class ExactResumeTest {

  /** What can go together, in each format. */
  static Stream<Arguments> all() {
    List<Setup> all = new ArrayList<>();
    for (Kind kind : Kind.values()) {
      for (Updater updater : Updater.values()) {
        for (Loop loop : Loop.values()) {
          boolean possible =
              switch (kind) {
                case NETWORK, GRAPH -> true;
                case TWO_INPUTS -> loop == Loop.FIT;
                case SAMEDIFF ->
                    loop == Loop.FIT || loop == Loop.PLAIN_FIT || loop == Loop.LISTENER_ONLY;
              };
          if (possible) {
            for (Data data : Data.values()) {
              // a loop that finds its place by itself needs an order that is no secret
              boolean own = loop == Loop.STEP || loop == Loop.LISTENER_ONLY;
              if (!own || data == Data.SYNC) {
                all.add(new Setup(kind, updater, loop, data));
              }
            }
          }
        }
      }
    }
    return Cell.FORMATS.stream()
        .flatMap(format -> all.stream().map(setup -> Arguments.of(setup, format)));
  }

  /** The formats in turn. */
  static List<Arguments> some() {
    Setup plain = Setup.PLAIN;
    List<Setup> some =
        List.of(
            plain,
            plain.with(Data.SYNC).with(Updater.NESTEROVS),
            plain.with(Data.SHUFFLED),
            plain.with(Loop.PLAIN_FIT),
            plain.with(Loop.BY_HAND).with(Updater.NESTEROVS),
            plain.with(Loop.STEP).with(Data.SYNC),
            plain.with(Loop.LISTENER_ONLY).with(Data.SYNC),
            plain.with(Kind.GRAPH),
            plain.with(Kind.GRAPH).with(Loop.PLAIN_FIT).with(Data.SYNC).with(Updater.NESTEROVS),
            plain.with(Kind.GRAPH).with(Loop.LISTENER_ONLY).with(Data.SYNC),
            plain.with(Kind.TWO_INPUTS).with(Updater.NESTEROVS),
            plain.with(Kind.SAMEDIFF),
            plain.with(Kind.SAMEDIFF).with(Updater.NESTEROVS).with(Data.SHUFFLED),
            plain.with(Kind.SAMEDIFF).with(Loop.PLAIN_FIT),
            plain.with(Kind.SAMEDIFF).with(Loop.LISTENER_ONLY).with(Data.SYNC));
    return IntStream.range(0, some.size())
        .mapToObj(i -> Arguments.of(some.get(i), Cell.FORMATS.get(i % Cell.FORMATS.size())))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("some")
  void killedInAnyPhaseItEndsAsIfItHadNotBeen(Setup setup, String format) {
    for (int kill : new int[] {0, 4, 9, 10, 14, 29}) {
      assertKilledOnceIsLikeWhole(setup, format, new SmallTraining(setup).run(), kill);
    }
  }

  @Tag("nightly")
  @ParameterizedTest
  @MethodSource("all")
  void killedInAnyBatchItEndsAsIfItHadNotBeen(Setup setup, String format) {
    Log whole = new SmallTraining(setup).run();
    for (int kill = 0; kill < SmallTraining.BATCHES; kill++) {
      assertKilledOnceIsLikeWhole(setup, format, whole, kill);
    }
  }

  private static void assertKilledOnceIsLikeWhole(Setup setup, String format, Log whole, int kill) {
    String what = setup + " in " + format + " killed in batch " + kill;
    SmallTraining training = new SmallTraining(setup);
    training.checkpointing = builder -> builder.format(format);
    assertThat(training.run(kill)).as(what).isFalse();
    Log killed = training.run();
    assertThat(killed.batches).as(what).isEqualTo(whole.batches);
    assertThat(killed.tensors).as(what).isEqualTo(whole.tensors);
    assertThat(killed.sha256).as(what).isEqualTo(whole.sha256);
    // and it resumed: not more than what lies behind the newest save was trained again
    long resumed = killed.startedAt.get(1);
    assertThat(resumed).as(what).isBetween(kill / 3L * 3 - 3, (long) kill);
    assertThat(killed.executed)
        .as(what)
        .isEqualTo(SmallTraining.BATCHES + kill + 1 - (int) resumed);
  }

  @Test
  void killedAgainAndAgainItEndsAsIfItHadNotBeen() {
    for (Kind kind : List.of(Kind.NETWORK, Kind.GRAPH, Kind.SAMEDIFF)) {
      Setup setup = Setup.PLAIN.with(kind);
      Log whole = new SmallTraining(setup).run();
      SmallTraining training = new SmallTraining(setup);
      int attempts = 0;
      while (!training.run(4)) {
        attempts++;
      }
      assertThat(attempts).as("%s", kind).isGreaterThan(5);
      assertThat(training.log.sha256).as("%s", kind).isEqualTo(whole.sha256);
      assertThat(training.log.batches).as("%s", kind).isEqualTo(whole.batches);
    }
  }

  @Test
  void whoeverLoadsTheDataTheBytesAreTheSame() {
    assertThat(new SmallTraining(Setup.PLAIN.with(Data.SYNC)).run().sha256)
        .isEqualTo(new SmallTraining(Setup.PLAIN).run().sha256);
  }

  @Test
  void aRunThatIsCompleteTrainsNothingAndALargerGoalTrainsOn() {
    for (Kind kind : List.of(Kind.NETWORK, Kind.SAMEDIFF)) {
      SmallTraining training = new SmallTraining(Setup.PLAIN.with(kind));
      training.run();
      String sha256 = training.log.sha256;
      int executed = training.log.executed;
      training.run();
      assertThat(training.log.executed).as("%s", kind).isEqualTo(executed);
      assertThat(training.log.sha256).as("%s", kind).isEqualTo(sha256);

      training.epochs = 5;
      training.run();
      SmallTraining larger = new SmallTraining(Setup.PLAIN.with(kind));
      larger.epochs = 5;
      assertThat(training.log.sha256).as("%s", kind).isEqualTo(larger.run().sha256);
      assertThat(training.log.executed).as("%s", kind).isEqualTo(executed + 20);
    }
  }
}
