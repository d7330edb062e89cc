package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.ConfigNode;
import dev.ckpt.spi.ConfigSection;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointConfigTest {

  private static final String WHOLE =
      """
      store: ./here      # a comment
      run: digits
      resume: best(validate_Accuracy, min)
      seed: -42
      format: arrow
      save: { everySteps: 100, every: 90s, everyEpoch: false, onStop: false }
      keep:
        latest: 2
        best:
        - {metric: acc, mode: max}
        - metric: loss
          mode: min
          n: 2
        every: PT1H
      maxBytes: 500MB
      staging: { budget: 2GiB }
      deadline: 1m
      stopGrace: 0s
      retries: 0
      onFailure: fail
      nonFinite: keep
      takeOver: true
      """;

  @TempDir Path folder;

  private Path file(String yaml) throws Exception {
    return Files.writeString(folder.resolve("ckpt.yaml"), yaml);
  }

  private CheckpointConfig load(String yaml) throws Exception {
    return CheckpointConfig.load(file(yaml), Map.of());
  }

  private static Moment moment(Moment.Kind kind, long step, Duration since) {
    return new Moment(kind, Progress.step(step), step, since);
  }

  private static Checkpoint checkpoint(int step, double acc, double loss) {
    return new Checkpoint(
        String.format("000001-%04d-0", step),
        Optional.empty(),
        Progress.step(step),
        Instant.ofEpochSecond(step),
        1,
        Map.of("acc", acc, "loss", loss),
        true);
  }

  @Test
  void everyKeyOfAFileIsApplied() throws Exception {
    CheckpointConfig config = load(WHOLE);
    assertThat(config.store()).isEqualTo(folder.resolve("here").toString());
    assertThat(config.run()).contains("digits");
    assertThat(config.resume()).isEqualTo(new Resume.From("best(validate_Accuracy, min)"));
    assertThat(config.seed()).hasValue(-42);
    assertThat(config.format()).isEqualTo("arrow");
    assertThat(config.stagingBudget()).hasValue(2L << 30);
    assertThat(config.maxBytes()).hasValue(500_000_000L);
    assertThat(config.deadline()).isEqualTo(Duration.ofMinutes(1));
    assertThat(config.stopGrace()).isZero();
    assertThat(config.retries()).isZero();
    assertThat(config.onFailure()).isEqualTo(FailurePolicy.FAIL);
    assertThat(config.nonFinite()).isEqualTo(NonFinitePolicy.KEEP);
    assertThat(config.takeOver()).isTrue();

    SaveTrigger save = config.saveWhen();
    assertThat(save.shouldSave(moment(Moment.Kind.STEP, 200, Duration.ZERO))).isTrue();
    assertThat(save.shouldSave(moment(Moment.Kind.STEP, 201, Duration.ofSeconds(89)))).isFalse();
    assertThat(save.shouldSave(moment(Moment.Kind.STEP, 201, Duration.ofSeconds(90)))).isTrue();
    assertThat(save.shouldSave(moment(Moment.Kind.EPOCH_END, 1, Duration.ZERO))).isFalse();
    assertThat(save.shouldSave(moment(Moment.Kind.STOP, 1, Duration.ZERO))).isFalse();
    assertThat(save.shouldSave(moment(Moment.Kind.EXCEPTION, 1, Duration.ZERO))).isTrue();
    assertThat(save.shouldSave(moment(Moment.Kind.COMPLETION, 1, Duration.ZERO))).isTrue();

    List<Checkpoint> all =
        List.of(
            checkpoint(0, 0.1, 9),
            checkpoint(1, 0.9, 9),
            checkpoint(2, 0.1, 1),
            checkpoint(3, 0.1, 2),
            checkpoint(4, 0.1, 9),
            checkpoint(5, 0.1, 9),
            checkpoint(6, 0.1, 9));
    assertThat(config.keep().keep(all))
        .extracting(c -> c.progress().step())
        .containsExactly(0L, 1L, 2L, 3L, 5L, 6L);
  }

  @ParameterizedTest
  @CsvSource({
    "1.5GB, 1500000000",
    "10 MB, 10000000",
    "1kB, 1000",
    "1.5KiB, 1536",
    "2PB, 2000000000000000",
    "7, 7",
  })
  void aSizeIsReadAsItIsPrinted(String size, long bytes) throws Exception {
    assertThat(load("maxBytes: " + size).maxBytes()).hasValue(bytes);
    assertThat(CheckpointConfig.load(file(""), Map.of("CKPT_MAX_BYTES", size)).maxBytes())
        .hasValue(bytes);
    assertThat(CheckpointConfig.bytes(size)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @ValueSource(strings = {"9EiB", "2gb", "1.GB", ".5GB", "-1", "1e9", "1 000", "", "GB"})
  void whatIsNoSizeIsRefused(String size) {
    assertThatThrownBy(() -> CheckpointConfig.bytes(size))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("'" + size + "' is no size like 500MB, 1.5GB");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "\n", "# nothing\n", "---\n", "---\n...\n", "{}", "\uFEFF"})
  void anEmptyFileIsTheDefaultsInItsFolder(String yaml) throws Exception {
    CheckpointConfig config = load(yaml);
    assertThat(config.store()).isEqualTo(folder.resolve("checkpoints").toString());
    assertThat(config.resume()).isEqualTo(new Resume.Auto());
    assertThat(config.run()).isEmpty();
    assertThat(config.seed()).isEmpty();
    assertThat(config.stagingBudget()).isEmpty();
    assertThat(config.maxBytes()).isEmpty();
    assertThat(config.deadline()).isEqualTo(Duration.ofSeconds(60));
    assertThat(config.stopGrace()).isEqualTo(Duration.ofSeconds(25));
    assertThat(config.retries()).isEqualTo(2);
    assertThat(config.onFailure()).isEqualTo(FailurePolicy.WARN);
    assertThat(config.takeOver()).isFalse();
    SaveTrigger save = config.saveWhen();
    for (Moment.Kind kind : Moment.Kind.values()) {
      assertThat(save.shouldSave(moment(kind, 1, Duration.ZERO)))
          .isEqualTo(kind != Moment.Kind.STEP);
    }
    assertThat(save.shouldSave(moment(Moment.Kind.STEP, 1, Duration.ofMinutes(5)))).isTrue();
  }

  @Test
  void withoutAFileTheStoreIsInTheWorkingDirectory() {
    assertThat(CheckpointConfig.defaults(Map.of()).store())
        .isEqualTo(Path.of("checkpoints").toAbsolutePath().toString());
  }

  @Test
  void aSaveSectionMeansOnlyWhatItNames() throws Exception {
    Moment late = moment(Moment.Kind.STEP, 1, Duration.ofDays(9));
    assertThat(load("save: {everyEpoch: true}").saveWhen().shouldSave(late)).isFalse();
    assertThat(load("save: {}").saveWhen().shouldSave(late)).isFalse();
    assertThat(load("run: a").saveWhen().shouldSave(late)).isTrue();
    assertThat(
            CheckpointConfig.defaults(Map.of("CKPT_SAVE_EVERY_STEPS", "7"))
                .saveWhen()
                .shouldSave(late))
        .isFalse();
    assertThat(
            CheckpointConfig.defaults(Map.of("CKPT_SAVE_ON_STOP", "false"))
                .saveWhen()
                .shouldSave(late))
        .isTrue();
  }

  @Test
  void codeWinsOverTheEnvironmentThatOverTheFileAndEachOriginIsKnown() throws Exception {
    Path file = file("run: a\nseed: 1\nretries: 7\nsave:\n  everySteps: 5\n");
    CheckpointConfig config =
        CheckpointConfig.load(
                file,
                Map.of(
                    "CKPT_RUN", "b", "CKPT_SEED", "2", "CKPT_STOP_GRACE", "1s", "CKPT_STORE", ""))
            .with("seed", "3");
    assertThat(config.run()).contains("b");
    assertThat(config.seed()).isEqualTo(OptionalLong.of(3));
    assertThat(config.retries()).isEqualTo(7);
    assertThat(config.origin("run")).isEqualTo("environment CKPT_RUN");
    assertThat(config.origin("seed")).isEqualTo("code");
    assertThat(config.origin("retries")).isEqualTo(file + ":3");
    assertThat(config.origin("save.everySteps")).isEqualTo(file + ":5");
    assertThat(config.origin("deadline")).isEqualTo("default");
    assertThat(config.origin("store")).isEqualTo("default");
    assertThat(config.describe())
        .contains("seed = 3  (code)\n")
        .contains("run = b  (environment CKPT_RUN)\n")
        .contains("retries = 7  (" + file + ":3)\n")
        .contains("save.every = (none)  (default)\n")
        .contains("keep.latest = 3  (default)\n");
    assertThatThrownBy(() -> config.origin("sed")).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void relativePathsBelongToTheFileButNotThoseOfTheEnvironmentOrCode() throws Exception {
    Path file = file("store: data/ckpt\n");
    String workingDirectory = Path.of("x").toAbsolutePath().toString();
    assertThat(CheckpointConfig.load(file, Map.of()).store())
        .isEqualTo(folder.resolve("data/ckpt").toString());
    assertThat(CheckpointConfig.load(file, Map.of("CKPT_STORE", "x")).store())
        .isEqualTo(workingDirectory);
    assertThat(CheckpointConfig.load(file, Map.of()).with("store", "x").store())
        .isEqualTo(workingDirectory);
    assertThat(load("store: s3://bucket/a/../b").store()).isEqualTo("s3://bucket/a/../b");
    assertThat(load("store: " + folder).store()).isEqualTo(folder.toString());
  }

  static List<List<String>> mistakes() {
    return List.of(
        List.of(
            "run: a\nsave:\n  evrySteps: 100\n",
            "3:3: unknown key 'evrySteps' under save (did you mean 'everySteps'? allowed:"
                + " everySteps, every, everyEpoch, onStop, onException, onCompletion)"),
        List.of("save: { every: 5m, evrySteps: 1 }", "1:20: unknown key 'evrySteps' under save"),
        List.of(
            "run: a\nsav: {}\n", "2:1: unknown key 'sav' at the top level (did you mean 'save'?"),
        List.of("zzzzzzzz: 1", "1:1: unknown key 'zzzzzzzz' at the top level (allowed: store, run"),
        List.of("<<: {run: a}", "1:1: unknown key '<<'"),
        List.of("keep:\n  best: {metric: a, mod: max}", "2:21: unknown key 'mod' under keep.best"),
        List.of(
            "keep: {best: [{metric: a, mode: min}, {metrik: b}]}", "1:40: unknown key 'metrik'"),
        List.of("run: a\nseed: 1\nrun: b\n", "3:1: duplicate key 'run', first at "),
        List.of("save: {every: 5m, every: 6m}", "1:19: duplicate key 'every'"),
        List.of("run: a\nseed: many\n", "2:7: seed must be a whole number"),
        List.of("seed: 9223372036854775808", "1:7: seed must be a whole number"),
        List.of("seed: 1.0", "1:7: seed must be a whole number"),
        List.of("seed: {a: 1}", "1:7: seed is a mapping, but must be a single value"),
        List.of("seed: [1]", "1:7: seed is a list, but must be a single value"),
        List.of("save: 5m", "1:7: save is the value '5m', but must be a mapping"),
        List.of("save:\nrun: a", "1:6: save is without a value, but must be a mapping"),
        List.of("save: [a]", "1:7: save is a list, but must be a mapping"),
        List.of("run: ''", "1:6: run is without a value"),
        List.of("run: ~", "1:6: run is without a value"),
        List.of("run: a/b", "1:6: run must be up to 128 of"),
        List.of("run: ..", "1:6: run must be up to 128 of"),
        List.of("save: {everySteps: 0}", "1:20: save.everySteps must be at least 1, not 0"),
        List.of("save: {every: 0s}", "1:15: save.every must be from PT0.001S"),
        List.of("save: {every: 5 minutes}", "1:15: save.every must be a duration such as 500ms"),
        List.of("save: {every: -5m}", "1:15: save.every must be a duration"),
        List.of("deadline: 999999999999999999d", "1:11: deadline must be a duration"),
        List.of("save: {onStop: yes}", "1:16: save.onStop must be true or false, not 'yes'"),
        List.of("retries: 101", "1:10: retries must be from 0 to 100, not 101"),
        List.of("keep: {latest: 0}", "1:16: keep.latest must be from 1 to"),
        List.of("keep: {every: 1500ms}", "1:15: keep.every must be whole seconds"),
        List.of("keep: {best: {metric: a}}", "1:14: keep.best needs both metric and mode"),
        List.of("keep: {best: {mode: max}}", "1:14: keep.best needs both metric and mode"),
        List.of("keep: {best: {}}", "1:14: keep.best needs both metric and mode"),
        List.of("keep: {best: [{metric: a}]}", "1:15: keep.best[0] needs the key 'mode'"),
        List.of("keep: {best: acc}", "1:14: keep.best is the value 'acc', but must be a mapping"),
        List.of(
            "keep: {best: {metric: a, mode: up}}",
            "1:32: keep.best.mode must be max or min, not 'up'"),
        List.of(
            "restoreBest: accuracy",
            "1:14: restoreBest does not say which end of 'accuracy' is the good one"),
        List.of("restoreBest: acc, up", "1:14: restoreBest must be a metric, or a metric, a comma"),
        List.of("staging: {budget: 2gb}", "1:19: staging.budget must be a size such as"),
        List.of("staging: {budget: 1KiB}", "1:19: staging.budget must be at least 1048576 bytes"),
        List.of("staging: {budget: 99999999TiB}", "1:19: staging.budget must be a size"),
        List.of("onFailure: explode", "1:12: onFailure must be warn or fail, not 'explode'"),
        List.of("resume: best(a, up)", "1:9: resume must be best(metric)"),
        List.of("resume: 'best('", "1:9: resume must be best(metric)"),
        List.of(
            "run: a\nmlflow:\n  uri: x", "2:1: the section 'mlflow' needs dev.ckpt:ckpt-mlflow"),
        List.of("s3: {}", "1:1: the section 's3' needs dev.ckpt:ckpt-s3"),
        List.of("spark: {}", "1:1: the section 'spark' needs dev.ckpt:ckpt-spark"),
        List.of("run: &a b\nstore: *a", "2:8: anchors (&) and aliases (*) are not supported"),
        List.of("keep: &k {latest: 1}", "1:7: anchors (&)"),
        List.of("run: *a", ": "),
        List.of("run: !!str 5", "1:6: tags (!) are not supported"),
        List.of("run: a\n---\nrun: b", "3:1: a second document"),
        List.of("just text", "1:1: the config must be a mapping"),
        List.of("- a\n- b", "1:1: the config must be a mapping"),
        List.of("run: a\nsave: {every: 5m\nseed: 1\n", ": not YAML: "),
        List.of("run: 'a\n", ": not YAML: "),
        List.of("run: a\n\tseed: 1\n", "2:1: not YAML: "),
        List.of("run: a\u0000", ": not YAML: "),
        List.of("a: ".repeat(30) + "1", ": not YAML: "),
        List.of("store: " + "[".repeat(5000), ": not YAML: "),
        List.of("store: \"a\\0b\"", "1:8: store is no path and no URI"));
  }

  @ParameterizedTest
  @MethodSource("mistakes")
  void everyMistakeIsNamedWithItsLineAndColumn(List<String> mistake) throws Exception {
    Path file = file(mistake.get(0));
    assertThatThrownBy(() -> CheckpointConfig.load(file, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageMatching("(?s)\\Q" + file + "\\E:\\d+:\\d+: .*")
        .hasMessageContaining(mistake.get(1));
  }

  @Test
  void aFileThatIsNoTextIsNamedWithThePlace() throws Exception {
    Path file = folder.resolve("latin1.yaml");
    Files.write(file, "run: a\nstore: b\u00fccher\n".getBytes(StandardCharsets.ISO_8859_1));
    assertThatThrownBy(() -> CheckpointConfig.load(file, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessage(file + ":2:9: not UTF-8: save the file as UTF-8");
    Files.write(file, new byte[] {'r', 'u', 'n', ':', ' ', (byte) 0xC3});
    assertThatThrownBy(() -> CheckpointConfig.load(file, Map.of()))
        .hasMessageStartingWith(file + ":1:6: not UTF-8");
  }

  @Test
  void aFileThatIsNotThereOrAFolderOrHugeIsSaidToBe() throws Exception {
    Path missing = folder.resolve("missing.yaml");
    assertThatThrownBy(() -> CheckpointConfig.load(missing, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessage(missing + ": there is no such file");
    assertThatThrownBy(() -> CheckpointConfig.load(folder, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("is a folder");
    Path huge = Files.write(folder.resolve("huge.yaml"), new byte[(1 << 20) + 1]);
    assertThatThrownBy(() -> CheckpointConfig.load(huge, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("over 1 MiB");
  }

  @ParameterizedTest
  @CsvSource({
    "CKPT_SEED, many",
    "CKPT_SAVE_EVERY_STEPS, 0",
    "CKPT_SAVE_EVERY, soon",
    "CKPT_SAVE_ON_STOP, yes",
    "CKPT_KEEP_LATEST, -1",
    "CKPT_KEEP_BEST_METRIC, a",
    "CKPT_STAGING_BUDGET, 1",
    "CKPT_ON_FAILURE, ''' '",
    "CKPT_RESUME, best()",
    "CKPT_TAKE_OVER, 1",
  })
  void aWrongVariableIsNamed(String variable, String value) {
    assertThatThrownBy(() -> CheckpointConfig.defaults(Map.of(variable, value)))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("environment variable " + variable + ": ");
  }

  @Test
  void aVariableCannotChangeAListOfBest() throws Exception {
    Path file = file("keep: {best: [{metric: a, mode: max}]}");
    assertThatThrownBy(() -> CheckpointConfig.load(file, Map.of("CKPT_KEEP_BEST_N", "2")))
        .hasMessageStartingWith("environment variable CKPT_KEEP_BEST_N: ")
        .hasMessageContaining(file + ":1:14");
    assertThat(CheckpointConfig.load(file, Map.of()).origin("keep.best[0].metric"))
        .isEqualTo(file + ":1");
  }

  @Test
  void anUnknownKeyInCodeIsRefused() {
    CheckpointConfig config = CheckpointConfig.defaults(Map.of());
    assertThatThrownBy(() -> config.with("save", "5m"))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("code: unknown key 'save'");
  }

  @Test
  void anUnknownVariableIsWarnedAboutOnce() {
    PrintStream before = System.err;
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    try {
      System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
      for (int i = 0; i < 3; i++) {
        CheckpointConfig.defaults(Map.of("CKPT_SAVE_EVERY_STEP", "5", "HOME", "x"));
      }
    } finally {
      System.setErr(before);
    }
    assertThat(log.toString(StandardCharsets.UTF_8).lines())
        .singleElement()
        .asString()
        .contains("WARN")
        .endsWith(
            "CKPT_SAVE_EVERY_STEP is set, but is no setting of ckpt: did you mean"
                + " CKPT_SAVE_EVERY_STEPS?");
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aDamagedFileLoadsOrIsRefusedInNoOtherWay(long seed) throws Exception {
    Random random = new Random(seed);
    byte[] whole = WHOLE.getBytes(StandardCharsets.UTF_8);
    Path file = folder.resolve("damaged.yaml");
    int refused = 0;
    for (int round = 0; round < 150; round++) {
      byte[] damaged = whole.clone();
      for (int i = random.nextInt(4); i >= 0; i--) {
        String likely = "{}[]:,&*!|>'\"#%@`\n\t -?\u0000";
        damaged[random.nextInt(damaged.length)] =
            (byte)
                (random.nextBoolean()
                    ? likely.charAt(random.nextInt(likely.length()))
                    : random.nextInt(256));
      }
      Files.write(file, damaged);
      try {
        CheckpointConfig.load(file, Map.of());
      } catch (ConfigException e) {
        refused++;
        assertThat(e.getMessage()).as("seed %d, round %d", seed, round).startsWith(file + ":");
      }
    }
    assertThat(refused).as("seed %d", seed).isBetween(30, 149);
  }

  /** What the test's section holds. */
  record Probe(String name, long size) {}

  /** A section as an optional module brings it. */
  public static final class ProbeSection implements ConfigSection<Probe> {
    @Override
    public String name() {
      return "probe";
    }

    @Override
    public Set<String> keys() {
      return Set.of("name", "maxSize");
    }

    @Override
    public Class<Probe> type() {
      return Probe.class;
    }

    @Override
    public Probe parse(ConfigNode section) {
      return new Probe(
          section.require("name").string(),
          section.get("maxSize").map(node -> node.bytes(0)).orElse(-1L));
    }
  }

  @Test
  void anInstalledModuleReadsItsSectionAndItsVariables() throws Exception {
    Path services = Files.createDirectories(folder.resolve("META-INF/services"));
    Files.writeString(
        services.resolve(ConfigSection.class.getName()), ProbeSection.class.getName());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    try (URLClassLoader module = new URLClassLoader(new URL[] {folder.toUri().toURL()}, before)) {
      thread.setContextClassLoader(module);
      Path file = file("probe:\n  name: a\n");
      CheckpointConfig config = CheckpointConfig.load(file, Map.of("CKPT_PROBE_MAX_SIZE", "64KiB"));
      assertThat(config.section(Probe.class)).contains(new Probe("a", 65536));
      assertThat(config.origin("probe.name")).isEqualTo(file + ":2");
      assertThat(config.origin("probe.maxSize")).isEqualTo("environment CKPT_PROBE_MAX_SIZE");
      assertThat(load("run: a").section(Probe.class)).isEmpty();
      for (String wrong : List.of("probe: {nme: a}", "probe: {}", "probe: {name: [a]}")) {
        assertThatThrownBy(() -> load(wrong))
            .isInstanceOf(ConfigException.class)
            .hasMessageMatching(".*ckpt.yaml:1:\\d+: .*");
      }
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  @ParameterizedTest
  @CsvSource({"hdf6, use one of [arrow", "hdf5, add dev.ckpt:ckpt-hdf5"})
  void aFormatThatIsNotThereIsNamedWithItsPlace(String format, String advice) throws Exception {
    Path config = file("run: digits\nformat: " + format + "\n");
    assertThatThrownBy(() -> CheckpointConfig.load(config, Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("ckpt.yaml:2:9: format must be one that is there")
        .hasMessageContaining("'" + format + "' is not on the class path")
        .hasMessageContaining(advice);
  }
}
