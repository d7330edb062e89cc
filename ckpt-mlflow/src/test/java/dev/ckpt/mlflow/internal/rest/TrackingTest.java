package dev.ckpt.mlflow.internal.rest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Credentials reach the server as MLflow's own clients send them, and nobody else. */
class TrackingTest {
  private static final String TOKEN = "MLFLOW_TRACKING_TOKEN";

  private static String sent(String uri, Map<String, String> environment) {
    return Tracking.of(uri, environment).authorization().orElse("");
  }

  private static String basic(String userAndPassword) {
    return "Basic "
        + Base64.getEncoder().encodeToString(userAndPassword.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void aPasswordInTheUriIsDecodedAsInAUriAndNotAsInAForm() {
    assertThat(sent("http://us:p+w%2Bx%40%C3%A4@host:1", Map.of())).isEqualTo(basic("us:p+w+x@ä"));
  }

  @Test
  void theUriGoesBeforeTheUserAndTheUserBeforeTheToken() {
    Map<String, String> all =
        Map.of("MLFLOW_TRACKING_USERNAME", "u", "MLFLOW_TRACKING_PASSWORD", "p", TOKEN, "t");
    assertThat(sent("http://a:b@host", all)).isEqualTo(basic("a:b"));
    assertThat(sent("http://host", all)).isEqualTo(basic("u:p"));
    assertThat(sent("http://host", Map.of(TOKEN, "t"))).isEqualTo("Bearer t");
    assertThat(sent("http://host", Map.of())).isEmpty();
  }

  @Test
  void aTokenThatWasReadFromAFileLosesItsLineEnd() {
    assertThat(sent("http://host", Map.of(TOKEN, "s3cret\r\n"))).isEqualTo("Bearer s3cret");
  }

  @ParameterizedTest
  @ValueSource(strings = {"s3c\nret", "s3c ret", "s3c\u0000ret", "s3crét"})
  void aTokenThatCannotBeSentIsRefusedAndIsInNoMessage(String token) {
    assertThatThrownBy(() -> Tracking.of("http://host", Map.of(TOKEN, token)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(TOKEN)
        .hasMessageNotContaining("s3c")
        .hasNoCause();
  }

  @ParameterizedTest
  @ValueSource(strings = {"./mlruns", "databricks", "ftp://us:s3cret@h"})
  void whatIsNoServerIsRefusedAndItsPasswordIsInNoMessage(String uri) {
    assertThatThrownBy(() -> Tracking.of(uri, Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("the tracking URI must be the http or https URI")
        .hasMessageNotContaining("s3c");
  }

  @ParameterizedTest
  @CsvSource({
    "http://us:s3c ret@host, is not a URI from its character",
    "http://us:s3c%zzret@host, is not a URI from its character",
    "http://us:s3cret@mlflow_server:5000, must name a host as Java takes it"
  })
  void whatJavaCannotReadIsSaidAndItsPasswordIsInNoMessage(String uri, String said) {
    assertThatThrownBy(() -> Tracking.of(uri, Map.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(said)
        .hasMessageNotContaining("s3c");
  }

  @Test
  void whatIsShownHoldsNoCredentials() {
    Tracking tracking = Tracking.of("https://us:s3cret@host:8443/ml/", Map.of());
    assertThat(tracking).hasToString("https://host:8443/ml");
    assertThat(Tracking.open("https://us:s3cret@host:8443/ml/")).isEqualTo("https://host:8443/ml");
  }
}
