package dev.ckpt.mlflow;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.mlflow.internal.publish.Options;
import dev.ckpt.mlflow.internal.publish.Sync;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;

/** Publishes a run from outside of its training. All calls block, on any thread. */
public final class MlflowRuns {

  private MlflowRuns() {}

  /**
   * What was published.
   *
   * @param events that had waited
   * @param refused what the server would not have, with its answers; it stays, and is tried again
   *     by the next sync
   * @param removed models of checkpoints that are not in the store any more
   * @param dropped events that the bounded outbox ever lost, or that could not be read
   * @param page address of the run's page
   */
  public record Synced(int events, List<String> refused, int removed, long dropped, String page) {
    public Synced {
      refused = List.copyOf(refused);
    }
  }

  /**
   * What was promoted.
   *
   * @param name the registered model
   * @param version of it
   * @param model id of the logged model
   * @param page address of the run's page
   */
  public record Promoted(String name, String version, String model, String page) {}

  /**
   * What the environment says, in the variables of the config's keys ({@code
   * CKPT_MLFLOW_TRACKING_URI}).
   *
   * @throws dev.ckpt.ConfigException if one of them is wrong
   */
  public static MlflowSettings settings(Map<String, String> environment) {
    return CheckpointConfig.defaults(environment)
        .section(MlflowSettings.class)
        .orElseGet(MlflowSettings::defaults);
  }

  /**
   * Publishes what waits in the outbox, then makes the server show what the store holds. Once or
   * often: nothing is published twice.
   *
   * @param environment for the server's URI and credentials ({@code MLFLOW_TRACKING_*})
   * @throws CheckpointException.Fenced if a training publishes the run now
   * @throws UncheckedIOException if no server is named, or it cannot be reached; what waits stays
   */
  public static Synced sync(
      CheckpointStore store, String run, MlflowSettings settings, Map<String, String> environment) {
    try {
      Sync.Result result = new Sync(store, run, options(settings, environment), clock()).all();
      return new Synced(
          result.published(), result.refused(), result.removed(), result.dropped(), result.page());
    } catch (IOException e) {
      throw new UncheckedIOException("run '" + run + "' is not published: " + e.getMessage(), e);
    }
  }

  /**
   * Promotes a checkpoint: makes a version of it in the registry, and lets an alias stand for it.
   * It is pinned, and published if it is not; beside a training that publishes it must be published
   * already. Once or often.
   *
   * @param id of the checkpoint
   * @param name the registered model, made if it is not there
   * @param alias such as {@code best}
   * @throws CheckpointException.NotFound if there is no such checkpoint
   * @throws CheckpointException.Corrupt if it is damaged; nothing is done then
   * @throws CheckpointException.Fenced if a training publishes the run now, and has not shown it
   *     yet
   * @throws UncheckedIOException if the server cannot be reached
   */
  public static Promoted promote(
      CheckpointStore store,
      String run,
      String id,
      String name,
      String alias,
      MlflowSettings settings,
      Map<String, String> environment) {
    Checkpoint checkpoint = Checkpoints.read(store, run).find(id);
    try {
      Sync.Promoted done =
          new Sync(store, run, options(settings, environment), clock())
              .promote(checkpoint, name, alias);
      return new Promoted(done.name(), done.version(), done.model(), done.page());
    } catch (IOException e) {
      throw new UncheckedIOException(checkpoint.id() + " is not promoted: " + e.getMessage(), e);
    }
  }

  private static InstantSource clock() {
    return InstantSource.system();
  }

  static Options options(MlflowSettings settings, Map<String, String> environment) {
    return new Options(
        settings.trackingUri(),
        settings.experiment(),
        settings.runId(),
        settings.runName(),
        settings.parentRun(),
        settings.outbox(),
        settings.outboxEntries(),
        settings.timeout(),
        settings.drain(),
        settings.norms(),
        settings.shards(),
        environment);
  }
}
