package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A copy of a store may have a run of its own, as the warning says. */
class CopiesTest {
  private static final Map<String, String> ITS_OWN = Map.of("MLFLOW_RUN_ID", "its-own");

  @TempDir(factory = QuickFolders.class)
  Path folder;

  private StandIn server;
  private Path original;
  private Path copy;
  private StandIn.RunState first;
  private StandIn.RunState itsOwn;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
    original = folder.resolve("original");
    copy = folder.resolve("copy");
    Runs.train(original, Runs.settings(server.uri()), 3, 9);
    Runs.awaitTheEnd(original);
    try (var paths = Files.walk(original)) {
      for (Path each : paths.toList()) {
        Files.copy(each, copy.resolve(original.relativize(each).toString()));
      }
    }
    first = server.runs.values().iterator().next();
    itsOwn = server.theirs("its-own");
    itsOwn.start = first.start + 60_000;
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private static String latest(StandIn.RunState run) {
    return Objects.requireNonNull(run.tags.get("ckpt.latest"));
  }

  @Test
  void theOriginalStaysInItsRunWhenTheCopyHasOne() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(copy, settings, ITS_OWN, 1, 9);
    String ofTheCopy = latest(itsOwn);
    String told = Told.by(() -> Runs.train(original, settings, 2, 9));
    assertThat(latest(first)).startsWith("000002-000000000005-0 ");
    assertThat(latest(itsOwn)).isEqualTo(ofTheCopy).startsWith("000002-000000000004-0 ");
    assertThat(first.outputs).hasSize(5);
    assertThat(itsOwn.outputs).hasSize(4);
    assertThat(told).doesNotContain("another copy");
    // nor is the copy told anything, now that it remembers its run
    told = Told.by(() -> Runs.train(copy, settings, 1, 9));
    assertThat(latest(itsOwn)).startsWith("000003-000000000005-0 ");
    assertThat(first.outputs).hasSize(5);
    assertThat(told).doesNotContain("another copy");
  }

  @Test
  void theOriginalIsFoundThoughNothingIsRemembered() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(copy, settings, ITS_OWN, 1, 9);
    Runs.awaitTheEnd(original);
    try (var paths = Files.walk(original.resolve("mlflow"))) {
      for (Path each : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    Runs.train(original, settings, 1, 9);
    assertThat(first.outputs).hasSize(4);
    assertThat(itsOwn.outputs).hasSize(4);
  }

  @Test
  void aRunThatIsRememberedIsMeantThoughANewerOneHasItsTag() {
    // as a second run that somebody made by hand, or a newer one that an old version made
    StandIn.RunState newer = server.theirs("newer");
    newer.start = first.start + 120_000;
    newer.tags.putAll(first.tags);
    Runs.train(original, Runs.settings(server.uri()), 1, 9);
    assertThat(first.outputs).hasSize(4);
    assertThat(newer.outputs).isEmpty();
    // unless it is gone, or another experiment is named
    first.deleted = true;
    Runs.train(original, Runs.settings(server.uri()), 1, 9);
    assertThat(newer.outputs).hasSize(5);
    Runs.train(original, Runs.settings(server.uri(), "elsewhere", ""), 1, 9);
    assertThat(newer.outputs).hasSize(5);
  }

  @Test
  void twoThatPublishToOneRunAreWarnedOf() throws Exception {
    MlflowSettings settings = Runs.settings(server.uri());
    Runs.train(copy, settings, 1, 9);
    String told = Told.by(() -> Runs.train(original, settings, 1, 9));
    assertThat(told).contains("another copy of the store publishes there, too", "mlflow.runId");
  }
}
