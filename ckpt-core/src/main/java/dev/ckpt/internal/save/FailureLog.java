package dev.ckpt.internal.save;

import dev.ckpt.CheckpointException;
import dev.ckpt.FailurePolicy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where every failure ends up: counted, warned about once for each kind since the last commit, and,
 * as the policy says, thrown at the training. Thread-safe.
 */
final class FailureLog {
  private static final Logger log = LoggerFactory.getLogger(FailureLog.class);
  private static final int MOST = 64;

  private final FailurePolicy policy;
  private final List<CheckpointException> failures = new ArrayList<>();
  private final Set<String> told = new HashSet<>();
  private final Set<String> toldSinceCommit = new HashSet<>();
  private long count;
  private @Nullable CheckpointException last;
  private @Nullable CheckpointException unreported;

  FailureLog(FailurePolicy policy) {
    this.policy = policy;
  }

  /** The first 64, oldest first. */
  synchronized List<CheckpointException> all() {
    return List.copyOf(failures);
  }

  /**
   * A save has failed; the same failure counts once.
   *
   * @return whether it is new
   */
  boolean failed(CheckpointException failure) {
    synchronized (this) {
      if (failures.contains(failure) || failure == last) {
        return false;
      }
      last = failure;
      count++;
      if (failures.size() < MOST) {
        failures.add(failure);
      }
      if (policy == FailurePolicy.FAIL || failure instanceof CheckpointException.Fenced) {
        unreported = failure;
      }
    }
    Throwable cause = failure.getCause();
    warn(
        toldSinceCommit,
        failure.getClass().getSimpleName() + (cause == null ? "" : cause.getClass().getName()),
        "a checkpoint was not saved; training goes on, older checkpoints are untouched: "
            + failure.getMessage());
    return true;
  }

  /** How many failed, also those that {@link #all} has no room for. */
  synchronized long count() {
    return count;
  }

  /** A save was committed: the next failure is another outage, and is said. */
  synchronized void committed() {
    toldSinceCommit.clear();
  }

  /** Warns at the first message of a kind. */
  void warnOnce(String kind, String message) {
    warn(told, kind, message);
  }

  private void warn(Set<String> known, String kind, String message) {
    boolean first;
    synchronized (this) {
      first = known.add(kind);
    }
    if (first) {
      log.warn("{}", message);
    } else {
      log.debug("{}", message);
    }
  }

  /** What {@link #report} would throw. */
  synchronized Optional<CheckpointException> pending() {
    return Optional.ofNullable(unreported);
  }

  /** Throws what the policy wants thrown and was not; a fenced process hears it each time. */
  void report() {
    CheckpointException failure;
    synchronized (this) {
      failure = unreported;
      if (!(failure instanceof CheckpointException.Fenced)) {
        unreported = null;
      }
    }
    if (failure != null) {
      throw again(failure);
    }
  }

  /**
   * The same once more, as an object of its own: try-with-resources fails on what both its body, by
   * way of a handle, and close() throw.
   */
  private static CheckpointException again(CheckpointException failure) {
    String message = String.valueOf(failure.getMessage());
    if (failure instanceof CheckpointException.Fenced) {
      return new CheckpointException.Fenced(message);
    }
    if (failure instanceof CheckpointException.CommitUnknown) {
      return new CheckpointException.CommitUnknown(message, failure);
    }
    if (failure instanceof CheckpointException.Incompatible) {
      return new CheckpointException.Incompatible(message, failure);
    }
    if (failure instanceof CheckpointException.Corrupt) {
      return new CheckpointException.Corrupt(message, failure);
    }
    if (failure instanceof CheckpointException.RestartRequired) {
      return new CheckpointException.RestartRequired(message);
    }
    return new CheckpointException.SaveFailed(message, failure);
  }
}
