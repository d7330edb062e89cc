package dev.ckpt.dl4j;

import dev.ckpt.dl4j.Forgetting.Part;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** A JVM of its own that runs {@link CellProgram}. */
final class CellProcess implements AutoCloseable {

  /** Long enough for a machine that is busy with other things. */
  private static final long DEADLINE_SECONDS = 300;

  private final Path folder;
  private final Process process;

  private CellProcess(Path folder, Process process) {
    this.folder = folder;
    this.process = process;
  }

  /**
   * @param folder for its output and its journal; created
   */
  static CellProcess start(Path folder, Cell cell, Part forgotten, Path store) throws IOException {
    Files.createDirectories(folder);
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"));
    command.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(CellProgram.class.getName());
    command.addAll(cell.arguments());
    command.add(forgotten.name());
    command.add(store.toString());
    command.add(folder.resolve("journal").toString());
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.redirectOutput(folder.resolve("out").toFile());
    builder.redirectError(folder.resolve("err").toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("CKPT_"));
    return new CellProcess(folder, builder.start());
  }

  /** Waits until {@code there}, then {@code nanos} more, then {@code kill -9}. */
  void killAt(BooleanSupplier there, int nanos) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS);
    while (!there.getAsBoolean()) {
      if (!process.isAlive() || System.nanoTime() > deadline) {
        throw new AssertionError("it never came to the moment of its kill\n" + this);
      }
      Thread.sleep(0, 500_000);
    }
    Thread.sleep(nanos / 1_000_000, nanos % 1_000_000);
    if (!process.isAlive()) {
      throw new AssertionError("it ended before it could be killed\n" + this);
    }
    process.destroyForcibly().waitFor();
  }

  /** Waits for its end; the digest that it prints last. */
  String sha() throws IOException, InterruptedException {
    if (!process.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)) {
      throw new AssertionError("did not end in " + DEADLINE_SECONDS + " s\n" + this);
    }
    if (process.exitValue() != 0) {
      throw new AssertionError("failed\n" + this);
    }
    List<String> lines = Files.readAllLines(folder.resolve("out"));
    return lines.get(lines.size() - 1);
  }

  /** The complete lines of its journal so far. */
  List<String> journal() throws IOException {
    return journal(folder.resolve("journal"));
  }

  static List<String> journal(Path file) throws IOException {
    try {
      String text = Files.readString(file);
      return text.substring(0, text.lastIndexOf('\n') + 1).lines().toList();
    } catch (NoSuchFileException e) {
      return List.of(); // the JVM is still starting
    }
  }

  @Override
  public void close() throws InterruptedException {
    process.destroyForcibly().waitFor();
  }

  @Override
  public String toString() {
    try {
      return Files.readString(folder.resolve("out")) + Files.readString(folder.resolve("err"));
    } catch (IOException e) {
      return folder + ": " + e;
    }
  }
}
