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
import org.junit.jupiter.api.Test;

/** What a server shows of a run. */
class PublishingTest extends AgainstAStandIn {
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
                  1.0,
                  "../../x",
                  2.0,
                  "nan",
                  Double.NaN,
                  "inf",
                  Double.NEGATIVE_INFINITY,
                  "损失",
                  0.5,
                  "精度",
                  0.9,
                  "p:q",
                  1.0,
                  "p;q",
                  2.0))
          .join();
    }
    assertThat(onlyRun().metrics.keySet().stream().map(key -> key.split(" ", 2)[0]))
        .contains("nan", "inf", "损失", "精度")
        .anyMatch(key -> key.matches("a_b_c_____[0-9a-f]{6}"))
        .anyMatch(key -> key.matches("_/_/x_[0-9a-f]{6}"))
        .allMatch(key -> key.matches("(?U)[\\w./-]+"));
    // two names that MLflow cannot tell apart stay two
    assertThat(onlyRun().metrics.keySet()).filteredOn(key -> key.startsWith("p_q_")).hasSize(2);
  }

  @Test
  void moreMetricsThanACallTakesArePublishedAll() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Map<String, Double> many = new java.util.TreeMap<>();
    for (int i = 0; i < 2_345; i++) {
      many.put("m" + i, (double) i);
    }
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager = Runs.toy(folder, toy, Runs.publisher(store, settings)).open()) {
      manager.resume();
      toy.advance();
      manager.save(Progress.step(1), many).join();
    }
    assertThat(onlyRun().metrics.keySet()).filteredOn(key -> key.startsWith("m")).hasSize(2_345);
    assertThat(server.shown()).allMatch(model -> model.status.endsWith("READY"));
  }

  @Test
  void aRunThatWasDeletedIsMadeAgainAndShowsAllThatTheStoreHas() {
    Runs.train(folder, Runs.settings(server.uri()), 3, 3);
    StandIn.RunState old = onlyRun();
    old.deleted = true;
    List<String> models = server.shown().stream().map(model -> model.id).toList();
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).refused()).isEmpty();
    assertThat(server.runs).hasSize(2);
    StandIn.RunState made =
        server.runs.values().stream().filter(run -> !run.deleted).findFirst().orElseThrow();
    // the same models: what was copied from their pages stays right
    assertThat(server.shown()).extracting(model -> model.id).isEqualTo(models);
    assertThat(made.outputs.keySet()).containsExactlyInAnyOrderElementsOf(models);
    assertThat(made.metrics.keySet()).filteredOn(key -> key.startsWith("loss ")).hasSize(3);
    assertThat(made.status).isEqualTo("FINISHED");
  }

  @Test
  void aJoinedRunThatWasDeletedIsSaidAndNotReplaced() {
    StandIn.RunState theirs = new StandIn.RunState();
    theirs.id = "theirs";
    theirs.deleted = true;
    server.runs.put(theirs.id, theirs);
    Runs.train(folder, Runs.settings(server.uri()), Map.of("MLFLOW_RUN_ID", "theirs"), 1, 2);
    assertThat(server.runs).hasSize(1);
    assertThat(server.shown()).isEmpty();
    assertThatThrownBy(() -> Runs.sync(folder, Runs.settings(server.uri())))
        .hasMessageContaining("theirs that is joined was deleted in MLflow: restore it");
  }

  @Test
  void aLaterRunOfTheUsersShowsTheOldCheckpointsTooAndWhatIsDeletedGoesEverywhere() {
    for (String id : List.of("a", "b")) {
      StandIn.RunState run = new StandIn.RunState();
      run.id = id;
      server.runs.put(id, run);
    }
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(folder, settings, Map.of("MLFLOW_RUN_ID", "a"), 3, 3);
    Runs.train(folder, settings, Map.of("MLFLOW_RUN_ID", "b"), 1, 3);
    assertThat(server.shown()).hasSize(3);
    StandIn.RunState second = java.util.Objects.requireNonNull(server.runs.get("b"));
    assertThat(second.outputs.values()).containsExactlyInAnyOrder(2L, 3L, 4L);
    // a third one in another experiment: they are shown there, too
    StandIn.RunState c = new StandIn.RunState();
    c.id = "c";
    c.experiment = "7";
    server.experiments.put("other", "7");
    server.runs.put("c", c);
    Runs.train(folder, settings, Map.of("MLFLOW_RUN_ID", "c"), 1, 3);
    assertThat(server.shown().stream().filter(model -> model.experiment.equals("7")))
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000003", "step-00000004", "step-00000005");
    // 2 is deleted by retention, and gone from the experiment of before
    assertThat(server.shown().stream().filter(model -> model.experiment.equals("0")))
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000003", "step-00000004");
    Runs.train(folder, settings, 3, 1);
    assertThat(server.shown()).extracting(model -> model.name).containsExactly("step-00000008");
    assertThat(server.artifacts.keySet()).filteredOn(path -> path.contains("/models/")).hasSize(2);
  }

  @Test
  void whatAnotherCopyOfTheStoreHasPublishedStays() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(folder.resolve("one"), settings, 3, 9);
    copy(folder.resolve("one"), folder.resolve("two"));
    Runs.train(folder.resolve("one"), settings, 3, 9);
    assertThat(server.shown()).hasSize(6);
    assertThat(Runs.sync(folder.resolve("two"), settings).removed()).isZero();
    assertThat(server.shown()).hasSize(6);
    // trained on, it has checkpoints of the same ids: they are others
    Runs.train(folder.resolve("two"), settings, 1, 9);
    assertThat(server.shown()).hasSize(7);
    Runs.train(folder.resolve("one"), settings, 1, 2);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000004", "step-00000006", "step-00000007");
  }

  private static void copy(Path from, Path to) throws Exception {
    try (var paths = Files.walk(from)) {
      for (Path each : paths.toList()) {
        Files.copy(each, to.resolve(from.relativize(each).toString()));
      }
    }
  }

  @Test
  void aSyncThatKnowsNothingFindsTheRunWhereverTheTrainingPutIt() throws Exception {
    MlflowSettings usual = Runs.settings(server.uri());
    Path outbox = folder.resolve("outbox");
    MlflowSettings training =
        new MlflowSettings(
            true,
            usual.trackingUri(),
            Optional.of("digits"),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.of(outbox),
            1000,
            usual.timeout(),
            usual.drain(),
            true,
            false);
    Path store = folder.resolve("store");
    Runs.train(store, training, 3, 3);
    String before = server.state();
    assertThat(Runs.sync(store, usual).refused()).isEmpty();
    assertThat(server.state()).isEqualTo(before);
    // what waits in the other place is published, too
    server.plan = (call, what) -> StandIn.Trouble.ANSWER_503;
    Runs.train(store, training, 1, 3);
    server.plan = (call, what) -> StandIn.Trouble.NONE;
    assertThat(Runs.sync(store, usual).events()).isPositive();
    assertThat(server.shown()).hasSize(3).allMatch(model -> model.experiment.equals("1"));
    // and the run is found though all that was remembered is lost
    for (Path lost : List.of(store.resolve("mlflow"), outbox)) {
      try (var paths = Files.walk(lost)) {
        for (Path each : paths.sorted(java.util.Comparator.reverseOrder()).toList()) {
          Files.delete(each);
        }
      }
    }
    before = server.state();
    assertThat(Runs.sync(store, usual).refused()).isEmpty();
    assertThat(server.runs).hasSize(1);
    assertThat(server.state()).isEqualTo(before);
  }

  @Test
  void whatATrainingHasShownIsPromotedBesideIt() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager = Runs.toy(folder, toy, Runs.publisher(store, settings)).open()) {
      manager.resume();
      toy.advance();
      String id = Runs.save(manager, toy).id();
      org.awaitility.Awaitility.await()
          .until(() -> server.shown().stream().anyMatch(model -> model.status.endsWith("READY")));
      MlflowRuns.Promoted done =
          MlflowRuns.promote(store, "toy", id, "digits", "best", settings, Map.of());
      assertThat(done.model()).isEqualTo(server.shown().get(0).id);
      assertThat(manager.checkpoints().all()).allMatch(each -> each.pinned());
      server.plan = (call, what) -> StandIn.Trouble.ANSWER_503;
      toy.advance();
      String later = Runs.save(manager, toy).id();
      server.plan =
          (call, what) ->
              what.contains("search") || what.endsWith("runs/get")
                  ? StandIn.Trouble.NONE
                  : StandIn.Trouble.ANSWER_503;
      assertThatThrownBy(
              () -> MlflowRuns.promote(store, "toy", later, "digits", "best", settings, Map.of()))
          .isInstanceOf(CheckpointException.Fenced.class)
          .hasMessageContaining("has not shown " + later + " yet");
      assertThat(manager.checkpoints().all()).filteredOn(each -> each.pinned()).hasSize(1);
      server.plan = (call, what) -> StandIn.Trouble.NONE;
    }
    assertThat(server.versions).hasSize(1);
  }

  @Test
  void severalRunsThatJoinOneStandSideBySide() throws Exception {
    StandIn.RunState theirs = new StandIn.RunState();
    theirs.id = "theirs";
    server.runs.put(theirs.id, theirs);
    Map<String, String> joins = Map.of("MLFLOW_RUN_ID", "theirs");
    MlflowSettings settings = Runs.settings(server.uri());
    for (String fold : List.of("fold-1", "fold-2", "fold-1")) {
      Toy toy = Toy.usual();
      try (CheckpointStore store = Stores.local(folder);
          CheckpointManager manager =
              Runs.toy(
                      folder,
                      toy,
                      new Publisher(
                          store,
                          fold,
                          MlflowRuns.options(settings, joins),
                          Runs.QUICK,
                          java.time.InstantSource.system()))
                  .run(fold)
                  .open()) {
        manager.resume();
        toy.advance();
        Runs.save(manager, toy);
      }
    }
    assertThat(theirs.tags.get("ckpt.latest")).startsWith("000002-000000000002-0 mlflow:");
    assertThat(theirs.tags.get("ckpt.latest.fold-2")).startsWith("000001-000000000001-0 mlflow:");
    assertThat(server.artifacts)
        .containsKeys(
            "0/theirs/artifacts/checkpoints.json", "0/theirs/artifacts/checkpoints.fold-2.json");
    for (String fold : List.of("fold-1", "fold-2")) {
      try (CheckpointStore store = Stores.local(folder)) {
        var committed = Checkpoints.read(store, fold).list();
        MlflowResolver resolver = new MlflowResolver(settings, Map.of());
        assertThat(resolver.resolve("mlflow:run/theirs@latest", committed))
            .isEqualTo(committed.get(committed.size() - 1).id());
        assertThat(resolver.resolve("mlflow:run/theirs@step-00000001", committed))
            .isEqualTo("000001-000000000001-0");
      }
    }
  }

  @Test
  void aDamagedCheckpointIsNotPromoted() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(folder, settings, 1, 5);
    String id = "000001-000000000001-0";
    Path shard = folder.resolve("runs/toy/data/" + id + "/rank-00000-of-00001.arrow");
    Files.setPosixFilePermissions(
        shard, java.nio.file.attribute.PosixFilePermissions.fromString("rw-------"));
    byte[] bytes = Files.readAllBytes(shard);
    bytes[bytes.length / 2] ^= 1;
    Files.write(shard, bytes);
    try (CheckpointStore store = Stores.local(folder)) {
      assertThatThrownBy(
              () -> MlflowRuns.promote(store, "toy", id, "digits", "best", settings, Map.of()))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("not promoted");
      assertThat(Checkpoints.read(store, "toy").all()).noneMatch(each -> each.pinned());
    }
    assertThat(server.versions).isEmpty();
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
