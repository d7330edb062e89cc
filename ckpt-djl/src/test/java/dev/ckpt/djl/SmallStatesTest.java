package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.nn.Parameter;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class SmallStatesTest {

  @Test
  void aStreamGoesOnWhereItWasForEveryKindOfDraw() {
    RandomStreams first = new RandomStreams(() -> 7);
    Random stream = first.named("noise");
    stream.nextGaussian();
    stream.nextInt(10);
    Map<String, ?> state = first.read();
    List<Object> expected = draws(stream);

    RandomStreams asked = new RandomStreams(() -> 7);
    Random before = asked.named("noise");
    asked.write(state);
    assertThat(draws(before)).isEqualTo(expected);

    RandomStreams later = new RandomStreams(() -> 7);
    later.write(state);
    assertThat(draws(later.named("noise"))).isEqualTo(expected);
    assertThat(draws(later.named("other"))).isNotEqualTo(expected);
  }

  private static List<Object> draws(Random random) {
    return List.of(
        random.nextGaussian(),
        random.nextGaussian(),
        random.nextInt(),
        random.nextInt(1000),
        random.nextLong(),
        random.nextDouble(),
        random.nextFloat(),
        random.nextBoolean());
  }

  @Test
  void gaussiansHaveTheirMeanAndVariance() {
    Random random = new RandomStreams(() -> 11).named("g");
    double sum = 0;
    double squares = 0;
    int draws = 100_000;
    for (int i = 0; i < draws; i++) {
      double x = random.nextGaussian();
      sum += x;
      squares += x * x;
    }
    assertThat(sum / draws).isCloseTo(0, within(0.02));
    assertThat(squares / draws).isCloseTo(1, within(0.03));
  }

  @Test
  void frozenValuesAreSavedUntilTheyThaw() {
    RandomStreams streams = new RandomStreams(() -> 7);
    Random stream = streams.named("noise");
    Map<String, ?> then = streams.read();
    streams.freeze();
    stream.nextInt();
    assertThat(captured(streams)).isEqualTo(then);
    streams.thaw();
    assertThat(captured(streams)).isNotEqualTo(then).isEqualTo(streams.read());
  }

  @Test
  void aStreamThatIsFirstAskedForBehindTheFreezeGoesBackToItsStart() {
    List<Object> wanted = draws(new RandomStreams(() -> 7).named("val"));
    RandomStreams streams = new RandomStreams(() -> 7);
    streams.freeze();
    assertThat(draws(streams.named("val"))).isEqualTo(wanted);
    streams.rollBack();
    assertThat(draws(streams.named("val"))).isEqualTo(wanted);
  }

  /** As loaders do that draw for each sample. */
  @Test
  void streamsAreAskedForByOtherThreadsWhileAllAreLookedAt() throws Exception {
    RandomStreams streams = new RandomStreams(() -> 7);
    AtomicBoolean asking = new AtomicBoolean(true);
    Thread loader =
        new Thread(
            () -> {
              for (int i = 0; i < 20_000; i++) {
                streams.named("sample " + i);
              }
              asking.set(false);
            });
    loader.start();
    while (asking.get()) {
      streams.mark();
      streams.backToMark();
      streams.read();
    }
    loader.join();
    assertThat(streams.read()).hasSize(20_000);
  }

  private static Object captured(SmallState state) {
    Object[] value = new Object[1];
    state.capture(
        new dev.ckpt.StateSink() {
          @Override
          public void tensor(
              dev.ckpt.TensorSpec spec, dev.ckpt.TensorSource source, dev.ckpt.Stability s) {}

          @Override
          public void value(String name, Object json) {
            value[0] = json;
          }

          @Override
          public void bytes(String name, java.nio.ByteBuffer contents) {}
        });
    return value[0];
  }

  @Test
  void anUpdateCountsWhenEveryTrainableParameterHadItsPart() {
    UpdateWatch watch = new UpdateWatch(() -> {});
    Parameter one = parameter(true);
    Parameter two = parameter(true);
    watch.start(List.of(one, two, parameter(false)));
    watch.batchDelivered();
    assertThat(watch.atCut()).isFalse();
    watch.updated(one.getId());
    assertThat(watch.atCut()).isFalse();
    watch.updated(two.getId());
    assertThat(watch.atCut()).isTrue();
    assertThat(watch.updates()).isEqualTo(1);

    watch.batchDelivered();
    watch.updated(one.getId());
    watch.failed();
    assertThat(watch.atCut()).as("half an update").isFalse();
    watch.batchDelivered();
    watch.updated(one.getId());
    watch.updated(two.getId());
    assertThat(watch.atCut()).isTrue();
    assertThat(watch.updates()).isEqualTo(2);
  }

  private static Parameter parameter(boolean trainable) {
    return Parameter.builder()
        .setName("p")
        .setType(Parameter.Type.WEIGHT)
        .optRequiresGrad(trainable)
        .build();
  }

  @Test
  void aNewBatchSizeGoesOnBehindTheSamplesThatAreDone() {
    Position position = new Position(new UpdateWatch(() -> {}));
    position.enter(16, 0, 0);
    for (int i = 0; i < 5; i++) {
      position.batchDone(16);
    }
    assertThat(position.batchesToSkip(16)).isEqualTo(5);
    assertThat(position.batchesToSkip(40)).isEqualTo(2);
    assertThat(position.batchesToSkip(32)).isEqualTo(3);
    assertThat(position.batchesToSkip(0)).isEqualTo(5);
    position.enter(32, 3, 96);
    position.batchDone(32);
    assertThat(position.batchesToSkip(32)).isEqualTo(4);
    assertThat(position.batchesToSkip(16)).isEqualTo(8);
  }
}
