package dev.ckpt;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

/**
 * Says which checkpoints to keep. A pure function; the newest that verifies, pinned ones and those
 * that others need are kept by the manager whatever it says: pins are no matter of a policy. Called
 * on a thread of the manager's.
 *
 * <p>The policies made here do not depend on the order of the list: older and newer mean the order
 * of ids, which on one branch is the order in time.
 */
@FunctionalInterface
public interface Retention {

  /**
   * Chooses what stays; the rest is deleted.
   *
   * @param committed those of the live branch, oldest first
   * @return the ones to keep, a subset
   */
  Set<Checkpoint> keep(List<Checkpoint> committed);

  /** The metrics it looks at: one that no checkpoint has is a typo, and is warned about. */
  default Set<String> metrics() {
    return Set.of();
  }

  /**
   * The part of it that a limit of bytes must respect: what it keeps as the best by a metric, and
   * not what it keeps only because it is new.
   */
  default Retention best() {
    return metrics().isEmpty() ? committed -> Set.of() : this;
  }

  /** Which end of a metric's scale is the good one. */
  enum Mode {
    /** The largest value is the best: an accuracy. */
    MAX,
    /** The smallest value is the best: a loss. */
    MIN
  }

  /**
   * The newest {@code n} finite checkpoints and, so that one can look at what went wrong, the
   * newest non-finite one: at most {@code n + 1}. Non-finite ones never count as one of the {@code
   * n}.
   *
   * @param n at least 1
   */
  static Retention latest(int n) {
    atLeastOne("latest", n);
    return committed -> {
      List<Checkpoint> finite = finite(committed);
      List<Checkpoint> kept =
          new ArrayList<>(finite.subList(Math.max(0, finite.size() - n), finite.size()));
      committed.stream().filter(c -> !c.finite()).max(oldestFirst()).ifPresent(kept::add);
      return setOf(kept);
    };
  }

  /**
   * The {@code n} finite checkpoints with the best values of a metric; of equal ones the newer. One
   * without the metric, or whose value is NaN or infinite, is never among them.
   *
   * @param n at least 1
   */
  static Retention best(String metric, Mode mode, int n) {
    if (metric.isBlank()) {
      throw new IllegalArgumentException("best needs the name of a metric");
    }
    atLeastOne("best", n);
    // adding 0.0 makes -0.0 the equal of 0.0
    ToDoubleFunction<Checkpoint> value = c -> c.metrics().getOrDefault(metric, Double.NaN) + 0.0;
    Comparator<Checkpoint> byValue = Comparator.comparingDouble(value);
    Comparator<Checkpoint> bestFirst =
        (mode == Mode.MAX ? byValue.reversed() : byValue).thenComparing(oldestFirst().reversed());
    return new Retention() {
      @Override
      public Set<Checkpoint> keep(List<Checkpoint> committed) {
        return setOf(
            finite(committed).stream()
                .filter(c -> Double.isFinite(value.applyAsDouble(c)))
                .sorted(bestFirst)
                .limit(n)
                .toList());
      }

      @Override
      public Set<String> metrics() {
        return Set.of(metric);
      }
    };
  }

  /**
   * The oldest finite checkpoint of each interval. Intervals are counted from 1970-01-01T00:00Z, so
   * the choice does not change when others come or go. This grows with the length of the run
   * without bound: that is what the user chose.
   *
   * @param interval whole seconds, at least one
   */
  static Retention every(Duration interval) {
    long seconds = interval.getSeconds();
    if (seconds < 1 || interval.getNano() != 0) {
      throw new IllegalArgumentException(
          "every needs whole seconds, at least one, not " + interval);
    }
    return committed -> {
      Set<Long> intervals = new HashSet<>();
      return setOf(
          finite(committed).stream()
              .filter(c -> intervals.add(Math.floorDiv(c.committedAt().getEpochSecond(), seconds)))
              .toList());
    };
  }

  /** What one of them keeps; with none, nothing. */
  static Retention anyOf(Retention... policies) {
    List<Retention> all = List.of(policies);
    return new Retention() {
      @Override
      public Set<Checkpoint> keep(List<Checkpoint> committed) {
        List<Checkpoint> kept = new ArrayList<>();
        all.forEach(policy -> kept.addAll(policy.keep(committed)));
        return setOf(kept);
      }

      @Override
      public Set<String> metrics() {
        return all.stream()
            .flatMap(policy -> policy.metrics().stream())
            .collect(Collectors.toUnmodifiableSet());
      }

      @Override
      public Retention best() {
        return anyOf(all.stream().map(Retention::best).toArray(Retention[]::new));
      }
    };
  }

  /** What holds if nothing is configured: {@code latest(3)}, which is bounded. */
  static Retention defaults() {
    return latest(3);
  }

  private static Comparator<Checkpoint> oldestFirst() {
    return Comparator.comparing(Checkpoint::id);
  }

  private static void atLeastOne(String what, int n) {
    if (n < 1) {
      throw new IllegalArgumentException(what + " needs at least 1, not " + n);
    }
  }

  private static List<Checkpoint> finite(List<Checkpoint> committed) {
    return committed.stream().filter(Checkpoint::finite).sorted(oldestFirst()).toList();
  }

  private static Set<Checkpoint> setOf(Collection<Checkpoint> kept) {
    List<Checkpoint> sorted = new ArrayList<>(kept);
    sorted.sort(oldestFirst());
    return Collections.unmodifiableSet(new LinkedHashSet<>(sorted));
  }
}
