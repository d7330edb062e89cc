package dev.ckpt;

import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Saves and resumes one run.
 *
 * <p>{@link #resume}, {@link #offer}, {@link #save} and {@link #beforeUpdate} belong to the
 * training thread; the rest may be called from any.
 */
public final class CheckpointManager implements AutoCloseable {

  private CheckpointManager() {}

  /** Checkpoints in a folder, created if needed. */
  public static Builder in(Path directory) {
    throw new UnsupportedOperationException();
  }

  /** Checkpoints in a store, which the manager closes only if it opened it. */
  public static Builder in(CheckpointStore store) {
    throw new UnsupportedOperationException();
  }

  /** Everything as a config says; the builder's own calls win over it. */
  public static Builder from(CheckpointConfig config) {
    throw new UnsupportedOperationException();
  }

  /** Name of the run. */
  public String run() {
    throw new UnsupportedOperationException();
  }

  /** Number of this attempt: 1 for the first process of a run. */
  public int attempt() {
    throw new UnsupportedOperationException();
  }

  /** The seed of this branch: configured, or drawn once by the branch's first attempt. */
  public long seed() {
    throw new UnsupportedOperationException();
  }

  /** Adds a part; before {@link #resume} only. */
  public void register(String part, Checkpointable state) {
    throw new UnsupportedOperationException();
  }

  /** Resumes as the builder or the config says. See {@link #resume(Resume)}. */
  public Optional<Restored> resume() {
    throw new UnsupportedOperationException();
  }

  /**
   * Finds the checkpoint to start from, verifies all of it, has every part check it, then has every
   * part restore it. Called once, before the first save. Empty: a fresh start.
   */
  public Optional<Restored> resume(Resume how) {
    throw new UnsupportedOperationException();
  }

  /**
   * A cut: saves if the trigger says so, or if a stop or a save was requested. After a SIGTERM it
   * saves, then holds this thread until the process ends.
   *
   * @param metrics asked only if a save is made
   */
  public Optional<SaveHandle> offer(
      Moment.Kind kind, Progress progress, Supplier<Map<String, Double>> metrics) {
    throw new UnsupportedOperationException();
  }

  /** Saves now. */
  public SaveHandle save(Progress progress, Map<String, Double> metrics) {
    throw new UnsupportedOperationException();
  }

  /** Asks for a save at the next cut. Any thread; does not wait. */
  public void requestSave(String reason) {
    throw new UnsupportedOperationException();
  }

  /** Whether the process was asked to end. Any thread; cheap. */
  public boolean stopRequested() {
    throw new UnsupportedOperationException();
  }

  /** Joins copies that are still under way; the state may change after it. */
  public void beforeUpdate() {}

  /** Records that the run reached its goal, such as {@code {"epochs": 20}}. */
  public void complete(Map<String, Long> goal) {
    throw new UnsupportedOperationException();
  }

  /** The goal with which the branch was completed by an earlier attempt, if it was. */
  public Optional<Map<String, Long>> completed() {
    throw new UnsupportedOperationException();
  }

  /** Failures so far, oldest first; bounded. */
  public java.util.List<CheckpointException> failures() {
    throw new UnsupportedOperationException();
  }

  /** Finishes the save in flight within the deadline, then lets go of the run. Idempotent. */
  @Override
  public void close() {}

  /** Collects how to open a manager. */
  public static final class Builder {
    private Builder() {}

    public Builder run(String name) {
      return this;
    }

    public Builder part(String name, Checkpointable state) {
      return this;
    }

    public Builder saveWhen(SaveTrigger trigger) {
      return this;
    }

    public Builder keep(Retention retention) {
      return this;
    }

    public Builder resume(Resume how) {
      return this;
    }

    public Builder seed(long seed) {
      return this;
    }

    public Builder deadline(Duration deadline) {
      return this;
    }

    public Builder stagingBudget(long bytes) {
      return this;
    }

    public Builder onFailure(FailurePolicy policy) {
      return this;
    }

    public Builder nonFinite(NonFinitePolicy policy) {
      return this;
    }

    public Builder notify(CheckpointListener listener) {
      return this;
    }

    public CheckpointManager open() {
      throw new UnsupportedOperationException();
    }
  }

  @Nullable Object unused() {
    return null;
  }
}
