package dev.ckpt.mlflow.internal.publish;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Which run of MLflow's is meant. Kept in the workspace, so that a later {@code sync}, which knows
 * no config, means the same.
 *
 * @param key tells this run from every other, wherever its store is moved to
 * @param trackingUri of the server that was named, without credentials
 * @param runId of a run that is joined
 * @param experiment name of the experiment of a run of our own; empty: nobody said one
 * @param experimentId id of that experiment, which goes before its name
 * @param runName of a run of our own
 * @param parentRun the run below which our own stands
 * @param page of the run, once a server has shown it
 * @param experiments ids of all that were ever published to
 */
public record Target(
    String key,
    Optional<String> trackingUri,
    Optional<String> runId,
    Optional<String> experiment,
    Optional<String> experimentId,
    String runName,
    Optional<String> parentRun,
    Optional<String> page,
    List<String> experiments) {

  private static final int MOST_EXPERIMENTS = 50;

  public Target {
    experiments = List.copyOf(experiments);
  }

  Target shownAt(String address, String where) {
    List<String> all = new ArrayList<>(experiments);
    all.remove(where);
    all.add(where);
    return new Target(
        key,
        trackingUri,
        runId,
        experiment,
        experimentId,
        runName,
        parentRun,
        Optional.of(address),
        all.subList(Math.max(0, all.size() - MOST_EXPERIMENTS), all.size()));
  }
}
