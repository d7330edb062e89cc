package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What does not read now is not deleted: it may be repaired, or be another version's. */
class UnreadableTest {
  @TempDir(factory = QuickFolders.class)
  Path folder;

  private StandIn server;
  private Path manifest;
  private byte[] whole;
  private List<String> models;
  private String before;

  @BeforeEach
  void start() throws Exception {
    server = new StandIn();
    Runs.train(folder, Runs.settings(server.uri()), 3, 9);
    Runs.awaitTheEnd(folder);
    manifest = folder.resolve("runs/toy/manifests/000001-000000000002-0.json");
    whole = Files.readAllBytes(manifest);
    models = server.shown().stream().map(model -> model.id).toList();
    before = server.state();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private void write(byte[] bytes) throws Exception {
    Files.deleteIfExists(manifest);
    Files.write(manifest, bytes);
    Files.setPosixFilePermissions(manifest, PosixFilePermissions.fromString("r--r--r--"));
  }

  private void nothingIsRemoved() throws Exception {
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).removed()).isZero();
    assertThat(server.state()).isEqualTo(before);
    assertThat(folder.resolve("mlflow/toy/reports/000001-000000000002-0/report.html")).exists();
    write(whole);
    // the resume line that was copied from its page still leads somewhere
    assertThat(Runs.sync(folder, Runs.settings(server.uri())).removed()).isZero();
    assertThat(server.shown()).extracting(model -> model.id).isEqualTo(models);
    assertThat(server.state()).isEqualTo(before);
  }

  @Test
  void aManifestWithAFlippedBitTakesNoModelAway() throws Exception {
    byte[] flipped = whole.clone();
    flipped[flipped.length / 2] ^= 1;
    write(flipped);
    nothingIsRemoved();
  }

  @Test
  void aManifestThatIsLostTakesNoModelAway() throws Exception {
    Files.delete(manifest);
    nothingIsRemoved();
  }

  private String latest() {
    StandIn.RunState run = server.runs.values().iterator().next();
    return Objects.requireNonNull(run.tags.get("ckpt.latest")).split(" ", 2)[0];
  }

  @Test
  void theNewestThatIsNamedIsOneThatReads() throws Exception {
    manifest = folder.resolve("runs/toy/manifests/000001-000000000003-0.json");
    whole = Files.readAllBytes(manifest);
    byte[] flipped = whole.clone();
    flipped[flipped.length / 2] ^= 1;
    write(flipped);
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(latest()).isEqualTo("000001-000000000002-0");
    write(whole);
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(latest()).isEqualTo("000001-000000000003-0");
  }

  @Test
  void theNewestThatIsNamedIsNoneWhoseShardIsDamaged() throws Exception {
    Path shard = folder.resolve("runs/toy/data/000001-000000000003-0/rank-00000-of-00001.arrow");
    Files.setPosixFilePermissions(shard, PosixFilePermissions.fromString("rw-------"));
    byte[] bytes = Files.readAllBytes(shard);
    bytes[bytes.length / 2] ^= 1;
    Files.write(shard, bytes);
    // read anew, as on another machine
    try (var paths = Files.walk(folder.resolve("mlflow"))) {
      for (Path each : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(latest()).isEqualTo("000001-000000000002-0");
  }

  @Test
  void whatIsDeletedGoesAllTheSame() throws Exception {
    byte[] flipped = whole.clone();
    flipped[flipped.length / 2] ^= 1;
    write(flipped);
    Runs.train(folder, Runs.settings(server.uri()), 2, 1);
    assertThat(server.shown())
        .extracting(model -> model.name)
        .contains("step-00000005")
        .doesNotContain("step-00000001", "step-00000003", "step-00000004");
  }
}
