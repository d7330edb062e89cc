package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Moment.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SaveTriggerTest {

  private static Moment random(Random random) {
    Kind[] kinds = Kind.values();
    return new Moment(
        kinds[random.nextInt(kinds.length)],
        Progress.step(random.nextInt(50)),
        random.nextInt(50),
        Duration.ofMillis(random.nextInt(5000)));
  }

  private static Moment step(long step, Duration since) {
    return new Moment(Kind.STEP, Progress.step(step), step, since);
  }

  @Test
  void everyStepsFiresAtTheStepsThatItDivides() {
    SaveTrigger trigger = SaveTrigger.everySteps(3);
    assertThat(IntStream.range(1, 11).filter(i -> trigger.shouldSave(step(i, Duration.ZERO))))
        .containsExactly(3, 6, 9);
  }

  @Test
  void everyStepsDependsOnTheStepAloneSoThatWorkersAgree() {
    SaveTrigger trigger = SaveTrigger.everySteps(3);
    for (long sinceSave : new long[] {0, 1, 2, 3, 1000}) {
      assertThat(
              trigger.shouldSave(
                  new Moment(Kind.STEP, Progress.step(6), sinceSave, Duration.ofDays(sinceSave))))
          .isTrue();
    }
  }

  @Test
  void everyFiresFromTheIntervalOn() {
    SaveTrigger trigger = SaveTrigger.every(Duration.ofSeconds(2));
    assertThat(trigger.shouldSave(step(1, Duration.ofNanos(1_999_999_999)))).isFalse();
    assertThat(trigger.shouldSave(step(1, Duration.ofSeconds(2)))).isTrue();
    assertThat(trigger.shouldSave(step(1, Duration.ofDays(2)))).isTrue();
  }

  @Test
  void triggersOfAnEventFireAtThatEventOnly() {
    Map<Kind, SaveTrigger> triggers =
        Map.of(
            Kind.EPOCH_END, SaveTrigger.everyEpoch(),
            Kind.STOP, SaveTrigger.onStop(),
            Kind.EXCEPTION, SaveTrigger.onException(),
            Kind.COMPLETION, SaveTrigger.onCompletion());
    triggers.forEach(
        (event, trigger) -> {
          for (Kind kind : Kind.values()) {
            assertThat(
                    trigger.shouldSave(new Moment(kind, Progress.step(6), 6, Duration.ofDays(1))))
                .as("%s at %s", event, kind)
                .isEqualTo(kind == event);
          }
        });
  }

  @Test
  void intervalsWithoutMeaningAreRefused() {
    assertThatThrownBy(() -> SaveTrigger.everySteps(0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> SaveTrigger.everySteps(-1))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> SaveTrigger.every(Duration.ZERO))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> SaveTrigger.every(Duration.ofNanos(-1)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void noTriggerNeverFires() {
    for (Kind kind : Kind.values()) {
      assertThat(
              SaveTrigger.anyOf()
                  .shouldSave(new Moment(kind, Progress.START, 0, Duration.ofDays(1))))
          .isFalse();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void anyOfFiresExactlyWhenOneOfThemDoesHoweverTheyAreOrderedOrNested(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 2000; round++) {
      List<SaveTrigger> some = new ArrayList<>();
      for (int i = random.nextInt(5); i > 0; i--) {
        some.add(
            switch (random.nextInt(6)) {
              case 0 -> SaveTrigger.everySteps(1L + random.nextInt(10));
              case 1 -> SaveTrigger.every(Duration.ofMillis(1L + random.nextInt(5000)));
              case 2 -> SaveTrigger.everyEpoch();
              case 3 -> SaveTrigger.onStop();
              case 4 -> SaveTrigger.onException();
              default -> SaveTrigger.onCompletion();
            });
      }
      Moment now = random(random);
      boolean expected = some.stream().anyMatch(trigger -> trigger.shouldSave(now));
      SaveTrigger all = SaveTrigger.anyOf(some.toArray(SaveTrigger[]::new));
      Collections.shuffle(some, random);
      SaveTrigger shuffled = SaveTrigger.anyOf(some.toArray(SaveTrigger[]::new));
      String when = "seed " + seed + ", round " + round;
      assertThat(all.shouldSave(now)).as(when).isEqualTo(expected);
      assertThat(shuffled.shouldSave(now)).as(when).isEqualTo(expected);
      assertThat(SaveTrigger.anyOf(SaveTrigger.anyOf(), all).shouldSave(now))
          .as(when)
          .isEqualTo(expected);
    }
  }
}
