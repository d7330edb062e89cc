package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.djl.DjlCheckpoints;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code bin/ckpt export} of a real training: the script, as a process, with the jars and the class
 * path that the build gave it.
 */
class ExportTest {
  @TempDir Path folder;

  private Path script;
  private String classpath = "";

  /** A checkout in which there is nothing to build. */
  @BeforeEach
  void checkOut() throws IOException, URISyntaxException {
    Path library =
        Path.of(DjlCheckpoints.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path built = library.resolveSibling("").toAbsolutePath().normalize();
    Path jar = built.resolve("../../ckpt-cli/" + built.getFileName() + "/ckpt-cli.jar").normalize();
    classpath = Files.readString(jar.resolveSibling("classpath"));
    Path checkout = folder.resolve("checkout");
    for (String module : List.of("ckpt-core", "ckpt-djl", "ckpt-dl4j", "ckpt-cli")) {
      Files.createDirectories(checkout.resolve(module).resolve("src/main"));
      Files.createFile(checkout.resolve(module).resolve("pom.xml"));
    }
    Files.createFile(checkout.resolve("pom.xml"));
    try (var all = Files.walk(checkout)) {
      for (Path path : all.toList()) {
        Files.setLastModifiedTime(path, FileTime.from(Instant.EPOCH));
      }
    }
    Path target = Files.createDirectories(checkout.resolve("ckpt-cli/target"));
    Files.copy(jar, target.resolve("ckpt-cli.jar"));
    Files.writeString(target.resolve("classpath"), classpath);
    // to make an archive of classes takes seconds; an empty one that is newer is left alone
    Path archive = target.resolve("ckpt-" + System.getProperty("java.runtime.version") + ".jsa");
    Files.createFile(archive);
    Files.setLastModifiedTime(archive, FileTime.from(Instant.now().plusSeconds(3600)));
    Path here = Path.of("").toAbsolutePath();
    Path root = Files.exists(here.resolve("bin/ckpt")) ? here : here.resolve("..");
    script = Files.createDirectory(checkout.resolve("bin")).resolve("ckpt");
    Files.copy(root.resolve("bin/ckpt"), script, StandardCopyOption.COPY_ATTRIBUTES);
  }

  @Test
  void theCommandWritesTheBytesThatTheLibraryWrites() throws IOException, InterruptedException {
    assertThat(classpath).contains("ckpt-djl", "ckpt-dl4j").doesNotContain("ai/djl", "org/nd4j");
    Path at = folder.resolve("store");
    SampleProcess trained =
        SampleProcess.run(
            folder.resolve("trained"),
            List.of("--dir", at.toString(), "--epochs", "2", "--rows", "100"));
    assertThat(trained.exitCode()).as(trained.toString()).isZero();
    try (CheckpointStore store = Stores.local(at)) {
      Checkpoints run = Checkpoints.only(store);
      String oldest = run.list().get(0).id();
      for (String id : List.of("latest", "best(validate_accuracy)", oldest)) {
        Path file = folder.resolve("command/digits-0000.params");
        String out = ckpt(at, "export", id, "--to", file.toString(), "--force");
        assertThat(out).contains(file.toString()).contains(run.find(id).id());
        Path expected = DjlCheckpoints.exportModel(run, id, folder.resolve("library"), "digits");
        assertThat(file).hasSameBinaryContentAs(expected);
        assertThat(Files.size(file)).isGreaterThan(10_000);
      }
    }
  }

  @Test
  void theCommandWritesDl4jsZipWithoutDl4j() throws IOException, InterruptedException {
    Path at = folder.resolve("store");
    List<String> arguments = List.of("--dir", at.toString(), "--epochs", "1", "--rows", "60");
    try (SampleProcess trained =
        SampleProcess.start(folder.resolve("trained"), DigitsDl4j.class, arguments)) {
      assertThat(trained.exitCode()).as(trained.toString()).isZero();
    }
    Path file = folder.resolve("model.zip");
    assertThat(ckpt(at, "export", "latest", "--to", file.toString())).contains(file.toString());
    try (CheckpointStore store = Stores.local(at)) {
      Path expected =
          Dl4jCheckpoints.exportModel(
              Checkpoints.only(store), "latest", folder.resolve("library.zip"));
      assertThat(file).hasSameBinaryContentAs(expected);
    }
  }

  private String ckpt(Path store, String... arguments) throws IOException, InterruptedException {
    List<String> command = new java.util.ArrayList<>(List.of(script.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder
        .environment()
        .putAll(
            Map.of("JAVA_HOME", System.getProperty("java.home"), "CKPT_STORE", store.toString()));
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    int code = builder.redirectOutput(out.toFile()).redirectError(err.toFile()).start().waitFor();
    assertThat(code).as(Files.readString(err)).isZero();
    return Files.readString(out);
  }
}
