package dev.ckpt.mlflow;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.mlflow.internal.publish.References;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.mlflow.internal.rest.Tracking;
import dev.ckpt.spi.CheckpointResolver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;

/**
 * Understands {@code resume: mlflow:m-...}, the id on the page of a logged model, and {@code
 * mlflow:run/<id>@<what>}, where what is an alias that was promoted ({@code best}), {@code latest},
 * or the name of a logged model of that run. Asks the server, within the configured time.
 */
public final class MlflowResolver implements CheckpointResolver {
  private final MlflowSettings settings;
  private final Map<String, String> environment;

  /** The server that the environment names. */
  public MlflowResolver() {
    this(MlflowRuns.settings(System.getenv()), System.getenv());
  }

  MlflowResolver(MlflowSettings settings, Map<String, String> environment) {
    this.settings = settings;
    this.environment = Map.copyOf(environment);
  }

  @Override
  public String scheme() {
    return "mlflow";
  }

  /**
   * @throws CheckpointException.NotFound if the server knows no such thing, or it is none of these
   *     checkpoints
   * @throws UncheckedIOException if the server cannot be asked
   */
  @Override
  public String resolve(String reference, List<Checkpoint> committed) {
    String server =
        MlflowRuns.options(settings, environment)
            .server()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        "'"
                            + reference
                            + "' asks an MLflow server, but none is named: set MLFLOW_TRACKING_URI,"
                            + " or mlflow.trackingUri in the config"));
    try (MlflowApi api = new MlflowApi(Tracking.of(server, environment), settings.timeout())) {
      return new References(api).find(reference, committed);
    } catch (MlflowException e) {
      throw new UncheckedIOException("cannot find " + reference + ": " + e.getMessage(), e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
