package dev.ckpt.mlflow.internal.publish;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

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
 * @param shown id of the run that was shown last
 * @param page of that run
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
    Optional<String> shown,
    Optional<String> page,
    List<String> experiments) {

  private static final int MOST_EXPERIMENTS = 50;

  public Target {
    experiments = List.copyOf(experiments);
  }

  /** Who asks. */
  enum Asker {
    /** Knows the config, and an environment that is meant for it. */
    TRAINING,
    /** Knows no config: what the training meant is meant, whatever the shell says for others. */
    OUTSIDE
  }

  /**
   * What is meant now. What is said goes before what is remembered, and ids are remembered for the
   * server that gave them.
   *
   * @param before what is remembered
   * @param key of a run of which nothing is remembered
   * @param run of ours
   * @param server that is named now
   */
  static Target of(
      Optional<Target> before,
      Supplier<String> key,
      String run,
      Options options,
      Optional<String> server,
      Asker asker) {
    Optional<Target> same = before.filter(known -> known.isOn(server));
    boolean training = asker == Asker.TRAINING;
    Optional<String> name =
        options.experiment().or(() -> training ? options.experimentName() : Optional.empty());
    Optional<String> id = training ? options.experimentId() : Optional.empty();
    // a run that was shown, on whatever server, is not another one because a shell says so
    boolean isShown = before.flatMap(Target::page).isPresent();
    Optional<String> joined =
        options
            .runId()
            .or(() -> training ? options.joinedRun() : Optional.empty())
            .or(() -> same.flatMap(Target::runId))
            .or(() -> isShown ? Optional.empty() : options.joinedRun());
    return new Target(
        before.map(Target::key).orElseGet(key),
        server.or(() -> before.flatMap(Target::trackingUri)),
        joined,
        // a name means the same everywhere to who knows no config
        name.or(() -> (training ? same : before).flatMap(Target::experiment)),
        options.experiment().isPresent()
            ? Optional.empty()
            : id.or(() -> name.isPresent() ? Optional.empty() : same.flatMap(Target::experimentId)),
        options.runName().or(() -> before.map(Target::runName)).orElse(run),
        options.parentRun().or(() -> same.flatMap(Target::parentRun)),
        same.flatMap(Target::shown),
        same.flatMap(Target::page),
        same.map(Target::experiments).orElse(List.of()));
  }

  /** Whether its ids are those of this server; so is what was never published anywhere. */
  boolean isOn(Optional<String> server) {
    return trackingUri.isEmpty() || server.isEmpty() || trackingUri.equals(server);
  }

  /**
   * Whether it may go before the server that is named now has answered. A mistyped URI must not
   * cost what was shown elsewhere; what no server has shown, a training says anew.
   */
  boolean mayBeReplaced(Optional<String> server, Asker asker) {
    return isOn(server) || (asker == Asker.TRAINING && page.isEmpty());
  }

  Target shownAt(String id, String address, String where) {
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
        Optional.of(id),
        Optional.of(address),
        all.subList(Math.max(0, all.size() - MOST_EXPERIMENTS), all.size()));
  }
}
