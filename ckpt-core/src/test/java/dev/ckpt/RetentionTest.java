package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Retention.Mode;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.ObjLongConsumer;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RetentionTest {

  private static Checkpoint checkpoint(long step, long second, Map<String, Double> metrics) {
    return checkpoint(step, second, metrics, true);
  }

  private static Checkpoint checkpoint(
      long step, long second, Map<String, Double> metrics, boolean finite) {
    return new Checkpoint(
        String.format("000001-%010d-0", step),
        Optional.empty(),
        Progress.step(step),
        Instant.ofEpochSecond(second),
        1,
        metrics,
        finite);
  }

  private static List<Long> steps(Set<Checkpoint> kept) {
    return kept.stream().map(c -> c.progress().step()).toList();
  }

  private static List<Checkpoint> accuracies(double... values) {
    List<Checkpoint> all = new ArrayList<>();
    for (double value : values) {
      all.add(checkpoint(all.size(), all.size(), Map.of("a", value)));
    }
    return all;
  }

  private static double a(Checkpoint checkpoint) {
    return checkpoint.metrics().getOrDefault("a", Double.NaN);
  }

  @Test
  void latestKeepsTheNewestFiniteOnesAndOneNonFiniteToLookAt() {
    List<Checkpoint> all = new ArrayList<>();
    for (int step = 0; step < 10; step++) {
      all.add(checkpoint(step, step, Map.of(), step < 5 || step == 7));
    }
    assertThat(steps(Retention.latest(2).keep(all))).containsExactly(4L, 7L, 9L);
    assertThat(Retention.latest(2).keep(List.of())).isEmpty();
  }

  @Test
  void bestTakesTheBestEndOfTheScale() {
    List<Checkpoint> all = accuracies(0.5, 0.9, 0.1, 0.8);
    assertThat(steps(Retention.best("a", Mode.MAX, 2).keep(all))).containsExactly(1L, 3L);
    assertThat(steps(Retention.best("a", Mode.MIN, 2).keep(all))).containsExactly(0L, 2L);
    assertThat(Retention.best("b", Mode.MIN, 2).keep(all)).isEmpty();
  }

  @Test
  void ofEqualMetricsTheNewerWins() {
    assertThat(steps(Retention.best("a", Mode.MAX, 1).keep(accuracies(0.9, 0.9, 0.1))))
        .containsExactly(1L);
    assertThat(steps(Retention.best("a", Mode.MIN, 1).keep(accuracies(-0.0, 0.0, 1))))
        .containsExactly(1L);
  }

  @Test
  void aMetricThatIsNoNumberNeverWins() {
    List<Checkpoint> all =
        accuracies(Double.NaN, Double.POSITIVE_INFINITY, 0.5, Double.NEGATIVE_INFINITY);
    for (Mode mode : Mode.values()) {
      assertThat(steps(Retention.best("a", mode, 4).keep(all))).containsExactly(2L);
    }
  }

  @Test
  void everyKeepsTheOldestOfEachIntervalAlsoBefore1970() {
    List<Checkpoint> all = new ArrayList<>();
    for (long second : new long[] {-61, -60, -1, 0, 59, 60, 180, 239}) {
      all.add(checkpoint(all.size(), second, Map.of()));
    }
    assertThat(steps(Retention.every(Duration.ofMinutes(1)).keep(all)))
        .containsExactly(0L, 1L, 3L, 5L, 6L);
  }

  @Test
  void aNonFiniteCheckpointDoesNotTakeTheIntervalOfAFiniteOne() {
    List<Checkpoint> all =
        List.of(checkpoint(1, 1, Map.of(), false), checkpoint(2, 2, Map.of(), true));
    assertThat(steps(Retention.every(Duration.ofMinutes(1)).keep(all))).containsExactly(2L);
  }

  @Test
  void policiesWithoutMeaningAreRefused() {
    assertThatThrownBy(() -> Retention.latest(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Retention.best("a", Mode.MAX, 0))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Retention.best(" ", Mode.MAX, 1))
        .isInstanceOf(IllegalArgumentException.class);
    for (long millis : new long[] {-1000, 0, 999, 1500}) {
      assertThatThrownBy(() -> Retention.every(Duration.ofMillis(millis)))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static List<Checkpoint> history(Random random) {
    List<Checkpoint> all = new ArrayList<>();
    long second = random.nextInt(1000) - 500L;
    for (int step = 0, size = random.nextInt(40); step < size; step++) {
      second += random.nextInt(90);
      double[] values = {random.nextInt(4), random.nextGaussian(), Double.NaN, -0.0};
      Map<String, Double> metrics =
          random.nextInt(5) == 0 ? Map.of() : Map.of("a", values[random.nextInt(4)]);
      all.add(checkpoint(step, second, metrics, random.nextInt(4) != 0));
    }
    return all;
  }

  private static void forRandomHistories(long seed, ObjLongConsumer<List<Checkpoint>> check) {
    Random random = new Random(seed);
    for (int round = 0; round < 150; round++) {
      check.accept(history(random), random.nextLong());
    }
  }

  private static List<Retention> policies(Random random) {
    int n = 1 + random.nextInt(5);
    return List.of(
        Retention.latest(n),
        Retention.best("a", Mode.MAX, n),
        Retention.best("a", Mode.MIN, n),
        Retention.every(Duration.ofSeconds(1 + random.nextInt(200))),
        Retention.anyOf(Retention.latest(n), Retention.best("a", Mode.MAX, n)),
        Retention.anyOf(),
        Retention.defaults());
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void whatIsKeptIsASubsetWhateverTheOrderAndKeepingTwiceChangesNothing(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          List<Retention> policies = policies(new Random(roundSeed));
          List<Checkpoint> shuffled = new ArrayList<>(all);
          Collections.shuffle(shuffled, new Random(roundSeed));
          for (int i = 0; i < policies.size(); i++) {
            String when = "seed " + seed + ", round " + roundSeed + ", policy " + i;
            Set<Checkpoint> kept = policies.get(i).keep(all);
            assertThat(all).as(when).containsAll(kept);
            assertThat(policies.get(i).keep(shuffled)).as(when).isEqualTo(kept);
            assertThat(policies.get(i).keep(List.copyOf(kept))).as(when).isEqualTo(kept);
          }
        });
  }

  @ParameterizedTest
  @ValueSource(longs = {4, 5, 6})
  void latestIsBoundedAndHoldsTheNewestFiniteOnes(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          int n = 1 + new Random(roundSeed).nextInt(5);
          Set<Checkpoint> kept = Retention.latest(n).keep(all);
          List<Checkpoint> finite = all.stream().filter(Checkpoint::finite).toList();
          assertThat(kept)
              .as("seed %d, round %d", seed, roundSeed)
              .hasSizeLessThanOrEqualTo(n + 1)
              .containsAll(finite.subList(Math.max(0, finite.size() - n), finite.size()));
          assertThat(kept.stream().filter(c -> !c.finite()).toList())
              .isEqualTo(
                  all.stream()
                      .filter(c -> !c.finite())
                      .max(Comparator.comparing(Checkpoint::id))
                      .stream()
                      .toList());
        });
  }

  @ParameterizedTest
  @ValueSource(longs = {7, 8, 9})
  void nothingLeftOutIsBetterThanWhatBestKeeps(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          int n = 1 + new Random(roundSeed).nextInt(5);
          Set<Checkpoint> kept = Retention.best("a", Mode.MAX, n).keep(all);
          List<Checkpoint> candidates =
              all.stream()
                  .filter(c -> c.finite() && c.metrics().containsKey("a"))
                  .filter(c -> Double.isFinite(a(c)))
                  .toList();
          String when = "seed " + seed + ", round " + roundSeed;
          assertThat(kept).as(when).hasSize(Math.min(n, candidates.size()));
          for (Checkpoint in : kept) {
            assertThat(candidates).as(when).contains(in);
            for (Checkpoint out : candidates) {
              double difference = a(in) - a(out);
              assertThat(
                      kept.contains(out)
                          || difference > 0
                          || (difference == 0 && in.id().compareTo(out.id()) > 0))
                  .as(when)
                  .isTrue();
            }
          }
        });
  }

  @ParameterizedTest
  @ValueSource(longs = {10, 11, 12})
  void everyHasOneInEachIntervalThatHasAFiniteOneAndNewcomersEvictNone(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          long seconds = 1L + new Random(roundSeed).nextInt(200);
          Retention policy = Retention.every(Duration.ofSeconds(seconds));
          Set<Checkpoint> kept = policy.keep(all);
          String when = "seed " + seed + ", round " + roundSeed;
          List<Long> intervals =
              kept.stream()
                  .map(c -> Math.floorDiv(c.committedAt().getEpochSecond(), seconds))
                  .toList();
          assertThat(intervals).as(when).doesNotHaveDuplicates();
          assertThat(Set.copyOf(intervals))
              .as(when)
              .isEqualTo(
                  all.stream()
                      .filter(Checkpoint::finite)
                      .map(c -> Math.floorDiv(c.committedAt().getEpochSecond(), seconds))
                      .collect(Collectors.toSet()));
          assertThat(kept).as(when).containsAll(policy.keep(all.subList(0, all.size() / 2)));
        });
  }

  @ParameterizedTest
  @ValueSource(longs = {13, 14})
  void nonFiniteCheckpointsChangeNothingForFiniteOnes(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          List<Checkpoint> finite = all.stream().filter(Checkpoint::finite).toList();
          for (Retention policy : policies(new Random(roundSeed))) {
            assertThat(policy.keep(all).stream().filter(Checkpoint::finite).toList())
                .as("seed %d, round %d", seed, roundSeed)
                .isEqualTo(List.copyOf(policy.keep(finite)));
          }
        });
  }

  @ParameterizedTest
  @ValueSource(longs = {15, 16})
  void anyOfIsTheUnion(long seed) {
    forRandomHistories(
        seed,
        (all, roundSeed) -> {
          List<Retention> policies = policies(new Random(roundSeed));
          Set<Checkpoint> union =
              policies.stream()
                  .flatMap(policy -> policy.keep(all).stream())
                  .collect(Collectors.toSet());
          assertThat(Retention.anyOf(policies.toArray(Retention[]::new)).keep(all))
              .as("seed %d, round %d", seed, roundSeed)
              .isEqualTo(union);
        });
  }

  @Test
  void aPolicySaysWhichMetricsItLooksAt() {
    Retention any =
        Retention.anyOf(
            Retention.latest(2),
            Retention.best("loss", Retention.Mode.MIN, 1),
            Retention.best("accuracy", Retention.Mode.MAX, 1));
    assertThat(any.metrics()).containsExactlyInAnyOrder("loss", "accuracy");
    assertThat(Retention.latest(1).metrics()).isEmpty();
  }
}
