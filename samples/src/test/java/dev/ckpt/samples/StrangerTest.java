package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stranger's DJL program, and the same made resumable with a few changed lines. */
class StrangerTest {

  private static final Path BEFORE = PlainDjl.EXAMPLES.resolve("before/Spirals.java");
  private static final Path AFTER = PlainDjl.EXAMPLES.resolve("after/Spirals.java");
  private static final String OURS = System.getProperty("java.class.path");
  private static final int STEPS = 600;

  @TempDir Path folder;

  @Test
  void sixLinesAtMostAreChangedAndTheReadmeShowsThem() throws IOException {
    LineDiff diff = LineDiff.of(Files.readAllLines(BEFORE), Files.readAllLines(AFTER));
    assertThat(diff.changed()).as(String.join("\n", diff.lines())).isBetween(1, 6);
    String readme = Files.readString(Path.of("..", "README.md"));
    Matcher block = Pattern.compile("```diff\n(.*?)```", Pattern.DOTALL).matcher(readme);
    assertThat(block.find()).as("a block ```diff in README.md").isTrue();
    assertThat(block.group(1).lines().toList())
        .as("the block in README.md is to be:\n%s", String.join("\n", diff.lines()))
        .isEqualTo(diff.lines());
  }

  @Test
  void bothCompileTheFirstWithoutOurJars() throws IOException {
    assertThat(compile(BEFORE, PlainDjl.classPath())).isZero();
    assertThat(compile(AFTER, OURS)).isZero();
    assertThat(compile(AFTER, PlainDjl.classPath())).as("it does use them").isNotZero();
  }

  private int compile(Path source, String classPath) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    Path classes = Files.createTempDirectory(folder, "classes");
    return compiler.run(
        null,
        null,
        new java.io.ByteArrayOutputStream(),
        "-proc:none",
        "-cp",
        classPath,
        "-d",
        classes.toString(),
        source.toString());
  }

  @Test
  void theFirstTrainsWithoutOurJars() throws IOException, InterruptedException {
    Path where = Files.createDirectory(folder.resolve("plain"));
    Process process = PlainDjl.start(where, PlainDjl.classPath(), Map.of(), BEFORE);
    assertThat(PlainDjl.exitCode(process)).as(text(where, "err")).isZero();
    assertThat(epochs(where)).hasSize(12);
  }

  @Test
  void killedTwiceTheSecondEndsWithTheBytesOfOneThatNobodyKilled()
      throws IOException, InterruptedException {
    Path whole = Files.createDirectory(folder.resolve("whole"));
    assertThat(PlainDjl.exitCode(start(whole))).as(text(whole, "err")).isZero();
    assertThat(epochs(whole)).hasSize(12);

    long seed = ThreadLocalRandom.current().nextLong();
    System.out.println("StrangerTest seed " + seed);
    Random random = new Random(seed);
    Path killed = Files.createDirectory(folder.resolve("killed"));
    int first = 5 + random.nextInt(STEPS / 2);
    killBehind(first, killed);
    killBehind(first + 20 + random.nextInt(STEPS / 3), killed);
    assertThat(PlainDjl.exitCode(start(killed))).as(text(killed, "err")).isZero();
    assertThat(text(killed, "err")).contains("attempt 3").contains("resumed from");
    assertThat(epochs(killed)).isEqualTo(epochs(whole));
    assertThat(model(killed)).isEqualTo(model(whole));
  }

  private static Process start(Path where) throws IOException {
    return PlainDjl.start(
        where, OURS, Map.of("CKPT_SEED", "7", "CKPT_SAVE_EVERY_STEPS", "5"), AFTER);
  }

  /** {@code kill -9} once a checkpoint of that step or a later one is committed. */
  private static void killBehind(int step, Path where) throws IOException, InterruptedException {
    Process process = start(where);
    try {
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(120);
      while (newestStep(where) < step) {
        assertThat(process.isAlive()).as(text(where, "err")).isTrue();
        assertThat(System.nanoTime()).isLessThan(deadline);
        Thread.sleep(1);
      }
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.waitFor()).as("128 + 9").isEqualTo(137);
  }

  private static long newestStep(Path where) throws IOException {
    try (var files = Files.list(where.resolve("checkpoints/runs/spirals/manifests"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".json"))
          .mapToLong(name -> Long.parseLong(name.split("-", 3)[1]))
          .max()
          .orElse(-1);
    } catch (NoSuchFileException e) {
      return -1;
    }
  }

  /** What it printed of each epoch, the last word counting. */
  private static Map<String, String> epochs(Path where) throws IOException {
    Map<String, String> lines = new TreeMap<>();
    List<String> all = new ArrayList<>(text(where, "out").lines().toList());
    // a progress bar has no end of line
    Pattern line = Pattern.compile("epoch (\\d+) (\\S+)");
    for (String each : all) {
      Matcher found = line.matcher(each);
      if (found.find()) {
        lines.put(found.group(1), found.group(2));
      }
    }
    return lines;
  }

  private static byte[] model(Path where) throws IOException {
    return Files.readAllBytes(where.resolve("model/spirals-0000.params"));
  }

  private static String text(Path where, String name) throws IOException {
    return Files.readString(where.resolve(name));
  }
}
