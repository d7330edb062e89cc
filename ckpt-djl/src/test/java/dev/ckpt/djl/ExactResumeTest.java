package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.djl.SmallTraining.Log;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Order;
import dev.ckpt.djl.SmallTraining.Place;
import dev.ckpt.djl.SmallTraining.Setup;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class ExactResumeTest {
  /** Each must pass all; the only place of this module that names them. */
  static final List<String> FORMATS = List.of("arrow", "hdf5");

  /** The formats in turn. */
  static List<Arguments> some() {
    List<Arguments> setups = setups();
    return IntStream.range(0, setups.size())
        .mapToObj(i -> in(FORMATS.get(i % FORMATS.size()), setups.get(i)))
        .toList();
  }

  /** Each in each. */
  static Stream<Arguments> all() {
    return FORMATS.stream().flatMap(format -> setups().stream().map(setup -> in(format, setup)));
  }

  private static Arguments in(String format, Arguments setup) {
    return Arguments.of(setup.get()[0], setup.get()[1], format);
  }

  private static List<Arguments> setups() {
    Setup plain = Setup.plain();
    return List.of(
        Arguments.of("adam", plain),
        Arguments.of("adamW, prefetch", plain.with(SmallTraining::adamW).prefetching()),
        Arguments.of("momentum, dropLast", plain.with(SmallTraining::momentum).droppingLast()),
        Arguments.of("own sampler", plain.with(Order.OWN)),
        Arguments.of(
            "own sampler, prefetch, dropLast", plain.with(Order.OWN).prefetching().droppingLast()),
        Arguments.of("dataset that is only read", plain.with(Order.READ)),
        Arguments.of("listener first", plain.with(Place.FIRST)),
        Arguments.of(
            "listener in the middle, EasyTrain", plain.with(Place.MIDDLE).with(Loop.EASY_TRAIN)),
        Arguments.of(
            "EasyTrain, first, prefetch",
            plain.with(Loop.EASY_TRAIN).with(Place.FIRST).prefetching()),
        Arguments.of("accumulation", plain.with(Loop.ACCUMULATE).savingEvery(1)),
        Arguments.of(
            "accumulation, odd epochs, prefetch, momentum",
            plain
                .with(Loop.ACCUMULATE)
                .savingEvery(1)
                .droppingLast()
                .prefetching()
                .with(SmallTraining::momentum)),
        Arguments.of("loop by hand", plain.with(Loop.STEP)),
        Arguments.of("early stopping", plain.stoppingEarly().with(Place.FIRST)),
        Arguments.of("early stopping, EasyTrain", plain.stoppingEarly().with(Loop.EASY_TRAIN)));
  }

  @ParameterizedTest(name = "{0}, {2}")
  @MethodSource("some")
  void killedAndResumedGivesTheSameBytesAndTheSameLog(String name, Setup setup, String format) {
    assertKilledIsLikeWhole(setup, format);
  }

  @Tag("nightly")
  @ParameterizedTest(name = "{0}, {2}")
  @MethodSource("all")
  void inEachFormatItGivesTheSameBytesAndTheSameLog(String name, Setup setup, String format) {
    assertKilledIsLikeWhole(setup, format);
  }

  private static void assertKilledIsLikeWhole(Setup setup, String format) {
    Log whole = new SmallTraining(setup).run();

    SmallTraining killed = new SmallTraining(setup);
    killed.checkpointing = builder -> builder.format(format);
    // before the first commit, inside an epoch, in validation, inside an epoch, near the end
    for (int at : new int[] {1, 5, -2, 4, 3}) {
      assertThat(killed.run(at)).as("killed at " + at).isFalse();
    }
    Log resumed = killed.run();

    assertThat(resumed.startedAt).as("steps at which attempts began").isSorted();
    assertThat(resumed.startedAt.get(0)).isZero();
    assertThat(resumed.startedAt.get(5)).as("it really resumed").isGreaterThan(4);
    assertThat(resumed.executed).as("batches trained").isGreaterThan(whole.executed);
    assertThat(resumed.tensors).isEqualTo(whole.tensors);
    assertThat(resumed.sha256).isEqualTo(whole.sha256);
    assertThat(resumed.batches).isEqualTo(whole.batches);
    assertThat(resumed.epochs).isEqualTo(whole.epochs).isNotEmpty();
  }

  /** Each attempt resumes from what the one before saved in another format, if there is one. */
  @ParameterizedTest
  @EnumSource(names = {"FIT", "STEP"})
  void everyBatchIsAGoodPlaceToDie(Loop loop) {
    Setup setup = Setup.plain().with(loop).savingEvery(1);
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);

    AtomicInteger attempts = new AtomicInteger();
    killed.checkpointing = builder -> builder.format(FORMATS.get(attempts.get() % FORMATS.size()));
    while (!killed.run(attempts.get() % 8 == 7 ? -1 : 1)) {
      attempts.incrementAndGet();
    }

    assertThat(attempts.get()).isGreaterThan(15);
    assertThat(killed.log.sha256).isEqualTo(whole.sha256);
    assertThat(killed.log.batches).isEqualTo(whole.batches);
    assertThat(killed.log.epochs).isEqualTo(whole.epochs);
  }

  @Test
  void theListenerAloneResumesAtTheEndOfAnEpoch() {
    Setup setup = Setup.plain().with(Loop.LISTENER_ONLY);
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);

    assertThat(killed.run(14)).isFalse();
    killed.run();

    assertThat(killed.log.startedAt).containsExactly(0L, 10L);
    assertThat(killed.log.sha256).isEqualTo(whole.sha256);
    assertThat(killed.log.epochs).isEqualTo(whole.epochs);
  }

  @Test
  void aCompletedRunIsRestoredAndNotTrained() {
    SmallTraining training = new SmallTraining(Setup.plain());
    String sha256 = training.run().sha256;
    int executed = training.log.executed;

    training.afterResume =
        (ckpt, trainer) -> {
          assertThat(ckpt.isComplete()).isTrue();
          assertThat(ckpt.remainingEpochs(SmallTraining.EPOCHS)).isZero();
          assertThat(ckpt.remainingEpochs(SmallTraining.EPOCHS + 2)).isEqualTo(2);
        };
    training.run();

    assertThat(training.log.executed).isEqualTo(executed);
    assertThat(training.log.sha256).isEqualTo(sha256);
  }
}
