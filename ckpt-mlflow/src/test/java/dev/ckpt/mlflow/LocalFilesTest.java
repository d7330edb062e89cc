package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointStore;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is wrong with a file beside the store, or was left there, holds up nothing. */
class LocalFilesTest extends AgainstAStandIn {
  private static final String LEFT = ".tmp-226a761caf6e2407";

  private Path workspace() {
    return folder.resolve("mlflow/toy");
  }

  private List<String> waiting() {
    return List.of(java.util.Objects.requireNonNull(workspace().resolve("outbox").toFile().list()));
  }

  /** As a process that was killed while it wrote a report. */
  private void leave(String id) throws Exception {
    Path reports = Files.createDirectories(workspace().resolve("reports").resolve(id));
    Files.writeString(reports.resolve(LEFT), "half a pa");
  }

  @Test
  void aReportThatWasCutShortIsDeletedWithItsCheckpoint() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 2, 9);
    Runs.awaitTheEnd(folder);
    for (String id : List.of("000001-000000000001-0", "000001-000000000002-0")) {
      leave(id);
    }
    Runs.train(folder, Runs.settings(server.uri()), 2, 1);
    assertThat(waiting()).isEmpty();
    assertThat(server.shown()).extracting(model -> model.name).containsExactly("step-00000004");
    assertThat(workspace().resolve("reports").toFile().list())
        .containsExactly("000002-000000000004-0");
  }

  @Test
  void whatAWriterLeftThatDiedIsSweptByTheNextOpen() throws Exception {
    Runs.train(folder, Runs.settings(server.uri()), 2, 9);
    Runs.awaitTheEnd(folder);
    Files.writeString(workspace().resolve("reports/000000-a-file"), "no folder");
    leave("000001-000000000002-0");
    Path young = Files.writeString(workspace().resolve(LEFT), "half");
    Path old = Files.writeString(workspace().resolve(LEFT + "0"), "half");
    Files.setLastModifiedTime(
        old, java.nio.file.attribute.FileTime.from(Instant.now().minusSeconds(3_600)));
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(workspace().resolve("reports/000001-000000000002-0").toFile().list())
        .containsExactlyInAnyOrder("manifest.json", "report.html");
    // beside the outbox a training may be writing now
    assertThat(young).exists();
    assertThat(old).doesNotExist();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "reports",
        "reports/000001-000000000002-0",
        "reports/000001-000000000002-0/manifest.json/x",
        "reports/000001-000000000002-0/report.html/x",
        "rows.json/x",
        "report.html/x",
        "target.json/x"
      })
  void whatCannotBeWrittenOrDeletedThereIsPublishedAllTheSame(String inTheWay) throws Exception {
    Path file = workspace().resolve(inTheWay);
    Files.createDirectories(file.getParent());
    Files.writeString(file, "in the way");
    Runs.train(folder, Runs.settings(server.uri()), 3, 2);
    assertThat(waiting()).isEmpty();
    assertThat(server.shown())
        .extracting(model -> model.name + " " + model.status)
        .containsExactly("step-00000002 LOGGED_MODEL_READY", "step-00000003 LOGGED_MODEL_READY");
    for (StandIn.ModelState model : server.shown()) {
      String root = "0/models/" + model.id + "/artifacts/";
      assertThat(server.artifacts).containsKeys(root + "report.html", root + "manifest.json");
      assertThat(new String(server.artifacts.get(root + "report.html"), StandardCharsets.UTF_8))
          .contains(model.name.endsWith("2") ? "toy · step 2" : "toy · step 3");
    }
    // its checkpoint goes, and so does the model
    Runs.train(folder, Runs.settings(server.uri()), 2, 1);
    assertThat(waiting()).isEmpty();
    assertThat(server.shown()).extracting(model -> model.name).containsExactly("step-00000005");
    assertThat(server.runs).hasSize(1);
    assertThat(file).hasContent("in the way");
  }

  @Test
  void whereNoEventCanBeKeptTheNextStartPublishesWhatIsInTheStore() throws Exception {
    Files.createDirectories(workspace());
    Path inTheWay = Files.writeString(workspace().resolve("outbox"), "in the way");
    String told = Told.by(() -> Runs.train(folder, Runs.settings(server.uri()), 3, 2));
    assertThat(told.lines().filter(line -> line.contains("cannot be kept for MLflow"))).hasSize(1);
    assertThat(server.runs).isEmpty();
    Files.delete(inTheWay);
    Runs.train(folder, Runs.settings(server.uri()), 1, 2);
    assertThat(server.shown())
        .extracting(model -> model.name + " " + model.status)
        .containsExactlyInAnyOrder(
            "step-00000003 LOGGED_MODEL_READY", "step-00000004 LOGGED_MODEL_READY");
  }

  /** A tensor of several chunks. */
  private static final class Large implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      sink.tensor(
          TensorSpec.of("weight", DType.FLOAT32, Shape.of(1 << 20)),
          (offset, into) -> {
            while (into.hasRemaining()) {
              into.put((byte) 1);
            }
          },
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {}
  }

  @Test
  void aCheckpointWhoseParentIsDamagedIsWhole() throws Exception {
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            CheckpointManager.in(store)
                .run("toy")
                .part("model", new Large())
                .keep(Retention.latest(9))
                .open()) {
      manager.resume();
      for (int step = 1; step <= 2; step++) {
        manager.save(Progress.step(step), Map.of()).join();
      }
    }
    Path shard = folder.resolve("runs/toy/data/000001-000000000001-0/rank-00000-of-00001.arrow");
    Files.setPosixFilePermissions(
        shard, java.nio.file.attribute.PosixFilePermissions.fromString("rw-------"));
    // behind what is read to open it: found out only when the tensor is read
    byte[] bytes = Files.readAllBytes(shard);
    bytes[bytes.length / 2] ^= 1;
    Files.write(shard, bytes);
    Runs.sync(folder, Runs.settings(server.uri()));
    assertThat(server.shown())
        .extracting(model -> model.name + " " + model.status)
        .containsExactlyInAnyOrder(
            "step-00000001 LOGGED_MODEL_UPLOAD_FAILED", "step-00000002 LOGGED_MODEL_READY");
    assertThat(workspace().resolve("reports/000001-000000000002-0/report.html"))
        .content()
        .contains("000001-000000000001-0, does not read back");
  }
}
