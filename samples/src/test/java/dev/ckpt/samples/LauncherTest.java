package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The script {@code samples/run}, in a checkout of its own whose build does nothing but note that
 * it was called and name this test's class path.
 */
class LauncherTest {

  @TempDir Path folder;

  private Path checkout;
  private Path source;

  @BeforeEach
  void checkOut() throws IOException {
    checkout = Files.createDirectory(folder.resolve("a checkout"));
    for (String module :
        List.of("ckpt-core", "ckpt-hdf5", "ckpt-djl", "ckpt-dl4j", "ckpt-mlflow", "samples")) {
      Files.createDirectories(checkout.resolve(module).resolve("src/main/java"));
      Files.createFile(checkout.resolve(module).resolve("pom.xml"));
    }
    Files.createFile(checkout.resolve("pom.xml"));
    source = Files.createFile(checkout.resolve("ckpt-djl/src/main/java/Some.java"));
    try (var old = Files.walk(checkout)) {
      for (Path path : old.toList()) {
        Files.setLastModifiedTime(path, FileTime.from(Instant.now().minusSeconds(3600)));
      }
    }
    Path here = Path.of("").toAbsolutePath();
    Path script = here.resolve("run");
    Files.copy(
        Files.exists(script) ? script : here.resolve("samples/run"),
        checkout.resolve("samples/run"),
        StandardCopyOption.COPY_ATTRIBUTES);
    executable(
        checkout.resolve("mvnw"),
        "#!/bin/sh\necho \"$@\" >> built\n"
            + "printf %s '"
            + System.getProperty("java.class.path")
            + "' > samples/target/classpath\n");
  }

  @Test
  void itRunsFromAnyFolderThroughALinkAndLeavesItsResultThere()
      throws IOException, InterruptedException {
    Path elsewhere = Files.createDirectory(folder.resolve("else where"));
    Path link = Files.createSymbolicLink(elsewhere.resolve("go"), checkout.resolve("samples/run"));
    Result result = run(elsewhere, Map.of(), link, "digits-djl", "--epochs", "1", "--rows", "50");
    assertThat(result.code).as(result.toString()).isZero();
    assertThat(result.text).containsPattern("(?m)^final sha256: [0-9a-f]{64}$");
    assertThat(elsewhere.resolve("checkpoints/runs/digits-djl")).isDirectory();
  }

  @Test
  void itBuildsOnceAndAgainOnlyWhenASourceIsNewer() throws IOException, InterruptedException {
    help();
    assertThat(builds()).singleElement().asString().contains("-pl samples -am package");
    help();
    assertThat(builds()).hasSize(1);
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(2)));
    help();
    assertThat(builds()).hasSize(2);
  }

  @Test
  void aBuildThatFailsIsNotTakenForOne() throws IOException, InterruptedException {
    executable(checkout.resolve("mvnw"), "#!/bin/sh\necho no network >&2\nexit 1\n");
    Result result = run(folder, Map.of(), checkout.resolve("samples/run"), "digits-djl", "--help");
    assertThat(result.code).isEqualTo(2);
    assertThat(result.text).contains("no network").contains("the build failed");
  }

  @Test
  void whatIsMissingIsNamed() throws IOException, InterruptedException {
    Path script = checkout.resolve("samples/run");
    assertThat(run(folder, Map.of(), script))
        .isEqualTo(new Result(2, run(folder, Map.of(), script, "--help").text));
    Result unknown = run(folder, Map.of(), script, "digits");
    assertThat(unknown.code).isEqualTo(2);
    assertThat(unknown.text).contains("there is no sample 'digits'").contains("digits-djl");

    Result noJava = run(folder, Map.of("JAVA_HOME", "/nowhere"), script, "digits-djl");
    assertThat(noJava.code).isEqualTo(2);
    assertThat(noJava.text).contains("JAVA_HOME is /nowhere");

    Path old = folder.resolve("jdk-11");
    Files.createDirectories(old.resolve("bin"));
    executable(
        old.resolve("bin/java"), "#!/bin/sh\necho '    java.specification.version = 11' >&2\n");
    Result oldJava = run(folder, Map.of("JAVA_HOME", old.toString()), script, "digits-djl");
    assertThat(oldJava.code).isEqualTo(2);
    assertThat(oldJava.text).contains("is Java 11").contains("17 or newer");
  }

  @Test
  void theExitCodeIsTheProgramsOwn() throws IOException, InterruptedException {
    Result result = run(folder, Map.of(), checkout.resolve("samples/run"), "digits-djl", "--no");
    assertThat(result.code).isEqualTo(2);
    assertThat(result.text).contains("unknown option --no");
  }

  @Test
  void aSignalReachesTheTraining() throws IOException, InterruptedException {
    Path store = folder.resolve("store");
    Process process =
        start(
            folder,
            Map.of(),
            checkout.resolve("samples/run"),
            "digits-djl",
            "--epochs",
            "1000",
            "--rows",
            "100",
            "--dir",
            store.toString());
    try {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
      while (Commits.manifests(store).isEmpty()) {
        assertThat(process.isAlive()).as(text()).isTrue();
        assertThat(System.nanoTime()).as(text()).isLessThan(deadline);
        Thread.sleep(5);
      }
      process.destroy();
      assertThat(process.waitFor()).as(text()).isEqualTo(143);
    } finally {
      process.destroyForcibly();
    }
  }

  /** How a command ended, and all that it printed. */
  private record Result(int code, String text) {}

  private void help() throws IOException, InterruptedException {
    Result result = run(folder, Map.of(), checkout.resolve("samples/run"), "digits-djl", "--help");
    assertThat(result).isEqualTo(new Result(0, DigitsOptions.USAGE));
  }

  private List<String> builds() throws IOException {
    return Files.readAllLines(checkout.resolve("built"));
  }

  private Result run(Path where, Map<String, String> environment, Path script, String... arguments)
      throws IOException, InterruptedException {
    int code = start(where, environment, script, arguments).waitFor();
    return new Result(code, text());
  }

  private String text() throws IOException {
    return Files.readString(folder.resolve("printed"));
  }

  private Process start(
      Path where, Map<String, String> environment, Path script, String... arguments)
      throws IOException {
    List<String> command = new ArrayList<>(List.of(script.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(where.toFile());
    builder.redirectErrorStream(true).redirectOutput(folder.resolve("printed").toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().putAll(environment);
    return builder.start();
  }

  private static void executable(Path file, String text) throws IOException {
    Files.writeString(file, text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }
}
