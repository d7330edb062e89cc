package dev.ckpt.samples;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarFile;
import java.util.stream.Stream;

/** The class paths of users, and their programs of one source file, each in a JVM of its own. */
final class PlainDjl {
  static final Path EXAMPLES = Path.of("..", "docs", "examples");

  private static final long DEADLINE_SECONDS = 600;

  private PlainDjl() {}

  /**
   * Of this test's class path what DJL needs to run, and not one jar that holds a class of ckpt.
   */
  static String classPath() throws IOException {
    List<String> jars = new ArrayList<>();
    for (String each : System.getProperty("java.class.path").split(File.pathSeparator)) {
      if (each.matches(".*[/\\\\]ai[/\\\\]djl[/\\\\].*|.*(gson|jna|commons-|slf4j-)[^/\\\\]*\\.jar")
          && !holdsCkpt(Path.of(each))) {
        jars.add(each);
      }
    }
    return String.join(File.pathSeparator, jars);
  }

  /** Whether it is a jar or a folder with classes of ours. */
  static boolean holdsCkpt(Path place) throws IOException {
    if (Files.isDirectory(place)) {
      return Files.isDirectory(place.resolve("dev/ckpt"));
    }
    try (JarFile jar = new JarFile(place.toFile())) {
      return jar.stream().anyMatch(entry -> entry.getName().startsWith("dev/ckpt"));
    }
  }

  /**
   * Starts {@code java -cp classPath source arguments} in a folder, its output into {@code out}.
   */
  static Process start(
      Path folder, String classPath, Map<String, String> environment, Path source, String... more)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"));
    command.addAll(List.of("-Dai.djl.offline=true", "-Dai.djl.pytorch.num_threads=1"));
    command.addAll(List.of("-cp", classPath, source.toAbsolutePath().toString()));
    command.addAll(Stream.of(more).toList());
    ProcessBuilder builder = new ProcessBuilder(command).directory(folder.toFile());
    builder.redirectOutput(ProcessBuilder.Redirect.appendTo(folder.resolve("out").toFile()));
    builder.redirectError(ProcessBuilder.Redirect.appendTo(folder.resolve("err").toFile()));
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    builder.environment().put("OPT_OUT_TRACKING", "true");
    builder.environment().putAll(environment);
    return builder.start();
  }

  /** Waits for its end. */
  static int exitCode(Process process) throws InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      process.destroyForcibly().waitFor();
      throw new AssertionError("did not end in " + DEADLINE_SECONDS + " s");
    }
    return process.exitValue();
  }
}
