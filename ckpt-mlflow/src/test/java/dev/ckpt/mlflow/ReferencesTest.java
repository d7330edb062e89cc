package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Restored;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code resume: mlflow:...} finds what the pages show. */
class ReferencesTest {
  @TempDir(factory = QuickFolders.class)
  Path folder;

  private StandIn server;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
    Runs.train(folder, Runs.settings(server.uri()), 3, 5);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  /** As a user's program: the server is named by the config alone. */
  private long resumedAt(String reference) {
    Toy toy = Toy.usual();
    try (CheckpointManager manager =
        CheckpointManager.from(
                CheckpointConfig.defaults(Map.of())
                    .with("store", folder.toString())
                    .with("run", "toy")
                    .with("resume", reference)
                    .with("mlflow.trackingUri", server.uri()))
            .part("model", toy)
            .open()) {
      Restored restored = manager.resume().orElseThrow();
      assertThat(toy.step).isEqualTo(restored.checkpoint().progress().step());
      return toy.step;
    }
  }

  @Test
  void theIdOfAModelIsItsCheckpoint() {
    assertThat(resumedAt("mlflow:" + server.shown().get(1).id)).isEqualTo(2);
  }

  @Test
  void aNameOfAModelAnAliasAndLatestAreFoundInARun() throws Exception {
    String run = server.runs.keySet().iterator().next();
    try (CheckpointStore store = Stores.local(folder)) {
      MlflowRuns.promote(
          store,
          "toy",
          "000001-000000000002-0",
          "digits",
          "best",
          Runs.settings(server.uri()),
          Map.of());
    }
    assertThat(resumedAt("mlflow:run/" + run + "@step-00000001")).isEqualTo(1);
    assertThat(resumedAt("mlflow:run/" + run + "@best")).isEqualTo(2);
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(resumedAt("mlflow:run/" + run + "@latest")).isEqualTo(3);
  }

  @Test
  void ofAStepThatWasTrainedTwiceTheNewerIsMeant() {
    String run = server.runs.keySet().iterator().next();
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, Runs.settings(server.uri())))
                .resume(dev.ckpt.Resume.parse("000001-000000000001-0"))
                .open()) {
      manager.resume();
      toy.advance();
      assertThat(Runs.save(manager, toy).id()).isEqualTo("000002-000000000002-0");
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    assertThat(server.shown()).filteredOn(model -> model.name.equals("step-00000002")).hasSize(2);
    try (CheckpointStore store = Stores.local(folder)) {
      assertThat(
              new MlflowResolver(Runs.settings(server.uri()), Map.of())
                  .resolve(
                      "mlflow:run/" + run + "@step-00000002",
                      dev.ckpt.Checkpoints.read(store, "toy").all().stream()
                          .flatMap(each -> each.checkpoint().stream())
                          .toList()))
          .isEqualTo("000002-000000000002-0");
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void whatIsNotThereIsSaidWithTheWayOut() {
    String run = server.runs.keySet().iterator().next();
    assertThatThrownBy(() -> resumedAt("mlflow:m-999"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("has no such model");
    assertThatThrownBy(() -> resumedAt("mlflow:run/none@best"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("has no run none");
    assertThatThrownBy(() -> resumedAt("mlflow:run/" + run + "@best"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("ckpt mlflow promote ID --alias best");
    assertThatThrownBy(() -> resumedAt("mlflow:nonsense"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("mlflow:run/<id of the run>@");
  }

  @Test
  void aModelOfAnotherRunIsNoneOfOursThoughItsIdIsEqual() {
    Path other = folder.resolve("other");
    Runs.train(other, Runs.settings(server.uri()), 3, 5);
    String theirs = server.shown().get(4).id;
    assertThat(server.shown().get(4).params.get("id")).isEqualTo("000001-000000000002-0");
    assertThatThrownBy(() -> resumedAt("mlflow:" + theirs))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("it is another run's");
  }

  @Test
  void aServerThatIsDownIsAnErrorAndNoFreshStart() {
    String id = server.shown().get(0).id;
    server.stop();
    assertThatThrownBy(() -> resumedAt("mlflow:" + id)).hasMessageContaining("cannot be reached");
  }
}
