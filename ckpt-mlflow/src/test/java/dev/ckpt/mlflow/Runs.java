package dev.ckpt.mlflow;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Progress;
import dev.ckpt.SaveTrigger;
import dev.ckpt.Stores;
import dev.ckpt.mlflow.internal.publish.Publisher;
import dev.ckpt.mlflow.internal.publish.Workspace;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;

/** Small trainings that publish, with pauses short enough for tests. */
final class Runs {
  static final Publisher.Patience QUICK =
      new Publisher.Patience(
          Duration.ofMillis(5),
          Duration.ofMillis(50),
          Duration.ofMillis(200),
          Duration.ofSeconds(5));

  private Runs() {}

  static MlflowSettings settings(String uri) {
    return new MlflowSettings(
        true,
        java.util.Optional.of(uri),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        10_000,
        Duration.ofSeconds(5),
        Duration.ofSeconds(20),
        true,
        false);
  }

  /** The same without a server. */
  static MlflowSettings unnamed() {
    MlflowSettings usual = settings("http://127.0.0.1:1");
    return new MlflowSettings(
        true,
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        usual.outboxEntries(),
        usual.timeout(),
        usual.drain(),
        true,
        false);
  }

  /** The same with an experiment, or a run that is joined. */
  static MlflowSettings settings(String uri, String experiment, String runId) {
    MlflowSettings usual = settings(uri);
    return new MlflowSettings(
        true,
        usual.trackingUri(),
        java.util.Optional.of(experiment).filter(name -> !name.isEmpty()),
        java.util.Optional.of(runId).filter(id -> !id.isEmpty()),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        usual.outboxEntries(),
        usual.timeout(),
        usual.drain(),
        true,
        false);
  }

  static CheckpointManagerBuilder toy(Path folder, Toy toy, Publisher publisher) {
    return CheckpointManager.from(
            CheckpointConfig.defaults(Map.of()).with("store", folder.toString()))
        .run("toy")
        .part("model", toy)
        .saveWhen(SaveTrigger.everySteps(1))
        .deadline(Duration.ofSeconds(60))
        .notify(publisher);
  }

  static Publisher publisher(CheckpointStore store, MlflowSettings settings) {
    return publisher(store, settings, Map.of());
  }

  static Publisher publisher(
      CheckpointStore store, MlflowSettings settings, Map<String, String> environment) {
    return publisher(store, "toy", settings, environment);
  }

  private static Publisher publisher(
      CheckpointStore store, String run, MlflowSettings settings, Map<String, String> environment) {
    return new Publisher(
        store, run, MlflowRuns.options(settings, environment), QUICK, InstantSource.system());
  }

  /** Trains some steps, keeps the newest few, and closes. */
  static void train(Path folder, MlflowSettings settings, int steps, int keep) {
    train(folder, settings, Map.of(), steps, keep);
  }

  static void train(
      Path folder, MlflowSettings settings, Map<String, String> environment, int steps, int keep) {
    train(folder, "toy", settings, environment, steps, keep);
  }

  static void train(
      Path folder,
      String run,
      MlflowSettings settings,
      Map<String, String> environment,
      int steps,
      int keep) {
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            toy(folder, toy, publisher(store, run, settings, environment))
                .run(run)
                .keep(dev.ckpt.Retention.latest(keep))
                .open()) {
      manager.resume();
      for (int i = 0; i < steps; i++) {
        toy.advance();
        save(manager, toy);
      }
      manager.complete(Map.of("steps", toy.step));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Checkpoint save(CheckpointManager manager, Toy toy) {
    return manager
        .save(
            Progress.step(toy.step), Map.of("loss", 1.0 / toy.step, "accuracy", 1 - 0.5 / toy.step))
        .join();
  }

  /** As soon as the training's own thread has come back from its last call. */
  static MlflowRuns.Synced sync(Path folder, MlflowSettings settings) {
    return sync(folder, settings, Map.of());
  }

  static MlflowRuns.Synced sync(
      Path folder, MlflowSettings settings, Map<String, String> environment) {
    return sync(folder, "toy", settings, environment);
  }

  static MlflowRuns.Synced sync(
      Path folder, String run, MlflowSettings settings, Map<String, String> environment) {
    awaitTheEnd(folder, run);
    try (CheckpointStore store = Stores.local(folder)) {
      return MlflowRuns.sync(store, run, settings, environment);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** As soon as nobody else publishes. */
  static void awaitTheEnd(Path folder) {
    awaitTheEnd(folder, "toy");
  }

  private static void awaitTheEnd(Path folder, String run) {
    Workspace workspace = Workspace.of(folder.toUri(), run, java.util.Optional.empty());
    org.awaitility.Awaitility.await()
        .atMost(Duration.ofSeconds(30))
        .until(
            () -> {
              try (var lock = workspace.lock().orElse(null)) {
                return lock != null;
              }
            });
  }
}
