package dev.ckpt.mlflow;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/**
 * What {@code mlflow:} in the config says.
 *
 * @param enabled whether anything is published, or kept for publishing
 * @param trackingUri of the server, may hold credentials; empty: {@code MLFLOW_TRACKING_URI}
 * @param experiment its name; empty: {@code MLFLOW_EXPERIMENT_NAME}, {@code MLFLOW_EXPERIMENT_ID},
 *     else {@code Default}
 * @param runId of a run that is there, which is joined; empty: {@code MLFLOW_RUN_ID}, else a run of
 *     our own
 * @param runName of a run of our own; empty: the run's name
 * @param parentRun id of the run below which our own stands
 * @param outbox a folder; empty: {@code mlflow/<run>} in a local store, else below the home
 * @param outboxEntries how many events may wait
 * @param timeout the longest that one call may take
 * @param drain the longest that closing waits for what is not published yet, while it gets on
 * @param norms whether tensors are read for the report
 * @param shards whether whole shards are uploaded
 */
public record MlflowSettings(
    boolean enabled,
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
    boolean shards) {

  /** Nothing said: everything from the environment, or its default. */
  public static MlflowSettings defaults() {
    return new MlflowSettings(
        true,
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        10_000,
        Duration.ofSeconds(10),
        Duration.ofSeconds(10),
        true,
        false);
  }

  /** The same with another server. */
  public MlflowSettings withTrackingUri(String uri) {
    return new MlflowSettings(
        enabled,
        Optional.of(uri),
        experiment,
        runId,
        runName,
        parentRun,
        outbox,
        outboxEntries,
        timeout,
        drain,
        norms,
        shards);
  }

  /** The same with another outbox. */
  public MlflowSettings withOutbox(Path folder) {
    return new MlflowSettings(
        enabled,
        trackingUri,
        experiment,
        runId,
        runName,
        parentRun,
        Optional.of(folder),
        outboxEntries,
        timeout,
        drain,
        norms,
        shards);
  }

  /** Without the server's URI, which may hold a password. */
  @Override
  public String toString() {
    return "MlflowSettings[experiment=" + experiment + ", runId=" + runId + "]";
  }
}
