package dev.ckpt.mlflow.internal.publish;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * What was configured, as this room needs it.
 *
 * @param environment of the process; for what MLflow's own clients read from it
 */
public record Options(
    Optional<String> trackingUri,
    Optional<String> experiment,
    Optional<String> runId,
    Optional<String> runName,
    Optional<String> parentRun,
    Optional<Path> outbox,
    int outboxEntries,
    Duration timeout,
    Duration drain,
    boolean norms,
    boolean shards,
    Map<String, String> environment) {

  /** The server that is named; may hold credentials. */
  public Optional<String> server() {
    return trackingUri.or(() -> variable("MLFLOW_TRACKING_URI"));
  }

  /** The run that the environment says for all of MLflow's clients. */
  Optional<String> joinedRun() {
    return variable("MLFLOW_RUN_ID");
  }

  /** The experiment that the environment says for all of them. */
  Optional<String> experimentName() {
    return variable("MLFLOW_EXPERIMENT_NAME");
  }

  Optional<String> experimentId() {
    return variable("MLFLOW_EXPERIMENT_ID");
  }

  private Optional<String> variable(String name) {
    return Optional.ofNullable(environment.get(name)).filter(text -> !text.isBlank());
  }
}
