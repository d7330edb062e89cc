package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.mlflow.internal.publish.Publisher;
import dev.ckpt.mlflow.internal.publish.Workspace;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server shows of a run. */
class PublishingTest {
  @TempDir(factory = QuickFolders.class)
  Path folder;

  private StandIn server;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private StandIn.RunState onlyRun() {
    assertThat(server.runs).hasSize(1);
    return server.runs.values().iterator().next();
  }

  @Test
  void eachCheckpointIsAModelAtItsStepWithMetricsAndReport() {
    Runs.train(folder, Runs.settings(server.uri()), 3, 3);
    StandIn.RunState run = onlyRun();
    assertThat(run.name).isEqualTo("toy");
    assertThat(run.status).isEqualTo("FINISHED");
    assertThat(run.params)
        .containsEntry("config.store", folder.toString())
        .containsKeys("ckpt.program", "ckpt.structure");
    assertThat(server.shown())
        .extracting(model -> model.name + " " + model.status)
        .containsExactly(
            "step-00000001 LOGGED_MODEL_READY",
            "step-00000002 LOGGED_MODEL_READY",
            "step-00000003 LOGGED_MODEL_READY");
    assertThat(run.outputs.values()).containsExactlyInAnyOrder(1L, 2L, 3L);
    StandIn.ModelState last = server.shown().get(2);
    assertThat(last.params)
        .containsEntry("id", "000001-000000000003-0")
        .containsEntry("step", "3")
        .containsEntry("uri", folder.toUri() + "runs/toy#000001-000000000003-0");
    assertThat(last.tags.get("mlflow.note.content"))
        .startsWith("**Resume from it**: in `ckpt.yaml`\n\n```yaml\nresume: mlflow:" + last.id);
    assertThat(run.metrics.keySet()).filteredOn(key -> key.startsWith("loss ")).hasSize(3);
    assertThat(run.metrics.keySet())
        .filteredOn(key -> key.startsWith("ckpt.stall_ms ") || key.startsWith("ckpt.write_ms "))
        .hasSize(6);
    String root = "0/models/" + last.id + "/artifacts/";
    String report = new String(server.artifacts.get(root + "report.html"), StandardCharsets.UTF_8);
    assertThat(report)
        .contains("toy · step 3", "model/weight", "50 %", "2 tensors changed, 1 did not");
    assertThat(new String(server.artifacts.get(root + "manifest.json"), StandardCharsets.UTF_8))
        .contains("\"comparedWith\" : \"000001-000000000002-0\"", "\"norm\" : 6.0");
    assertThat(
            new String(
                server.artifacts.get("0/" + run.id + "/artifacts/checkpoints.json"),
                StandardCharsets.UTF_8))
        .contains("\"columns\"", "000001-000000000001-0", "000001-000000000003-0");
    assertThat(run.tags)
        .containsEntry("ckpt.latest", "000001-000000000003-0 mlflow:" + last.id)
        .containsEntry(
            "mlflow.loggedArtifacts", "[{\"path\":\"checkpoints.json\",\"type\":\"table\"}]");
  }

  @Test
  void whatRetentionDeletesIsGoneThereTooAndItsValuesStayInTheCurves() {
    Runs.train(folder, Runs.settings(server.uri()), 12, 2);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactly("step-00000011", "step-00000012");
    assertThat(server.state()).contains("orphans 0");
    assertThat(onlyRun().metrics.keySet()).filteredOn(key -> key.startsWith("loss ")).hasSize(12);
    assertThat(folder.resolve("mlflow/toy/reports"))
        .isDirectoryContaining("glob:**-000000000011-0")
        .isDirectoryContaining("glob:**-000000000012-0");
    assertThat(folder.resolve("mlflow/toy/reports").toFile().list()).hasSize(2);
  }

  @Test
  void thePinnedAndThePromotedStay() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, settings))
                .keep(Retention.latest(2))
                .open()) {
      manager.resume();
      toy.advance();
      Runs.save(manager, toy);
      toy.advance();
      manager.checkpoints().pin(Runs.save(manager, toy).id());
    }
    String first = "000001-000000000001-0";
    try (CheckpointStore store = Stores.local(folder)) {
      MlflowRuns.Promoted done =
          MlflowRuns.promote(store, "toy", first, "digits", "best", settings, Map.of());
      MlflowRuns.Promoted again =
          MlflowRuns.promote(store, "toy", first, "digits", "best", settings, Map.of());
      assertThat(again).isEqualTo(done);
      assertThat(server.versions).hasSize(1);
    }
    Runs.train(folder, settings, 5, 2);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactly("step-00000001", "step-00000002", "step-00000006", "step-00000007");
    // unpinned behind our back, and deleted: the registry's version must still lead somewhere
    try (CheckpointStore store = Stores.local(folder)) {
      Checkpoints.read(store, "toy").unpin(first);
    }
    Runs.train(folder, settings, 1, 2);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .contains("step-00000001")
        .doesNotContain("step-00000006");
    assertThat(server.shown().get(0).tags.get("mlflow.note.content"))
        .contains("is gone from its store");
  }

  @Test
  void aRunOfTheUsersIsJoinedAndStaysTheirs() {
    StandIn.RunState theirs = new StandIn.RunState();
    theirs.id = "theirs";
    theirs.name = "mine";
    theirs.tags.put("mlflow.loggedArtifacts", "[{\"path\":\"eval.json\",\"type\":\"table\"}]");
    server.runs.put(theirs.id, theirs);
    Runs.train(folder, Runs.settings(server.uri()), Map.of("MLFLOW_RUN_ID", "theirs"), 2, 2);
    // the next process does not say it: it is the same run all the same
    Runs.train(folder, Runs.settings(server.uri()), 1, 2);
    assertThat(onlyRun().status).isEqualTo("RUNNING");
    assertThat(theirs.tags).doesNotContainKey("mlflow.note.content");
    assertThat(theirs.tags.get("mlflow.loggedArtifacts"))
        .isEqualTo(
            "[{\"path\":\"eval.json\",\"type\":\"table\"},{\"path\":\"checkpoints.json\",\"type\":\"table\"}]");
    assertThat(server.shown()).hasSize(2).allMatch(model -> model.run.equals("theirs"));
  }

  @Test
  void anotherAttemptGoesOnInTheSameRunAndSaysWhatItChanged() {
    Runs.train(folder, Runs.settings(server.uri()), 1, 5);
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, Runs.settings(server.uri())))
                .retries(7)
                .parameters(Map.of("lr", 0.1))
                .run("toy")
                .open()) {
      manager.resume();
      toy.advance();
      Runs.save(manager, toy);
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
    assertThat(onlyRun().tags)
        .containsEntry("attempt-2.config.retries", "7")
        .containsEntry("attempt-2.lr", "0.1");
    assertThat(onlyRun().status).isEqualTo("KILLED");
    assertThat(server.shown()).hasSize(2);
  }

  @Test
  void withoutAServerTheReportIsThereAndSyncPublishesItLater() throws Exception {
    MlflowSettings nobody =
        new MlflowSettings(
            true,
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.of("named"),
            Optional.empty(),
            Optional.empty(),
            1000,
            java.time.Duration.ofSeconds(1),
            java.time.Duration.ofSeconds(20),
            true,
            false);
    Runs.train(folder, nobody, 4, 2);
    Path page = folder.resolve("mlflow/toy/report.html");
    assertThat(Files.readString(page)).contains("toy · step 4");
    assertThatThrownBy(() -> Runs.sync(folder, nobody)).hasMessageContaining("MLFLOW_TRACKING_URI");
    assertThat(server.calls).isEmpty();
    MlflowRuns.Synced synced = Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(synced.refused()).isEmpty();
    assertThat(synced.page())
        .startsWith(server.uri() + "/#/experiments/0/runs/")
        .endsWith("?workflowType=machine_learning");
    assertThat(onlyRun().name).isEqualTo("named");
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactly("step-00000003", "step-00000004");
    assertThat(onlyRun().metrics.keySet())
        .filteredOn(key -> key.startsWith("ckpt.stall_ms "))
        .hasSize(4);
    assertThat(onlyRun().status).isEqualTo("FINISHED");
    String before = server.state();
    assertThat(Runs.sync(folder, nobody).events()).isZero();
    assertThat(server.state()).isEqualTo(before);
  }

  @Test
  void aSyncBesideATrainingThatPublishesIsRefused() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 1, 1);
    Workspace workspace = Workspace.of(folder.toUri(), "toy", Optional.empty());
    try (Closeable held = workspace.lock().orElseThrow()) {
      assertThat(held).isNotNull();
      assertThatThrownBy(
              () -> {
                try (CheckpointStore store = Stores.local(folder)) {
                  MlflowRuns.sync(store, "toy", Runs.settings(server.uri()), Map.of());
                }
              })
          .isInstanceOf(CheckpointException.Fenced.class);
    }
  }

  @Test
  void aSaveThatFailedIsShownAsFailedAndItsRetryAsReady() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    try (CheckpointStore store = Stores.local(folder)) {
      Runs.train(folder, settings, 1, 5);
      Publisher publisher = Runs.publisher(store, settings);
      publisher.reconcile(List.of());
      publisher.failed(
          "000002-000000000009-0",
          Progress.step(9),
          new CheckpointException.SaveFailed("no space `left`", null));
      publisher.closed();
    }
    assertThat(server.shown())
        .filteredOn(model -> model.name.equals("step-00000009"))
        .singleElement()
        .satisfies(
            model -> {
              assertThat(model.status).isEqualTo("LOGGED_MODEL_UPLOAD_FAILED");
              assertThat(model.tags.get("mlflow.note.content")).contains("no space `left`");
            });
    Runs.sync(folder, settings);
    assertThat(server.shown()).hasSize(2);
  }

  @Test
  void aCheckpointThatDoesNotReadBackIsFailed() throws Exception {
    MlflowSettings nobody = Runs.settings("http://127.0.0.1:1");
    Runs.train(folder, nobody, 1, 5);
    Path shard = folder.resolve("runs/toy/data/000001-000000000001-0/rank-00000-of-00001.arrow");
    byte[] bytes = Files.readAllBytes(shard);
    Path reports = folder.resolve("mlflow/toy/reports/000001-000000000001-0");
    for (String file : List.of("report.html", "manifest.json")) {
      Files.delete(reports.resolve(file));
    }
    for (int i = 0; i < bytes.length - 600; i++) {
      bytes[i] ^= 1;
    }
    Files.setPosixFilePermissions(
        shard, java.nio.file.attribute.PosixFilePermissions.fromString("rw-------"));
    Files.write(shard, bytes);
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(server.shown())
        .singleElement()
        .satisfies(
            model -> {
              assertThat(model.status).isEqualTo("LOGGED_MODEL_UPLOAD_FAILED");
              assertThat(model.tags.get("mlflow.note.content")).contains("does not read back");
            });
  }

  @Test
  void namesThatMlflowRefusesAreChangedAndNotANumberIsAValue() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager = Runs.toy(folder, toy, Runs.publisher(store, settings)).open()) {
      manager.resume();
      toy.advance();
      manager
          .save(
              Progress.step(1),
              Map.of(
                  "a'b:c\"%<>",
                  1.0, "../../x", 2.0, "nan", Double.NaN, "inf", Double.NEGATIVE_INFINITY))
          .join();
    }
    assertThat(onlyRun().metrics.keySet().stream().map(key -> key.split(" ", 2)[0]))
        .contains("a_b_c____", "_/_/x", "nan", "inf")
        .allMatch(key -> key.matches("[A-Za-z0-9_./-]+"));
  }

  @Test
  void wholeShardsAreUploadedOnlyWhenAsked() throws Exception {
    MlflowSettings plain = Runs.settings(server.uri());
    Runs.train(folder, plain, 1, 5);
    assertThat(server.artifacts.keySet()).noneMatch(path -> path.contains("shards"));
    MlflowSettings withShards =
        new MlflowSettings(
            true,
            plain.trackingUri(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            1000,
            plain.timeout(),
            plain.drain(),
            true,
            true);
    Runs.train(folder, withShards, 1, 5);
    Path shard = folder.resolve("runs/toy/data/000002-000000000002-0/rank-00000-of-00001.arrow");
    assertThat(server.artifacts.entrySet())
        .filteredOn(each -> each.getKey().endsWith("shards/rank-00000-of-00001.arrow"))
        .singleElement()
        .satisfies(each -> assertThat(each.getValue()).isEqualTo(Files.readAllBytes(shard)));
  }

  @Test
  void credentialsAreSentAndNeverSaid() throws Exception {
    Map<String, String> environment =
        Map.of(
            "MLFLOW_TRACKING_URI",
            server.uri().replace("://", "://me:s3cr3t@"),
            "MLFLOW_TRACKING_TOKEN",
            "unused");
    MlflowSettings named =
        new MlflowSettings(
            true,
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            1000,
            java.time.Duration.ofSeconds(1),
            java.time.Duration.ofSeconds(20),
            true,
            false);
    Runs.train(folder, named, environment, 1, 1);
    assertThat(server.authorizations).contains("Basic bWU6czNjcjN0").doesNotContain("null");
    try (var files = Files.walk(folder.resolve("mlflow"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        assertThat(Files.readString(file)).doesNotContain("s3cr3t");
      }
    }
    assertThat(onlyRun().params.values().toString()).doesNotContain("s3cr3t");
  }
}
