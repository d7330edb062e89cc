package dev.ckpt.internal.save;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.FailurePolicy;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class FailureLogTest {

  @Test
  void eachOutageIsSaidAndEachFailureCounted() {
    FailureLog failures = new FailureLog(FailurePolicy.WARN);
    PrintStream console = System.err;
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    System.setErr(new PrintStream(said, true, StandardCharsets.UTF_8));
    try {
      for (int outage = 1; outage <= 2; outage++) {
        failures.committed();
        for (int save = 1; save <= 35; save++) {
          CheckpointException failure =
              new CheckpointException.SaveFailed("outage " + outage + ", save " + save, null);
          failures.failed(failure);
          failures.failed(failure);
          failures.warnOnce("streaming", "said in outage " + outage);
        }
      }
    } finally {
      System.setErr(console);
    }
    assertThat(
            said.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.contains("was not saved")))
        .hasSize(2)
        .anyMatch(line -> line.endsWith("outage 1, save 1"))
        .anyMatch(line -> line.endsWith("outage 2, save 1"));
    assertThat(said.toString(StandardCharsets.UTF_8))
        .containsOnlyOnce("said in outage 1")
        .doesNotContain("said in outage 2");
    assertThat(failures.count()).isEqualTo(70);
    assertThat(failures.all()).hasSize(64);
  }
}
