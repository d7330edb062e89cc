package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointConfig;
import dev.ckpt.ConfigException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code mlflow:} in the config. */
class MlflowSectionTest {
  @TempDir Path folder;

  private CheckpointConfig load(String yaml, Map<String, String> environment) throws Exception {
    return CheckpointConfig.load(Files.writeString(folder.resolve("ckpt.yaml"), yaml), environment);
  }

  @Test
  void eachKeyIsRead() throws Exception {
    MlflowSettings settings =
        load(
                "mlflow:\n  trackingUri: http://127.0.0.1:5000/\n  experiment: digits\n  runId: abc\n"
                    + "  runName: first\n  parentRun: def\n  outbox: /tmp/outbox\n"
                    + "  outboxEntries: 20\n  timeout: 2s\n  drain: 0s\n  norms: false\n"
                    + "  shards: true\n  enabled: false\n",
                Map.of())
            .section(MlflowSettings.class)
            .orElseThrow();
    assertThat(settings.trackingUri()).contains("http://127.0.0.1:5000");
    assertThat(settings.experiment()).contains("digits");
    assertThat(settings.runId()).contains("abc");
    assertThat(settings.runName()).contains("first");
    assertThat(settings.parentRun()).contains("def");
    assertThat(settings.outbox()).contains(Path.of("/tmp/outbox"));
    assertThat(settings.outboxEntries()).isEqualTo(20);
    assertThat(settings.timeout()).isEqualTo(Duration.ofSeconds(2));
    assertThat(settings.drain()).isZero();
    assertThat(settings.norms()).isFalse();
    assertThat(settings.shards()).isTrue();
    assertThat(settings.enabled()).isFalse();
  }

  @Test
  void anEmptyMappingSwitchesItOnAndNothingLeavesItOff() throws Exception {
    assertThat(load("mlflow: {}\n", Map.of()).section(MlflowSettings.class))
        .contains(MlflowSettings.defaults());
    assertThat(load("run: x\n", Map.of()).section(MlflowSettings.class)).isEmpty();
    assertThatThrownBy(() -> load("run: x\nmlflow:\n", Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("ckpt.yaml:2");
  }

  @Test
  void theEnvironmentWinsOverTheFileAndSaysSo() throws Exception {
    CheckpointConfig config =
        load(
            "mlflow:\n  trackingUri: http://a:1\n  experiment: x\n",
            Map.of("CKPT_MLFLOW_TRACKING_URI", "http://b:2", "CKPT_MLFLOW_OUTBOX_ENTRIES", "50"));
    MlflowSettings settings = config.section(MlflowSettings.class).orElseThrow();
    assertThat(settings.trackingUri()).contains("http://b:2");
    assertThat(settings.outboxEntries()).isEqualTo(50);
    assertThat(config.describe())
        .contains("mlflow.trackingUri = http://b:2  (environment CKPT_MLFLOW_TRACKING_URI)")
        .contains("mlflow.experiment = x  (");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "trackingURI: http://a|3:3: unknown key 'trackingURI' under mlflow (did you mean 'trackingUri'?",
        "trackingUri: ./mlruns|3:16: mlflow.trackingUri must be the http or https URI of an MLflow server",
        "trackingUri: databricks|3:16: mlflow.trackingUri must be the http or https URI",
        "trackingUri: http://me:pw@a:1|3:16: mlflow.trackingUri must hold no user and no password",
        "outbox: relative/folder|3:11: mlflow.outbox must be an absolute path, not 'relative/folder'",
        "outboxEntries: 3|3:18: mlflow.outboxEntries must be from 10 to 1000000, not 3",
        "timeout: soon|3:12: mlflow.timeout must be a duration",
        "norms: yes|3:10: mlflow.norms must be true or false, not 'yes'",
        "runId: 'a b'|3:10: mlflow.runId must be the id of a run",
      })
  void aWrongValueIsNamedAtItsPlace(String line, String message) {
    assertThatThrownBy(() -> load("run: x\nmlflow:\n  " + line + "\n", Map.of()))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("ckpt.yaml:" + message)
        .message()
        .doesNotContain("pw");
  }

  @Test
  void aWrongVariableIsNamed() {
    assertThatThrownBy(() -> load("", Map.of("CKPT_MLFLOW_TIMEOUT", "soon")))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("environment variable CKPT_MLFLOW_TIMEOUT");
  }
}
