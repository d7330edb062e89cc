package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A user's DL4J program. The page of it is docs/dl4j.md, whose prose is in dl4j-page.md here. */
class Dl4jPageTest {
  private static final Path PAGE = Path.of("..", "docs", "dl4j.md");
  private static final Path PROGRAM = PlainDjl.EXAMPLES.resolve("dl4j/SpiralsDl4j.java");

  @TempDir Path folder;

  @Test
  void thePageShowsWhatTheProgramSays() throws IOException, InterruptedException {
    String prose;
    try (var in = Dl4jPageTest.class.getResourceAsStream("dl4j-page.md")) {
      prose =
          new String(java.util.Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8);
    }
    Matcher config = Pattern.compile("(?s)```yaml\n(.*?)```").matcher(prose);
    assertThat(config.find()).isTrue();
    Files.writeString(folder.resolve("spirals.yaml"), config.group(1));

    String first = output(0, "spirals.yaml", "32", "3");
    assertThat(first).contains("fresh start").contains("trained to step 75");
    String more = output(0, "spirals.yaml", "32", "5");
    assertThat(more)
        .contains("resumed from")
        .contains("trains on to 5")
        .contains("trained to step 125");
    String refused = output(1, "spirals.yaml", "24", "5");
    assertThat(refused).contains("Reshaped: 0_W (saved").doesNotContain("trained to");

    String page =
        prose
            .replace("@main@\n", main())
            .replace("@first@\n", first)
            .replace("@more@\n", more)
            .replace("@refused@\n", refused);
    Files.createDirectories(Path.of("target"));
    Files.writeString(Path.of("target", "dl4j.md"), page);
    assertThat(PAGE)
        .as("cp samples/target/dl4j.md docs/")
        .content(StandardCharsets.UTF_8)
        .isEqualTo(page);
  }

  /** Its method main. */
  private static String main() throws IOException {
    Matcher main =
        Pattern.compile("(?s)  public static void main.*?\n  }\n")
            .matcher(Files.readString(PROGRAM));
    assertThat(main.find()).isTrue();
    return main.group().stripTrailing().stripIndent() + "\n";
  }

  /** Runs the program: what it prints, errors without their stack. */
  private String output(int code, String... arguments) throws IOException, InterruptedException {
    Files.deleteIfExists(folder.resolve("out"));
    Files.deleteIfExists(folder.resolve("err"));
    Process process =
        PlainDjl.start(
            folder,
            System.getProperty("java.class.path"),
            Map.of("OMP_NUM_THREADS", "1"),
            PROGRAM,
            arguments);
    int exit = PlainDjl.exitCode(process);
    String said = Files.readString(folder.resolve("err"));
    assertThat(exit).as(said).isEqualTo(code);
    return (said + Files.readString(folder.resolve("out")))
        .replace(folder.toRealPath().toString(), "/home/me")
        .replace(folder.toString(), "/home/me")
        .replaceAll("(?m)^\tat .*\n", "")
        .replaceAll("pid \\d+", "pid 4711");
  }
}
