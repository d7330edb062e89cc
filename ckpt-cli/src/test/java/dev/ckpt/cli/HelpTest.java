package dev.ckpt.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

/** What the help and the documentation say is what there is. */
class HelpTest {
  private static final Pattern WORD = Pattern.compile("'([^']*)'|(\\S+)");

  private static CommandLine whole() {
    PrintStream nowhere =
        new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
    return Ckpt.whole(
        new Console(
            new Output(OutputStream.nullOutputStream(), false),
            nowhere,
            false,
            false,
            Map.of(),
            InstantSource.system()));
  }

  @Test
  void eachExampleOfEachHelpIsUnderstood() {
    List<String> examples = new ArrayList<>();
    List.of(whole().getCommandSpec().usageMessage().footer()).forEach(examples::add);
    whole()
        .getSubcommands()
        .forEach(
            (name, command) -> {
              String[] footer = command.getCommandSpec().usageMessage().footer();
              if (!name.equals("help")) {
                assertThat(footer).as(name).anyMatch(line -> line.startsWith("  ckpt "));
              }
              examples.addAll(List.of(footer));
            });
    examples.stream()
        .filter(line -> line.startsWith("  ckpt "))
        .forEach(HelpTest::assertUnderstood);
  }

  @Test
  void eachExampleOfTheDocumentationIsUnderstood() throws IOException {
    List<String> examples =
        Files.readAllLines(documentation()).stream()
            .filter(line -> line.startsWith("$ ckpt "))
            .map(line -> line.substring(1).replaceAll(" [|>].*", ""))
            .toList();
    assertThat(examples).hasSizeGreaterThan(8);
    examples.forEach(HelpTest::assertUnderstood);
  }

  @Test
  void eachCommandAndOptionIsDocumented() throws IOException {
    String text = Files.readString(documentation());
    whole()
        .getSubcommands()
        .forEach(
            (name, command) -> {
              assertThat(text).contains("`" + name);
              for (OptionSpec option : command.getCommandSpec().options()) {
                assertThat(text).as(name).contains(option.longestName());
              }
            });
  }

  @Test
  void helpIsPrintedAndEndsFine() {
    for (String line :
        List.of("--help", "-h", "help", "list --help", "help diff", "--run x gc -h")) {
      Called called = Called.with(Map.of(), line.split(" "));
      assertThat(called.code()).as(line).isZero();
      assertThat(called.out()).as(line).startsWith("Usage: ckpt").contains("Examples:");
      assertThat(called.err()).isEmpty();
    }
    assertThat(Called.with(Map.of(), "--help").out())
        .contains("Exit codes:")
        .contains(whole().getSubcommands().keySet());
    assertThat(Called.with(Map.of(), "--version").out()).startsWith("ckpt ");
  }

  private static Path documentation() {
    Path here = Path.of("").toAbsolutePath();
    return Files.exists(here.resolve("docs"))
        ? here.resolve("docs/cli.md")
        : here.resolve("../docs/cli.md");
  }

  private static void assertUnderstood(String example) {
    List<String> words = new ArrayList<>();
    Matcher word = WORD.matcher(example.strip());
    while (word.find()) {
      words.add(word.group(1) != null ? word.group(1) : word.group(2));
    }
    List<String> arguments = words.subList(1, words.size());
    CommandLine.ParseResult parsed = whole().parseArgs(arguments.toArray(String[]::new));
    assertThat(parsed.errors()).as(example).isEmpty();
    assertThat(parsed.hasSubcommand() || parsed.isVersionHelpRequested()).as(example).isTrue();
  }
}
