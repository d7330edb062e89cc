package dev.ckpt.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import dev.ckpt.internal.json.Envelope;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class EndRecordTest {
  private static final Instant TIME = Instant.parse("2026-01-01T00:00:00Z");

  @Test
  void causeAndStepComeBack() {
    EndRecord failed =
        new EndRecord(
            3, EndRecord.FAILED, Map.of(), TIME, Optional.of("a.B: \"why\""), OptionalLong.of(41));
    assertThat(EndRecord.decode("ends/3", failed.encode())).isEqualTo(failed);
  }

  @Test
  void whatIsNotSaidLeavesNoTrace() {
    byte[] bytes = new EndRecord(3, EndRecord.CLOSED, Map.of(), TIME).encode();
    assertThat(new String(bytes, StandardCharsets.UTF_8))
        .contains("{\"attempt\":3,\"endedAt\":\"2026-01-01T00:00:00Z\",\"goal\":{},\"how\":");
    assertThat(EndRecord.decode("ends/3", bytes))
        .isEqualTo(new EndRecord(3, EndRecord.CLOSED, Map.of(), TIME));
  }

  @Test
  void aCauseOrStepOfAnotherTypeIsCorrupt() {
    refused(body().put("cause", 1));
    refused(body().put("step", "1"));
    refused(body().put("step", 1.5));
  }

  private static ObjectNode body() {
    ObjectNode body = Fields.object().put("attempt", 3).put("how", EndRecord.FAILED);
    body.putObject("goal");
    return body.put("endedAt", TIME.toString());
  }

  private static void refused(ObjectNode body) {
    byte[] bytes = Envelope.seal("end", body);
    assertThatThrownBy(() -> EndRecord.decode("ends/3", bytes))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining("ends/3");
  }
}
