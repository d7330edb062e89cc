package dev.ckpt.internal.config;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigReferenceTest {

  private static final Path REFERENCE = Path.of("..", "docs", "config.md");
  private static final Pattern ROW =
      Pattern.compile(
          "^\\| `([^`]+)` \\|[^|]+\\| (?:`([^`]+)`|none) \\| `([^`]+)` \\| .+ \\|$",
          Pattern.MULTILINE);

  @Test
  void theReferenceListsEachKeyWithItsDefaultAndVariableAndNoOther() throws Exception {
    List<List<String>> documented =
        ROW.matcher(Files.readString(REFERENCE))
            .results()
            .map(
                row ->
                    List.of(
                        row.group(1), row.group(2) == null ? "none" : row.group(2), row.group(3)))
            .toList();
    List<List<String>> coded =
        ConfigKey.ALL.stream()
            .map(
                key ->
                    List.of(
                        key.path(), key.standard().orElse("none"), ConfigKey.variable(key.path())))
            .toList();
    assertThat(documented).isEqualTo(coded);
  }

  @Test
  void everyRowOfTheTableIsUnderstoodByThisTest() throws Exception {
    long rows =
        Files.readAllLines(REFERENCE).stream().filter(line -> line.startsWith("| `")).count();
    assertThat(rows).isEqualTo(ConfigKey.ALL.size());
  }

  @Test
  void everyKeyIsRead() {
    assertThat(CheckpointConfig.defaults(Map.of()).describe().lines())
        .extracting(line -> line.substring(0, line.indexOf(' ')))
        .containsExactlyInAnyOrderElementsOf(
            ConfigKey.ALL.stream().map(ConfigKey::path).collect(Collectors.toList()));
  }

  @Test
  void theExampleLoads(@TempDir Path folder) throws Exception {
    Matcher example =
        Pattern.compile("```yaml\n(.*?)```", Pattern.DOTALL).matcher(Files.readString(REFERENCE));
    assertThat(example.find()).isTrue();
    Path file = Files.writeString(folder.resolve("ckpt.yaml"), example.group(1));
    CheckpointConfig config = CheckpointConfig.load(file, Map.of());
    assertThat(config.run()).contains("digits");
    assertThat(config.store()).isEqualTo(folder.resolve("checkpoints").toString());
  }
}
