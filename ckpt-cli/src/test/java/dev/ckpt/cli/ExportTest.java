package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code ckpt export}, on the command's own class path, which has no class of DJL. What it writes
 * of a real training is compared with DJL's in {@code samples}.
 */
class ExportTest {
  @TempDir Path folder;

  /** The layout of a file that is {@code head}, a tensor, and {@code end}. */
  private static Checkpointable layout() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeByte(1);
      text(out, "head ");
      out.writeInt(2);
      text(out, "tensor ");
      text(out, "fc.weight");
      text(out, " end");
      text(out, "");
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    Trained.State state = new Trained.State();
    state.opaque.put("layout", bytes.toByteArray());
    return state;
  }

  private static void text(DataOutputStream out, String text) throws IOException {
    out.writeInt(text.length());
    out.writeBytes(text);
  }

  /** Steps 1, 2, 3, of which 2 is the best. */
  private Path trained() throws IOException {
    Path at = folder.resolve("store");
    Trained.State model = new Trained.State();
    CheckpointConfig config =
        CheckpointConfig.defaults(
            Map.of("CKPT_KEEP_BEST_METRIC", "loss", "CKPT_KEEP_BEST_MODE", "min"));
    try (CheckpointManager ckpt =
        CheckpointManager.from(config.with("store", at.toString()))
            .run("digits")
            .part("model", model)
            .part("params", layout())
            .open()) {
      ckpt.resume();
      for (int step = 1; step <= 3; step++) {
        // as letters, so that the file reads: a little-endian float of four of them
        byte[] letters = "AAAA".replace('A', (char) ('A' + step)).getBytes(StandardCharsets.UTF_8);
        model.tensors.clear();
        model.tensor("fc.weight", dev.ckpt.DType.FLOAT32, letters, 1);
        ckpt.save(Progress.step(step), Map.of("loss", Math.abs(step - 2.0))).join();
      }
    }
    return at;
  }

  @Test
  void theFileIsWhatTheIdMeans() throws IOException {
    Path at = trained();
    Path file = folder.resolve("out/digits-0000.params");
    Called latest = Called.on(at, "export", "latest", "--to", file.toString());
    assertThat(latest)
        .isEqualTo(
            new Called(
                0,
                "wrote " + file + ", 20 B: checkpoint 000001-000000000003-0 of run 'digits'\n",
                ""));
    assertThat(file).hasContent("head tensor DDDD end");
    for (String best : List.of("best", "best(loss,min)", "000001-000000000002-0")) {
      Called json = Called.on(at, "export", best, "--to", file.toString(), "--force", "--json");
      assertThat(json.code()).as(json.toString()).isZero();
      JsonNode said = new ObjectMapper().readTree(json.out());
      assertThat(said.get("checkpoint").textValue()).isEqualTo("000001-000000000002-0");
      assertThat(said.get("run").textValue()).isEqualTo("digits");
      assertThat(said.get("bytes").longValue()).isEqualTo(Files.size(file));
      assertThat(Path.of(said.get("file").textValue())).isEqualTo(file);
      assertThat(file).hasContent("head tensor CCCC end");
    }
    try (var files = Files.list(file.getParent())) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void aFileThatIsThereIsReplacedOnlyIfAsked() throws IOException {
    Path at = trained();
    Path file = Files.writeString(folder.resolve("mine.params"), "precious");
    assertFails(at, file, Exit.USAGE, "is there already", "--force", "ckpt export --help");
    assertThat(file).hasContent("precious");
    assertThat(Called.on(at, "export", "latest", "--to", file.toString(), "--force").code())
        .isZero();
    assertThat(file).hasContent("head tensor DDDD end");
  }

  @Test
  void othersMayReadItAsAnyOtherFile() throws IOException {
    Path file = folder.resolve("m.params");
    Called.on(trained(), "export", "latest", "--to", file.toString());
    assertThat(Files.getPosixFilePermissions(file))
        .isEqualTo(Files.getPosixFilePermissions(Files.createFile(folder.resolve("plain"))));
  }

  @Test
  void whatCannotBeDoneIsSaidWithTheWayOut() throws IOException {
    Path at = trained();
    assertFails(
        at, folder.resolve("m.onnx"), Exit.USAGE, "'m.onnx'", ".params (DJL's model parameters)");
    assertFails(at, folder.resolve("noending"), Exit.USAGE, "the ending says what to write");
    assertFails(at, folder, Exit.USAGE, "is a folder", "-0000.params");
    Path file = Files.createFile(folder.resolve("file"));
    assertFails(at, file.resolve("m.params"), Exit.STORE, "cannot write", "a file where a folder");
    assertThat(Called.on(at, "export", "latest").err()).contains("missing: --to FILE");
    Called none = Called.on(at, "export", "000001-000000000009-0", "--to", file + ".params");
    assertThat(none.code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(none.err()).contains("no committed checkpoint 000001-000000000009-0");
    assertThat(Path.of(file + ".params")).doesNotExist();
  }

  @Test
  void aMissingRightIsNamedWithItsFolder() throws IOException {
    Path locked = Files.createDirectory(folder.resolve("locked"));
    Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("r-x------"));
    // rights do not stop root; nobody creates files in /proc
    Path where = Files.isWritable(locked) ? Path.of("/proc") : locked;
    assertFails(trained(), where.resolve("m.params"), Exit.STORE, "cannot write", where + ": ");
  }

  @Test
  void aCheckpointOfAnotherProgramSaysThatItHasNoLayout() throws IOException {
    Path at = folder.resolve("plain");
    try (CheckpointStore store = Stores.local(at)) {
      Trained.save(store, "digits", new dev.ckpt.Resume.Auto(), 10);
    }
    assertFails(at, folder.resolve("m.params"), Exit.NOT_FOUND, "ckpt-djl did not write it");
    Called best = Called.on(at, "export", "best", "--to", "m.params");
    assertThat(best.code()).isEqualTo(Exit.NOT_FOUND);
    assertThat(best.err()).contains("keep.best").contains("[accuracy, loss]");
    assertThat(folder.resolve("m.params")).doesNotExist();
  }

  @Test
  void damageIsFoundAndNothingIsWritten() throws IOException {
    Path at = trained();
    Trained.damage(at.resolve("runs/digits/data/000001-000000000003-0"));
    Path file = folder.resolve("out/m.params");
    Called damaged = Called.on(at, "export", "latest", "--to", file.toString());
    assertThat(damaged.code()).as(damaged.toString()).isEqualTo(Exit.STORE);
    assertThat(damaged.err()).contains("corrupt");
    if (Files.exists(file.getParent())) {
      assertThat(file.getParent()).isEmptyDirectory();
    }
  }

  @Test
  void noClassOfDjlIsOnTheCommandsClassPath() {
    assertThatThrownBy(() -> Class.forName("ai.djl.Model"))
        .isInstanceOf(ClassNotFoundException.class);
  }

  private static void assertFails(Path at, Path file, int code, String... words) {
    Called called = Called.on(at, "export", "latest", "--to", file.toString());
    assertThat(called.err().lines())
        .singleElement()
        .asString()
        .startsWith("ckpt: ")
        .contains(words);
    assertThat(called.code()).isEqualTo(code);
    assertThat(called.out()).isEmpty();
  }
}
