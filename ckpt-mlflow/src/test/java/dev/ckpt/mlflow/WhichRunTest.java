package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** Which run of MLflow's is meant: by a training, and by who knows no config. */
class WhichRunTest extends AgainstAStandIn {
  private static final Map<String, String> OTHER_SHELL =
      Map.of("MLFLOW_EXPERIMENT_NAME", "of the shell", "MLFLOW_RUN_ID", "of-the-shell");

  private static final Map<String, String> OTHER_SHELL_NAME =
      Map.of("MLFLOW_EXPERIMENT_NAME", "of the shell");

  private Path target() {
    return folder.resolve("mlflow/toy/target.json");
  }

  @Test
  void aSyncAndAPromotionMeanTheRunOfTheTrainingWhateverTheShellSays() throws Exception {
    server.theirs("of-the-shell");
    Runs.train(folder, Runs.settings(server.uri(), "of the config", ""), OTHER_SHELL_NAME, 3, 3);
    String before = server.state();
    for (Map<String, String> shell :
        List.of(OTHER_SHELL, OTHER_SHELL_NAME, Map.of("MLFLOW_EXPERIMENT_ID", "0"))) {
      assertThat(Runs.sync(folder, Runs.settings(server.uri()), shell).refused()).isEmpty();
      try (CheckpointStore store = Stores.local(folder)) {
        MlflowRuns.promote(
            store,
            "toy",
            "000001-000000000002-0",
            "digits",
            "best",
            Runs.settings(server.uri()),
            shell);
      }
      assertThat(server.state()).as("%s", shell).isEqualTo(before);
    }
    assertThat(server.experiments).containsOnlyKeys("Default", "of the config");
    // the training goes on where it was
    Runs.train(folder, Runs.settings(server.uri()), 1, 3);
    assertThat(server.runs).hasSize(2);
  }

  @Test
  void aRunThatTheConfigJoinsIsTheSyncsWhateverTheShellSays() {
    StandIn.RunState joined = server.theirs("joined");
    server.theirs("of-the-shell");
    Runs.train(folder, Runs.settings(server.uri(), "", "joined"), 2, 2);
    String before = server.state();
    assertThat(Runs.sync(folder, Runs.settings(server.uri()), OTHER_SHELL).refused()).isEmpty();
    assertThat(server.state()).isEqualTo(before);
    assertThat(joined.outputs).hasSize(2);
  }

  @Test
  void ofARunThatNoServerHasShownTheShellSaysWhereItGoes() {
    Runs.train(folder, Runs.settings("http://127.0.0.1:1"), 2, 2);
    Runs.sync(folder, Runs.settings(server.uri()), OTHER_SHELL_NAME);
    assertThat(server.experiments).containsOnlyKeys("Default", "of the shell");
    assertThat(server.runs.values())
        .singleElement()
        .matches(run -> run.experiment.equals(server.experiments.get("of the shell")));
    // and it stays there
    String before = server.state();
    Runs.sync(folder, Runs.settings(server.uri()), Map.of("MLFLOW_EXPERIMENT_NAME", "third"));
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(server.state()).isEqualTo(before);
  }

  @Test
  void whoRemembersNothingFindsTheRunThoughTheShellNamesAnotherExperiment() throws Exception {
    Runs.train(folder, Runs.settings(server.uri(), "of the config", ""), 2, 2);
    Runs.awaitTheEnd(folder);
    try (var paths = Files.walk(folder.resolve("mlflow"))) {
      for (Path each : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    String before = server.state();
    assertThat(Runs.sync(folder, Runs.settings(server.uri()), OTHER_SHELL_NAME).refused())
        .isEmpty();
    assertThat(server.state()).isEqualTo(before);
    assertThat(server.experiments).containsOnlyKeys("Default", "of the config");
  }

  @Test
  void whatAnOlderVersionHasShownIsNotAnotherRunBecauseAShellSaysSo() throws Exception {
    server.theirs("of-the-shell");
    Runs.train(folder, Runs.settings(server.uri()), 2, 2);
    Runs.awaitTheEnd(folder);
    String written = Files.readString(target());
    String old = written.replaceAll("\"shown\":\"[^\"]*\",", "");
    assertThat(old).isNotEqualTo(written);
    Files.writeString(target(), old);
    String before = server.state();
    assertThat(Runs.sync(folder, Runs.settings(server.uri()), OTHER_SHELL).refused()).isEmpty();
    assertThat(server.state()).isEqualTo(before);
  }

  @Test
  void aRunThatIsJoinedBecauseItOnceWasAndIsGoneIsSaidWithTheWayOut() throws Exception {
    server.theirs("theirs");
    Runs.train(folder, Runs.settings(server.uri()), Map.of("MLFLOW_RUN_ID", "theirs"), 2, 2);
    server.forgetAll();
    Path target = target();
    assertThatThrownBy(() -> Runs.sync(folder, Runs.settings(server.uri())))
        .hasMessageContaining("the run theirs that is joined is not in MLflow at " + server.uri())
        .hasMessageContaining("CKPT_MLFLOW_RUN_ID")
        .hasMessageContaining("an earlier start joined it")
        .hasMessageContaining("delete " + target);
    // who says it now is not told to delete anything
    Map<String, String> said = Map.of("MLFLOW_RUN_ID", "theirs");
    assertThatThrownBy(() -> Runs.sync(folder, Runs.settings(server.uri()), said))
        .hasMessageContaining("name another one by mlflow.runId")
        .hasMessageNotContaining("delete");
    // nothing of it is published meanwhile, and nothing is lost
    assertThat(server.shown()).isEmpty();
    Files.delete(target);
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).refused()).isEmpty();
    assertThat(server.runs.values()).singleElement().matches(run -> run.name.equals("toy"));
    assertThat(server.shown()).hasSize(2);
  }

  private MlflowSettings below(String parent, String experiment) {
    MlflowSettings usual = Runs.settings(server.uri(), experiment, "");
    return new MlflowSettings(
        true,
        usual.trackingUri(),
        usual.experiment(),
        java.util.Optional.empty(),
        java.util.Optional.empty(),
        java.util.Optional.of(parent),
        java.util.Optional.empty(),
        usual.outboxEntries(),
        usual.timeout(),
        usual.drain(),
        true,
        false);
  }

  @Test
  void aRunBelowAParentIsMadeWhereTheParentIs() throws Exception {
    server.experiments.put("sweep", "1");
    server.theirs("parent").experiment = "1";
    Runs.train(folder, below("parent", ""), 1, 1);
    StandIn.RunState made = Objects.requireNonNull(server.runs.get("run1"));
    assertThat(made.experiment).isEqualTo("1");
    assertThat(made.tags).containsEntry("mlflow.parentRunId", "parent");
    // who names another experiment is told that MLflow does not show it there
    String told =
        Told.by(() -> Runs.train(folder.resolve("named"), below("parent", "other"), 1, 1));
    assertThat(told).contains("WARN").contains("below its parent only in the parent's experiment");
    assertThat(server.runs).hasSize(3);
  }

  @Test
  void aParentThatIsNotThereIsSaidAndTheRunIsShownWithoutIt() throws Exception {
    String told = Told.by(() -> Runs.train(folder, below("nobody", ""), 1, 1));
    assertThat(told.lines().filter(line -> line.contains("has no run nobody")))
        .singleElement()
        .asString()
        .contains("WARN", "which is to be the parent (mlflow.parentRun)");
    assertThat(server.shown()).hasSize(1);
    assertThat(server.runs.values())
        .singleElement()
        .matches(run -> run.experiment.equals("0"))
        .satisfies(run -> assertThat(run.tags).doesNotContainKey("mlflow.parentRunId"));
  }

  @Test
  void aParentThatIsRememberedAndGoneIsNoReasonToShowNothing() throws Exception {
    server.theirs("parent");
    Runs.train(folder, below("parent", ""), 2, 2);
    server.forgetAll();
    // nobody names it any more
    Runs.train(folder, Runs.settings(server.uri()), 1, 2);
    assertThat(server.runs).hasSize(1);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .containsExactlyInAnyOrder("step-00000002", "step-00000003");
  }

  @Test
  void aServerThatCannotBeUsedIsWarnedOf() throws Exception {
    String told = Told.by(() -> Runs.train(folder, Runs.settings("databricks"), 1, 1));
    assertThat(told)
        .containsPattern("WARN .*nothing is published to MLflow: the tracking URI must be");
    String unnamed = Told.by(() -> Runs.train(folder.resolve("none"), Runs.unnamed(), 1, 1));
    assertThat(unnamed).containsPattern("INFO .*no MLflow server is named");
  }
}
