package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.Stores;
import dev.ckpt.mlflow.internal.publish.Workspace;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is remembered when another server is named, or one that is none, or the same otherwise. */
class WhichServerTest {
  @TempDir(factory = QuickFolders.class)
  Path folder;

  private StandIn server;
  private StandIn other;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
    other = new StandIn();
  }

  @AfterEach
  void stop() {
    server.close();
    other.close();
  }

  /** The same server by another of its names. */
  private String byName() {
    return server.uri().replace("127.0.0.1", "localhost");
  }

  private Path target() {
    return folder.resolve("mlflow/toy/target.json");
  }

  @Test
  void aUriAtWhichNobodyAnswersCostsNothingThatIsRemembered() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 2, 9);
    Runs.awaitTheEnd(folder);
    String remembered = Files.readString(target());
    StandIn.RunState first = server.runs.values().iterator().next();
    // found by its tag alone, this one would be taken
    StandIn.RunState newer = server.theirs("newer");
    newer.start = first.start + 60_000;
    newer.tags.putAll(first.tags);
    MlflowSettings mistyped = Runs.settings("http://127.0.0.1:1");
    assertThatThrownBy(() -> Runs.sync(folder, mistyped)).hasMessageContaining("is not published");
    assertThat(target()).hasContent(remembered);
    Runs.train(folder, mistyped, 1, 9);
    Runs.awaitTheEnd(folder);
    assertThat(target()).hasContent(remembered);
    // who names no server means the one that has shown it
    assertThat(Runs.sync(folder, Runs.unnamed()).refused()).isEmpty();
    assertThat(first.outputs).hasSize(3);
    assertThat(newer.outputs).isEmpty();
  }

  @Test
  void whatNoServerHasShownATrainingSaysAnew() throws Exception {
    StandIn.RunState joined = server.theirs("joined");
    Runs.train(folder, Runs.settings("http://127.0.0.1:1"), 1, 9);
    // the URI is right now, and the server is down
    server.stop();
    Runs.train(folder, Runs.settings(server.uri(), "", "joined"), 1, 9);
    assertThatThrownBy(() -> Runs.sync(folder, Runs.settings("http://127.0.0.1:1")))
        .hasMessageContaining("is not published");
    server.restart();
    assertThat(Runs.sync(folder, Runs.unnamed()).refused()).isEmpty();
    assertThat(joined.outputs).hasSize(2);
    assertThat(server.runs).hasSize(1);
  }

  @Test
  void aRunThatWasJoinedOnOneServerIsNotAskedForOnAnother() {
    server.theirs("theirs");
    Runs.train(folder, Runs.settings(server.uri()), Map.of("MLFLOW_RUN_ID", "theirs"), 3, 3);
    Runs.train(folder, Runs.settings(other.uri()), 1, 3);
    assertThat(other.runs.values()).singleElement().matches(run -> run.name.equals("toy"));
    assertThat(other.shown())
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000002", "step-00000003", "step-00000004");
    // a sync to the first one finds it by its tag
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).refused()).isEmpty();
    assertThat(server.runs).hasSize(1);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000002", "step-00000003", "step-00000004");
  }

  @Test
  void aRunThatWasShownGetsOneOfItsOwnOnAnotherServerWhateverTheShellJoins() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 2, 2);
    StandIn.RunState ofTheShell = other.theirs("of-the-shell");
    Map<String, String> shell = Map.of("MLFLOW_RUN_ID", "of-the-shell");
    assertThat(Runs.sync(folder, Runs.settings(other.uri()), shell).refused()).isEmpty();
    assertThat(ofTheShell.outputs).isEmpty();
    assertThat(ofTheShell.tags).isEmpty();
    assertThat(other.runs).hasSize(2);
    assertThat(other.shown()).hasSize(2);
  }

  @Test
  void anExperimentOfAnotherServerIsKnownByItsNameAlone() {
    server.experiments.put("first", "1");
    server.experiments.put("second", "2");
    Map<String, String> id = Map.of("MLFLOW_EXPERIMENT_ID", "2");
    Runs.train(folder, Runs.settings(server.uri()), id, 1, 3);
    Runs.train(folder, Runs.settings(other.uri()), 1, 3);
    assertThat(other.runs.values()).singleElement().matches(run -> run.experiment.equals("0"));
    // a name that the config said is the name there, too
    Path named = folder.resolve("named");
    Runs.train(named, Runs.settings(server.uri(), "digits", ""), 1, 3);
    Runs.sync(named, Runs.settings(other.uri()));
    assertThat(other.experiments).containsOnlyKeys("Default", "digits");
  }

  @Test
  void eachOfSeveralRunsThatJoinOneIsFoundThereThoughNothingIsRemembered() throws Exception {
    StandIn.RunState joined = server.theirs("theirs");
    Map<String, String> joining = Map.of("MLFLOW_RUN_ID", "theirs");
    List<String> folds = List.of("fold-1", "fold-2");
    for (String fold : folds) {
      Runs.train(folder, fold, Runs.settings(server.uri()), joining, 2, 9);
    }
    String before = server.state();
    Map<String, String> tags = Map.copyOf(joined.tags);
    for (String fold : folds) {
      // ids are not remembered for another spelling, so it is found by its tag; then as it was
      // shown
      for (int i = 0; i < 2; i++) {
        assertThat(Runs.sync(folder, fold, Runs.settings(byName()), Map.of()).refused()).isEmpty();
        assertThat(server.state()).as(fold).isEqualTo(before);
        assertThat(joined.tags).isEqualTo(tags);
      }
      Files.delete(folder.resolve("mlflow").resolve(fold).resolve("target.json"));
      assertThat(Runs.sync(folder, fold, Runs.settings(server.uri()), Map.of()).refused())
          .isEmpty();
      assertThat(server.state()).as(fold).isEqualTo(before);
      assertThat(joined.tags).isEqualTo(tags);
    }
    assertThat(server.runs).hasSize(1);
    // once that is gone, each has one of its own, whose status is ours to say
    server.forgetAll();
    for (String fold : folds) {
      Runs.sync(folder, fold, Runs.settings(server.uri()), Map.of());
    }
    assertThat(server.runs.values())
        .extracting(run -> run.name + " " + run.status)
        .containsExactly("fold-1 FINISHED", "fold-2 FINISHED");
    assertThat(server.runs.values())
        .allSatisfy(run -> assertThat(run.tags).containsKey("ckpt.latest"));
  }

  /** While another process publishes the run. */
  private MlflowRuns.Promoted promoteBeside(String uri) throws Exception {
    Runs.awaitTheEnd(folder);
    Workspace workspace = Workspace.of(folder.toUri(), "toy", Optional.empty());
    try (CheckpointStore store = Stores.local(folder);
        var lock = Objects.requireNonNull(workspace.lock().orElse(null))) {
      assertThat(lock).isNotNull();
      return MlflowRuns.promote(
          store, "toy", "000001-000000000001-0", "digits", "best", Runs.settings(uri), Map.of());
    }
  }

  @Test
  void besideATrainingNothingIsPromotedOnAServerThatItDoesNotPublishTo() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 1, 1);
    // one that has a run of that id, of somebody else
    Runs.train(folder.resolve("elsewhere"), Runs.settings(other.uri()), 1, 1);
    Runs.awaitTheEnd(folder.resolve("elsewhere"));
    assertThat(other.runs.keySet()).isEqualTo(server.runs.keySet());
    for (String which : List.of("of somebody else", "none")) {
      other.calls.clear();
      assertThatThrownBy(() -> promoteBeside(other.uri()))
          .as(which)
          .isInstanceOf(CheckpointException.Fenced.class)
          .hasMessageContaining("publishes to " + server.uri());
      // it is asked whether it is the same one, and for nothing else
      assertThat(other.calls).containsExactly("GET /api/2.0/mlflow/runs/get");
      assertThat(other.versions).isEmpty();
      other.forgetAll();
    }
  }

  @Test
  void besideATrainingItsServerMayBeNamedOtherwise() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 1, 1);
    MlflowRuns.Promoted done = promoteBeside(byName());
    assertThat(done.page()).startsWith(server.uri());
    assertThat(server.aliases).containsEntry("digits@best", done.version());
    assertThat(server.runs).hasSize(1);
  }
}
