package dev.ckpt;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;

/** What a config file says. */
public final class CheckpointConfig {
  private CheckpointConfig() {}

  /** Reads a YAML file; the environment overrides it. */
  public static CheckpointConfig load(Path file) {
    throw new UnsupportedOperationException();
  }

  /** Defaults. */
  public static CheckpointConfig defaults() {
    return new CheckpointConfig();
  }

  public String store() {
    return "checkpoints";
  }

  public Optional<String> run() {
    return Optional.empty();
  }

  public Resume resume() {
    return new Resume.Auto();
  }

  public OptionalLong seed() {
    return OptionalLong.empty();
  }

  public SaveTrigger saveWhen() {
    return SaveTrigger.anyOf(
        SaveTrigger.every(Duration.ofMinutes(5)),
        SaveTrigger.everyEpoch(),
        SaveTrigger.onStop(),
        SaveTrigger.onException(),
        SaveTrigger.onCompletion());
  }

  public Retention keep() {
    return Retention.latest(3);
  }

  public String format() {
    return "arrow";
  }

  public OptionalLong stagingBudget() {
    return OptionalLong.empty();
  }

  public Duration deadline() {
    return Duration.ofSeconds(60);
  }

  public Duration stopGrace() {
    return Duration.ofSeconds(25);
  }

  public int retries() {
    return 2;
  }

  public FailurePolicy onFailure() {
    return FailurePolicy.WARN;
  }

  public NonFinitePolicy nonFinite() {
    return NonFinitePolicy.WARN;
  }

  public boolean takeOver() {
    return false;
  }
}
