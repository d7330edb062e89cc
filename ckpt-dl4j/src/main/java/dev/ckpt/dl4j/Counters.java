package dev.ckpt.dl4j;

import java.util.Map;
import java.util.function.Supplier;

/**
 * The network's own counters, on which schedules and Adam's bias correction depend, and the last
 * loss. A save in {@code iterationDone} comes before the network counts that update and keeps its
 * weights within bounds: it writes the count that follows, and whoever restores it does the rest.
 */
final class Counters extends SmallState {
  private final Supplier<Trainee> trainee;

  /** What DL4J will have added to its own counters in a moment. */
  private int updatesAhead;

  private int epochsAhead;
  private boolean constraintsDue;
  private boolean savedInUpdate;

  Counters(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  /** What is saved from now on is seen from inside a listener. */
  void ahead(int updates, int epochs) {
    updatesAhead = updates;
    epochsAhead = epochs;
  }

  int iteration() {
    return trainee.get().iteration() + updatesAhead;
  }

  @Override
  Map<String, ?> read() {
    return Map.of(
        "iteration",
        iteration(),
        "epoch",
        trainee.get().epoch() + epochsAhead,
        "score",
        Double.toString(trainee.get().score()),
        "constraintsDue",
        updatesAhead > 0);
  }

  @Override
  void write(Map<String, ?> state) {
    Trainee restored = trainee.get();
    restored.counters((int) number(state, "iteration"), (int) number(state, "epoch"));
    restored.score(real(state, "score"));
    constraintsDue = Boolean.TRUE.equals(state.get("constraintsDue"));
    savedInUpdate = constraintsDue;
  }

  /** Whether what was restored was saved by a listener, behind a batch and inside its update. */
  boolean savedInUpdate() {
    return savedInUpdate;
  }

  /** When all parts are restored: what DL4J did behind the listener. */
  void finishUpdate() {
    if (constraintsDue) {
      constraintsDue = false;
      trainee.get().applyConstraints();
    }
  }
}
