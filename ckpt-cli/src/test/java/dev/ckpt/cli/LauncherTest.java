package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
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
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The script {@code bin/ckpt} as a real process, in a checkout of its own whose build does nothing
 * but note that it was called, pack the classes under test and name the class path of this test.
 */
class LauncherTest {

  @TempDir Path folder;

  private static final List<String> MODULES =
      List.of("ckpt-core", "ckpt-djl", "ckpt-dl4j", "ckpt-hdf5", "ckpt-mlflow", "ckpt-cli");

  private Path checkout;
  private Path script;

  @BeforeEach
  void checkOut() throws IOException {
    checkout = Files.createDirectory(folder.resolve("a checkout"));
    for (String module : MODULES) {
      Files.createDirectories(checkout.resolve(module).resolve("src/main/java"));
      Files.createFile(checkout.resolve(module).resolve("pom.xml"));
      Files.createFile(checkout.resolve(module).resolve("src/main/java/Some.java"));
    }
    Files.createFile(checkout.resolve("pom.xml"));
    try (var old = Files.walk(checkout)) {
      for (Path path : old.toList()) {
        Files.setLastModifiedTime(path, FileTime.from(Instant.now().minusSeconds(3600)));
      }
    }
    Path here = Path.of("").toAbsolutePath();
    Path root = Files.exists(here.resolve("bin/ckpt")) ? here : here.resolve("..");
    script = Files.createDirectory(checkout.resolve("bin")).resolve("ckpt");
    Files.copy(root.resolve("bin/ckpt"), script, StandardCopyOption.COPY_ATTRIBUTES);

    withoutArchive();
    List<String> jars = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      if (Files.isRegularFile(Path.of(entry))) {
        jars.add(entry);
      }
    }
    Path packed = folder.resolve("packed.jar");
    pack(packed);
    executable(
        checkout.resolve("mvnw"),
        "#!/bin/sh\necho \"$@\" >> built\ncp '"
            + packed
            + "' ckpt-cli/target/ckpt-cli.jar\nprintf %s '"
            + String.join(":", jars)
            + "' > ckpt-cli/target/classpath\n");
  }

  /** To make one takes seconds; an empty one that is newer than the jars is left alone. */
  private void withoutArchive() throws IOException {
    Path none = checkout.resolve("ckpt-cli/target").resolve(archive());
    Files.createDirectories(none.getParent());
    Files.createFile(none);
    Files.setLastModifiedTime(none, FileTime.from(Instant.now().plusSeconds(3600)));
  }

  private static String archive() {
    return "ckpt-" + System.getProperty("java.runtime.version") + ".jsa";
  }

  /**
   * The command's own classes: those that lie in a folder, or in the module's jar, at this test.
   */
  private static void pack(Path jar) throws IOException {
    Path classes;
    try {
      classes = Path.of(Ckpt.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (java.net.URISyntaxException e) {
      throw new AssertionError(e);
    }
    if (Files.isRegularFile(classes)) {
      Files.copy(classes, jar);
      return;
    }
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream to = new JarOutputStream(out);
        Stream<Path> files = Files.walk(classes)) {
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        to.putNextEntry(new JarEntry(classes.relativize(file).toString()));
        Files.copy(file, to);
        to.closeEntry();
      }
    }
  }

  private Path trained() throws IOException {
    Path at = folder.resolve("a store");
    try (CheckpointStore store = Stores.local(at)) {
      Trained.save(store, "digits", new Resume.Auto(), 10, 20, 30);
    }
    return at;
  }

  @Test
  void itRunsFromAnyFolderThroughALinkWithTheStoreOfThatFolder() throws Exception {
    Path elsewhere = Files.createDirectory(folder.resolve("else where"));
    Path link = Files.createSymbolicLink(elsewhere.resolve("go"), script);
    Path again = Files.createSymbolicLink(elsewhere.resolve("again"), Path.of("go"));
    Result missing = run(elsewhere, Map.of(), link.toString(), "list");
    assertThat(missing.code).as(missing.toString()).isEqualTo(Exit.NOT_FOUND);
    assertThat(missing.err)
        .contains("no store at " + elsewhere.toRealPath().resolve("checkpoints"));
    assertThat(elsewhere.resolve("checkpoints")).doesNotExist();

    Path at = trained();
    Result listed = run(elsewhere, Map.of("CKPT_STORE", at.toString()), again.toString(), "list");
    assertThat(listed.code).as(listed.toString()).isZero();
    assertThat(listed.out).contains("000001-000000000030-0");
    assertThat(listed.err).isEmpty();
    Files.move(at, elsewhere.resolve("checkpoints"));
    assertThat(run(elsewhere, Map.of(), link.toString(), "list", "--json").out)
        .contains("000001-000000000030-0");
    Result named =
        run(
            folder,
            Map.of(),
            "bash",
            "-c",
            "'a checkout/bin/ckpt' --store 'else where/checkpoints' runs --json");
    JsonNode json = new ObjectMapper().readTree(named.out);
    assertThat(json.at("/runs/0/checkpoints").longValue()).isEqualTo(3);
  }

  @Test
  void itBuildsOnceAndAgainOnlyWhenASourceIsNewer() throws Exception {
    version();
    assertThat(builds()).singleElement().asString().contains("-pl ckpt-cli -am package");
    version();
    assertThat(builds()).hasSize(1);
    for (int i = 0; i < MODULES.size(); i++) {
      Path source = checkout.resolve(MODULES.get(i)).resolve("src/main/java/Some.java");
      Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(2)));
      version();
      assertThat(builds()).as(MODULES.get(i)).hasSize(2 + i);
      Files.setLastModifiedTime(source, FileTime.from(Instant.now().minusSeconds(3600)));
    }
  }

  /** Those whose newer sources the test above looks at. */
  @Test
  void noModuleOnTheClassPathOfTheCommandIsForgotten() {
    Pattern module = Pattern.compile(".*[/\\\\](ckpt-\\w+)[/\\\\]target[/\\\\].*");
    assertThat(
            Stream.of(System.getProperty("java.class.path").split(File.pathSeparator, -1))
                .map(module::matcher)
                .filter(Matcher::matches)
                .map(found -> found.group(1))
                .filter(name -> !name.equals("ckpt-testkit")))
        .isSubsetOf(MODULES)
        .contains("ckpt-cli");
  }

  @ParameterizedTest
  @CsvSource({"verify, 4", "diff, 4", "export, 4", "convert, 4", "list, 1"})
  void whatReadsAllBytesGetsTheSecondCompiler(String command, int level) throws Exception {
    assertThat(
            run(
                    folder,
                    Map.of("JAVA_OPTS", "-XX:+PrintFlagsFinal"),
                    script.toString(),
                    command,
                    "--help")
                .out)
        .containsPattern("TieredStopAtLevel +:?= " + level + " ");
  }

  @Test
  void aBuildIsSaidInOneLineThoughNoTerminalIsThereAndACommandThatIsBuiltSaysNothing()
      throws Exception {
    assertThat(run(folder, Map.of(), script.toString(), "--version").err.lines())
        .singleElement()
        .asString()
        .startsWith("ckpt: building ckpt once, about a minute");
    assertThat(run(folder, Map.of(), script.toString(), "--version").err).isEmpty();
    Path source = checkout.resolve("ckpt-cli/src/main/java/Some.java");
    Files.setLastModifiedTime(source, FileTime.from(Instant.now().plusSeconds(2)));
    assertThat(run(folder, Map.of(), script.toString(), "--version").err.lines())
        .singleElement()
        .asString()
        .startsWith("ckpt: sources have changed: building");
  }

  @Test
  void theArchiveOfClassesIsMadeOnceAndUsed() throws Exception {
    Files.delete(checkout.resolve("ckpt-cli/target").resolve(archive()));
    version();
    List<Path> archives = archives();
    assertThat(archives).hasSize(1);
    assertThat(Files.size(archives.get(0))).isGreaterThan(1 << 20);
    FileTime made = Files.getLastModifiedTime(archives.get(0));
    Result used =
        run(
            folder,
            Map.of("JAVA_OPTS", "-Xlog:class+load=info:stdout"),
            script.toString(),
            "--version");
    // the JDK archives no class of a jar below a folder with a space, as this checkout is
    assertThat(used.out.lines().filter(line -> line.contains(" picocli.CommandLine source:")))
        .singleElement()
        .asString()
        .endsWith("shared objects file");
    assertThat(Files.getLastModifiedTime(archives.get(0))).isEqualTo(made);
    // one that is of no use is no reason to fail, or to say a word
    Files.delete(archives.get(0));
    Files.writeString(archives.get(0), "no archive");
    version();
  }

  @Test
  void aBuildThatFailsIsNotTakenForOne() throws Exception {
    executable(checkout.resolve("mvnw"), "#!/bin/sh\necho no network >&2\nexit 1\n");
    Result result = run(folder, Map.of(), script.toString(), "--help");
    assertThat(result.code).isEqualTo(Exit.BUG);
    assertThat(result.err).contains("no network").contains("the build failed");
    assertThat(result.out).isEmpty();
  }

  @Test
  void aCheckoutOfSomebodyElseWhoseJarsCannotBeReadIsNamed() throws Exception {
    version();
    Path target = checkout.resolve("ckpt-cli/target");
    Path jar = Path.of("/root of somebody else/.m2/core.jar");
    Files.writeString(target.resolve("classpath"), jar.toString());
    // root may write anywhere: a shell that is told that it may not stands for another user
    Files.writeString(
        script, Files.readString(script).replace("[ ! -w \"$target\" ]", "[ -w \"$target\" ]"));
    Result result = run(folder, Map.of(), command("list"));
    assertThat(result.code).isEqualTo(Exit.BUG);
    assertThat(result.err.lines())
        .singleElement()
        .asString()
        .contains("cannot start: " + jar, "not yours to read", "a checkout of your own");
    assertThat(builds()).hasSize(1);
  }

  @Test
  void aMissingOrOldJavaIsNamed() throws Exception {
    Result none = withJava(Path.of("/nowhere"));
    assertThat(none.code).isEqualTo(Exit.BUG);
    assertThat(none.err).contains("JAVA_HOME is /nowhere");

    Path old = folder.resolve("jdk-11");
    Files.createDirectories(old.resolve("bin"));
    executable(
        old.resolve("bin/java"), "#!/bin/sh\necho '    java.runtime.version = 11.0.2+9' >&2\n");
    assertThat(withJava(old).err).contains("is Java 11;").contains("17 or newer");
    Files.writeString(old.resolve("release"), "JAVA_RUNTIME_VERSION=\"1.8.0_402-b06\"\n");
    assertThat(withJava(old).err).contains("17 or newer");
  }

  @Test
  void theExitCodeIsTheCommandsOwn() throws Exception {
    Path at = trained();
    Trained.damage(at.resolve("runs/digits/data/000001-000000000020-0"));
    assertThat(ckpt(at, "--no").code).isEqualTo(Exit.USAGE);
    Result damaged = ckpt(at, "verify", "--all");
    assertThat(damaged.code).as(damaged.toString()).isEqualTo(Exit.FOUND);
    ExitCodesTest.newer(at.resolve("runs/digits/manifests/000001-000000000030-0.json"));
    assertThat(ckpt(at, "show", "000001-000000000030-0").code).isEqualTo(Exit.NEWER);
  }

  @Test
  void aRunThatAnotherProcessHoldsIsLeftAlone() throws Exception {
    Path at = trained();
    try (Training training = new Training(at)) {
      Result result = ckpt(at, "gc", "--grace", "0s");
      assertThat(result.code).as(result.toString()).isEqualTo(Exit.IN_USE);
      assertThat(result.err).contains("in use").contains(Long.toString(training.process.pid()));
      assertThat(ckpt(at, "log").out).contains("running");
    }
  }

  @Test
  void aReaderThatLeavesEndsItQuietly() throws Exception {
    Path at = trained();
    version();
    Result head = shell(at, "set -o pipefail; ckpt list | head -1");
    assertThat(head.out.lines()).singleElement().asString().startsWith("ID");
    assertThat(head.err).isEmpty();
    Result gone = shell(at, "ckpt list --json | (exec <&-; sleep 2); exit ${PIPESTATUS[0]}");
    assertThat(gone).isEqualTo(new Result(0, "", ""));
    Result full = shell(at, "ckpt list >/dev/full");
    assertThat(full.code).isEqualTo(Exit.STORE);
    assertThat(full.err).startsWith("ckpt: cannot write the results: ");
  }

  @Test
  void tailFollowsUntilTheRunIsCompleted() throws Exception {
    Path at = trained();
    version();
    Process tail = started(at, "tail", "--interval", "50ms");
    try (BufferedReader lines = tail.inputReader(StandardCharsets.UTF_8)) {
      assertThat(lines.readLine()).contains("attempt 1  fresh start");
      assertThat(lines.readLine()).contains("000001-000000000010-0  step 10, epoch 1");
      lines.readLine();
      lines.readLine();
      assertThat(lines.readLine()).contains("attempt 1  closed");
      try (CheckpointStore store = Stores.local(at);
          CheckpointManager ckpt =
              Trained.in(store, "digits").part("model", Trained.after(40)).open()) {
        ckpt.resume();
        assertThat(lines.readLine()).contains("attempt 2  from 000001-000000000030-0");
        ckpt.save(dev.ckpt.Progress.step(40), Map.of("loss", 0.5)).join();
        assertThat(lines.readLine())
            .contains("000002-000000000040-0  step 40")
            .contains("loss 0.5");
        ckpt.complete(Map.of("steps", 40L));
      }
      assertThat(lines.readLine()).contains("attempt 2  completed");
      assertThat(lines.readLine()).isNull();
      assertThat(tail.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(tail.exitValue()).isZero();
    } finally {
      tail.destroyForcibly();
    }
  }

  @Test
  void tailWaitsForAStoreThatIsNotThereYet() throws Exception {
    version();
    Process tail = started(folder.resolve("a store"), "tail", "--interval", "50ms");
    try (BufferedReader lines = tail.inputReader(StandardCharsets.UTF_8)) {
      Path said = folder.resolve("err");
      while (!Files.readString(said).contains("no store at") && tail.isAlive()) {
        Thread.sleep(20);
      }
      assertThat(Files.readString(said)).containsOnlyOnce("; waiting for it (Ctrl+C ends)");
      trained();
      assertThat(lines.readLine()).contains("attempt 1  fresh start");
    } finally {
      tail.destroyForcibly();
    }
  }

  @Test
  void tailOfAQuietRunEndsWhenItsReaderLeaves() throws Exception {
    Path at = trained();
    Result left = shell(at, "ckpt tail --interval 1d | head -1; exit ${PIPESTATUS[0]}");
    assertThat(left.code).as(left.toString()).isZero();
    assertThat(left.out.lines()).singleElement().asString().contains("attempt 1  fresh start");
  }

  @Test
  void tailThatDoesNotWaitEndsWithTheAttempt() throws Exception {
    Path at = trained();
    version();
    Result idle = ckpt(at, "tail", "--no-wait", "-n", "1");
    assertThat(idle.code).as(idle.toString()).isZero();
    assertThat(idle.out.lines()).singleElement().asString().contains("attempt 1  closed");
    assertThat(idle.err).isEmpty();
    Process tail;
    try (Training training = new Training(at)) {
      tail = started(at, "tail", "--no-wait", "--interval", "50ms");
      assertThat(tail.inputReader().readLine()).isNotNull();
      assertThat(training.process.isAlive() && tail.isAlive()).isTrue();
    }
    assertThat(tail.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(tail.exitValue()).isZero();
  }

  @Test
  void anInterruptEndsTailWith130() throws Exception {
    Path at = trained();
    version();
    // what a shell starts in the background is born deaf to an interrupt, and so are its children
    String hear =
        "import os, signal, sys;"
            + "signal.signal(signal.SIGINT, signal.SIG_DFL);"
            + "os.execv(sys.argv[1], sys.argv[1:])";
    Process tail =
        prepared(
                folder,
                Map.of("CKPT_STORE", at.toString()),
                "python3",
                "-c",
                hear,
                script.toString(),
                "tail",
                "-n",
                "1",
                "--json")
            .start();
    try (BufferedReader lines = tail.inputReader(StandardCharsets.UTF_8)) {
      assertThat(new ObjectMapper().readTree(lines.readLine()).get("event").textValue())
          .isEqualTo("end");
      new ProcessBuilder("kill", "-INT", Long.toString(tail.pid())).start().waitFor();
      assertThat(tail.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(tail.exitValue()).isEqualTo(130);
      assertThat(Files.readString(folder.resolve("err")))
          .startsWith("ckpt: attempt 1 is closed and no other runs: waiting for the next one (");
    } finally {
      tail.destroyForcibly();
    }
  }

  /** A process of its own that holds the run until it is closed. */
  private static final class Training implements AutoCloseable {
    private final Process process;

    Training(Path at) throws IOException {
      process =
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin/java").toString(),
                  "-cp",
                  System.getProperty("java.class.path"),
                  Holder.class.getName(),
                  at.toString())
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
      assertThat(process.inputReader().readLine()).isEqualTo("holds it");
    }

    @Override
    public void close() {
      process.destroyForcibly().onExit().join();
    }
  }

  /** The other process. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] arguments) throws IOException {
      try (CheckpointStore store = Stores.local(Path.of(arguments[0]));
          CheckpointManager ckpt =
              Trained.in(store, "digits").part("model", Trained.after(40)).open()) {
        ckpt.resume();
        System.out.println("holds it");
        System.in.read();
      }
    }
  }

  /** How a command ended, and what it printed. */
  private record Result(int code, String out, String err) {}

  private void version() throws IOException, InterruptedException {
    Result result = run(folder, Map.of(), script.toString(), "--version");
    String err =
        result.err.replaceFirst("^ckpt: (building ckpt once|sources have changed).*\n", "");
    assertThat(new Result(result.code, result.out, err))
        .isEqualTo(new Result(0, "ckpt " + Ckpt.version() + "\n", ""));
  }

  private Result withJava(Path home) throws IOException, InterruptedException {
    return run(folder, Map.of("JAVA_HOME", home.toString()), command("list"));
  }

  /** The command on a store of the environment. */
  private Result ckpt(Path store, String... arguments) throws IOException, InterruptedException {
    return run(folder, Map.of("CKPT_STORE", store.toString()), command(arguments));
  }

  /** The same in a shell, as a part of its line. */
  private Result shell(Path store, String line) throws IOException, InterruptedException {
    String ckpt = line.replace("ckpt ", "'" + script + "' ");
    return run(folder, Map.of("CKPT_STORE", store.toString()), "bash", "-c", ckpt);
  }

  /** The same, while it runs. */
  private Process started(Path store, String... arguments) throws IOException {
    return prepared(folder, Map.of("CKPT_STORE", store.toString()), command(arguments)).start();
  }

  private String[] command(String... arguments) {
    return Stream.concat(Stream.of(script.toString()), Stream.of(arguments)).toArray(String[]::new);
  }

  private List<String> builds() throws IOException {
    return Files.readAllLines(checkout.resolve("built"));
  }

  private List<Path> archives() throws IOException {
    try (Stream<Path> files = Files.list(checkout.resolve("ckpt-cli/target"))) {
      return files.filter(file -> file.toString().endsWith(".jsa")).toList();
    }
  }

  private Result run(Path where, Map<String, String> environment, String... command)
      throws IOException, InterruptedException {
    ProcessBuilder builder = prepared(where, environment, command);
    int code = builder.redirectOutput(folder.resolve("out").toFile()).start().waitFor();
    return new Result(
        code, Files.readString(folder.resolve("out")), Files.readString(folder.resolve("err")));
  }

  private ProcessBuilder prepared(Path where, Map<String, String> environment, String... command) {
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.directory(where.toFile());
    builder.redirectError(folder.resolve("err").toFile());
    builder
        .environment()
        .keySet()
        .removeIf(name -> name.startsWith("CKPT_") || name.equals("JAVA_OPTS"));
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.environment().putAll(environment);
    return builder;
  }

  private static void executable(Path file, String text) throws IOException {
    Files.writeString(file, text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }
}
