package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** {@code mlflow:run/<id>@<alias>} is what is promoted and shown there, whoever made the model. */
class AliasesTest extends AgainstAStandIn {
  private void promote(String run, String id, String name) throws Exception {
    try (CheckpointStore store = Stores.local(folder)) {
      MlflowRuns.promote(store, run, id, name, "best", Runs.settings(server.uri()), Map.of());
    }
  }

  private String resolved(String run, String reference) throws Exception {
    try (CheckpointStore store = Stores.local(folder)) {
      List<Checkpoint> committed = Checkpoints.read(store, run).list();
      return new MlflowResolver(Runs.settings(server.uri()), Map.of())
          .resolve(reference, committed);
    }
  }

  @Test
  void aCheckpointOfAnEarlierRunIsFoundByItsAliasInTheRunThatShowsIt() throws Exception {
    server.theirs("a");
    server.theirs("b");
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(folder, settings, Map.of("MLFLOW_RUN_ID", "a"), 3, 9);
    Runs.train(folder, settings, Map.of("MLFLOW_RUN_ID", "b"), 1, 9);
    Runs.awaitTheEnd(folder);
    promote("toy", "000001-000000000003-0", "digits");
    assertThat(resolved("toy", "mlflow:run/b@best")).isEqualTo("000001-000000000003-0");
    assertThat(resolved("toy", "mlflow:run/a@best")).isEqualTo("000001-000000000003-0");
    // the alias moves on
    promote("toy", "000002-000000000004-0", "digits");
    assertThat(resolved("toy", "mlflow:run/b@best")).isEqualTo("000002-000000000004-0");
  }

  @Test
  void aliasesOutliveARunThatIsMadeAgain() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 3, 3);
    Runs.awaitTheEnd(folder);
    promote("toy", "000001-000000000002-0", "digits");
    server.runs.values().forEach(run -> run.deleted = true);
    Runs.sync(folder, Runs.settings(server.uri()));
    String made =
        server.runs.values().stream().filter(run -> !run.deleted).findFirst().orElseThrow().id;
    assertThat(resolved("toy", "mlflow:run/" + made + "@best")).isEqualTo("000001-000000000002-0");
  }

  @Test
  void ofSeveralRunsThatJoinOneEachFindsItsOwnAlias() throws Exception {
    server.theirs("theirs");
    MlflowSettings settings = Runs.settings(server.uri());
    Map<String, String> joining = Map.of("MLFLOW_RUN_ID", "theirs");
    Runs.train(folder, "fold-1", settings, joining, 2, 9);
    Runs.train(folder, "fold-2", settings, joining, 3, 9);
    // as ckpt mlflow promote does without --name: each under its own
    promote("fold-1", "000001-000000000002-0", "fold-1");
    promote("fold-2", "000001-000000000003-0", "fold-2");
    assertThat(resolved("fold-1", "mlflow:run/theirs@best")).isEqualTo("000001-000000000002-0");
    assertThat(resolved("fold-2", "mlflow:run/theirs@best")).isEqualTo("000001-000000000003-0");
    // under one name there is one best, and it is another's
    promote("fold-1", "000001-000000000001-0", "all");
    promote("fold-2", "000001-000000000002-0", "all");
    assertThat(resolved("fold-1", "mlflow:run/theirs@best")).isEqualTo("000001-000000000002-0");
  }

  @Test
  void anAliasOfAnotherRunsModelIsNone() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 2, 2);
    Path elsewhere = folder.resolve("elsewhere");
    Runs.train(elsewhere, Runs.settings(server.uri()), 2, 2);
    Runs.awaitTheEnd(elsewhere);
    try (CheckpointStore store = Stores.local(elsewhere)) {
      MlflowRuns.promote(
          store,
          "toy",
          "000001-000000000002-0",
          "digits",
          "best",
          Runs.settings(server.uri()),
          Map.of());
    }
    String first = server.runs.keySet().iterator().next();
    assertThatThrownBy(() -> resolved("toy", "mlflow:run/" + first + "@best"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("neither a version with the alias 'best'");
  }
}
