package dev.ckpt.mlflow.internal.publish;

import java.util.Optional;

/**
 * Which run of MLflow's is meant. Kept in the workspace, so that a later {@code sync}, which knows
 * no config, means the same.
 *
 * @param key tells this run from every other, wherever its store is moved to
 * @param trackingUri of the server that was named, without credentials
 * @param runId of a run that is joined
 * @param experiment name of the experiment of a run of our own
 * @param experimentId id of that experiment, which goes before its name
 * @param runName of a run of our own
 * @param parentRun the run below which our own stands
 * @param page of the run, once a server has shown it
 */
public record Target(
    String key,
    Optional<String> trackingUri,
    Optional<String> runId,
    String experiment,
    Optional<String> experimentId,
    String runName,
    Optional<String> parentRun,
    Optional<String> page) {

  Target withPage(String shown) {
    return new Target(
        key, trackingUri, runId, experiment, experimentId, runName, parentRun, Optional.of(shown));
  }
}
