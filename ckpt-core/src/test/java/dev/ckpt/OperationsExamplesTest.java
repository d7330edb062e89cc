package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The examples of docs/operations.md are files that parse, and say what the page says. */
class OperationsExamplesTest {
  private static final Path DOCS = Path.of("..", "docs");
  private static final Path UNIT = DOCS.resolve("examples/training.service");
  private static final Path JOB = DOCS.resolve("examples/training-job.yaml");
  private static final Duration GRACE = CheckpointConfig.defaults(Map.of()).stopGrace();

  /** Sections, keys and values; a key may be given several times. */
  private static Map<String, Map<String, List<String>>> unit() throws IOException {
    Map<String, Map<String, List<String>>> sections = new LinkedHashMap<>();
    Map<String, List<String>> section = Map.of();
    for (String line : Files.readAllLines(UNIT)) {
      if (line.matches("\\[[A-Z][a-z]+\\]")) {
        section = sections.computeIfAbsent(line, name -> new LinkedHashMap<>());
      } else if (!line.isBlank() && !line.startsWith("#")) {
        assertThat(line).as("a unit file's line").matches("[A-Z][A-Za-z]+=.+");
        String[] pair = line.split("=", 2);
        section.computeIfAbsent(pair[0], key -> new ArrayList<>()).add(pair[1]);
      }
    }
    return sections;
  }

  private static String one(Map<String, List<String>> section, String key) {
    List<String> values = section.getOrDefault(key, List.of());
    assertThat(values).as(key).hasSize(1);
    return values.get(0);
  }

  private static Set<Integer> codes(String text) {
    Set<Integer> codes = new TreeSet<>();
    Arrays.stream(text.trim().split("[ ,]+")).map(Integer::valueOf).forEach(codes::add);
    return codes;
  }

  @Test
  void theServiceWaitsLongerThanTheGraceAndDoesNotRestartForNothing() throws IOException {
    assertThat(unit().keySet()).containsExactly("[Unit]", "[Service]", "[Install]");
    Map<String, List<String>> service = unit().getOrDefault("[Service]", Map.of());
    assertThat(service.get("Environment")).contains("CKPT_STOP_GRACE=" + GRACE.toSeconds() + "s");
    assertThat(Duration.parse("PT" + one(service, "TimeoutStopSec")))
        .isGreaterThan(GRACE.plusSeconds(5));
    assertThat(one(service, "KillSignal")).isEqualTo("SIGTERM");
    assertThat(one(service, "Restart")).isEqualTo("on-failure");
    assertThat(codes(one(service, "RestartPreventExitStatus"))).containsExactly(2, 3, 5);
    assertThat(one(service, "SuccessExitStatus")).isEqualTo("143");
    assertThat(one(service, "RestartForceExitStatus")).as("of others").isEqualTo("143");
    assertThat(one(service, "ExecStart")).startsWith("/").doesNotContain("sh -c");
  }

  @Test
  void theJobWaitsLongerThanTheGraceAndDoesNotRestartForNothing() throws IOException {
    JsonNode spec = new YAMLMapper().readTree(JOB.toFile()).get("spec");
    JsonNode pod = spec.at("/template/spec");
    assertThat(pod.get("terminationGracePeriodSeconds").longValue())
        .isGreaterThan(GRACE.toSeconds() + 5);
    assertThat(pod.get("restartPolicy").textValue())
        .as("podFailurePolicy needs it")
        .isEqualTo("Never");
    assertThat(spec.get("backoffLimit").intValue()).isPositive();
    JsonNode container = pod.at("/containers/0");
    JsonNode fails = spec.at("/podFailurePolicy/rules/0");
    assertThat(fails.get("action").textValue()).isEqualTo("FailJob");
    assertThat(fails.at("/onExitCodes/containerName")).isEqualTo(container.get("name"));
    assertThat(codes(fails.at("/onExitCodes/values").toString().replaceAll("[\\[\\]]", "")))
        .isEqualTo(
            codes(one(unit().getOrDefault("[Service]", Map.of()), "RestartPreventExitStatus")));
    assertThat(container.at("/volumeMounts/0/name")).isEqualTo(pod.at("/volumes/0/name"));
    Map<String, String> environment = new LinkedHashMap<>();
    container
        .get("env")
        .forEach(
            each -> environment.put(each.get("name").textValue(), each.get("value").textValue()));
    assertThat(environment.get("CKPT_STORE"))
        .isEqualTo(container.at("/volumeMounts/0/mountPath").textValue());
    CheckpointConfig config = CheckpointConfig.defaults(environment);
    assertThat(config.run()).contains("training");
    assertThat(config.stopGrace()).isEqualTo(GRACE);
  }

  @Test
  void everyLinkOfThePageLeadsSomewhere() throws IOException {
    String page = Files.readString(DOCS.resolve("operations.md"));
    var links =
        java.util.regex.Pattern.compile("\\]\\(([^)#]+)\\)").matcher(page).results().toList();
    assertThat(links).isNotEmpty();
    links.forEach(link -> assertThat(DOCS.resolve(link.group(1))).exists());
    assertThat(page).contains("## A crash loop");
  }
}
