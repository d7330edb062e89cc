package dev.ckpt.samples;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** A JVM of its own that runs {@code digits-djl}: what a user starts, and what a kill ends. */
final class SampleProcess implements AutoCloseable {

  /** Long enough for a machine that is busy with other things. */
  private static final long DEADLINE_SECONDS = 600;

  private final Path folder;
  private final Process process;

  private SampleProcess(Path folder, Process process) {
    this.folder = folder;
    this.process = process;
  }

  /**
   * @param folder for this process's output and journal; created
   * @param program its main class, as a rule {@link DigitsDjl}
   */
  static SampleProcess start(Path folder, Class<?> program, List<String> arguments)
      throws IOException {
    return start(folder, program, arguments, Map.of());
  }

  /**
   * @param environment variables besides the inherited ones
   */
  static SampleProcess start(
      Path folder, Class<?> program, List<String> arguments, Map<String, String> environment)
      throws IOException {
    return start(folder, program, arguments, environment, DjlRelease.BUILT);
  }

  /**
   * @param release the DJL on its class path
   */
  static SampleProcess start(
      Path folder,
      Class<?> program,
      List<String> arguments,
      Map<String, String> environment,
      DjlRelease release)
      throws IOException {
    Files.createDirectories(folder);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"));
    command.add("-Dckpt.sample.journal=" + folder.resolve("journal"));
    command.addAll(List.of("-cp", release.classPath()));
    command.add(program.getName());
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.redirectOutput(folder.resolve("out").toFile());
    builder.redirectError(folder.resolve("err").toFile());
    // What the caller's shell says about checkpoints is not the tests' business.
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder.environment().putAll(environment);
    return new SampleProcess(folder, builder.start());
  }

  /** Runs to the end. */
  static SampleProcess run(Path folder, List<String> arguments)
      throws IOException, InterruptedException {
    return run(folder, arguments, DjlRelease.BUILT);
  }

  /** Runs to the end, on a release of DJL. */
  static SampleProcess run(Path folder, List<String> arguments, DjlRelease release)
      throws IOException, InterruptedException {
    SampleProcess process = start(folder, DigitsDjl.class, arguments, Map.of(), release);
    process.exitCode();
    return process;
  }

  /** Waits until it ends by itself. */
  int exitCode() throws InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
      throw new AssertionError("did not end in " + DEADLINE_SECONDS + " s\n" + this);
    }
    return process.exitValue();
  }

  /** Waits until {@code there}; false if the process ended before. */
  boolean await(BooleanSupplier there) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
    while (!there.getAsBoolean()) {
      if (!process.isAlive()) {
        return false;
      }
      if (System.nanoTime() > deadline) {
        process.destroyForcibly().waitFor();
        throw new AssertionError("waited " + DEADLINE_SECONDS + " s in vain\n" + this);
      }
      Thread.sleep(0, 500_000);
    }
    return true;
  }

  long pid() {
    return process.pid();
  }

  /** {@code kill -9}. */
  void kill() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  /** {@code kill}, which is SIGTERM. */
  void terminate() {
    process.destroy();
  }

  /** {@code kill -STOP}: it does nothing more, and does not know that it does not. */
  void freeze() throws IOException, InterruptedException {
    signal("STOP");
  }

  /** {@code kill -CONT}: it goes on as if no time had passed. */
  void thaw() throws IOException, InterruptedException {
    signal("CONT");
  }

  private void signal(String name) throws IOException, InterruptedException {
    Process kill = new ProcessBuilder("kill", "-" + name, Long.toString(pid())).inheritIO().start();
    if (kill.waitFor() != 0) {
      throw new IOException("kill -" + name + " " + pid() + " failed");
    }
  }

  /** Whether it has ended. */
  boolean ended() {
    return !process.isAlive();
  }

  /** The complete lines of its journal so far, see {@link BatchJournal}. */
  List<String> journal() {
    try {
      String text = Files.readString(folder.resolve("journal"), StandardCharsets.US_ASCII);
      return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
    } catch (IOException e) {
      return List.of();
    }
  }

  /** The training batches that it took up, each named by its contents. */
  List<String> trained() {
    return journal().stream().filter(line -> line.startsWith("T ")).toList();
  }

  String out() {
    return text("out");
  }

  String err() {
    return text("err");
  }

  /** The lines about epochs, as printed. */
  List<String> epochLines() {
    return out().lines().filter(line -> line.startsWith("epoch ")).toList();
  }

  /** What its last line says. */
  String sha() {
    String[] lines = out().split("\n", -1);
    String last = lines.length < 2 ? "" : lines[lines.length - 2];
    if (!last.matches("final sha256: [0-9a-f]{64}")) {
      throw new AssertionError("the last line is no digest\n" + this);
    }
    return last;
  }

  private String text(String name) {
    try {
      return Files.readString(folder.resolve(name));
    } catch (IOException e) {
      return "";
    }
  }

  @Override
  public void close() throws InterruptedException {
    kill();
  }

  @Override
  public String toString() {
    return Arrays.asList(process.info().arguments().orElse(new String[0]))
        + "\n--- out\n"
        + out()
        + "--- err\n"
        + err();
  }
}
