package dev.ckpt.internal.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EnvelopeTest {

  private static final ObjectNode BODY = body();
  private static final byte[] RECORD = Envelope.seal("manifest", BODY);

  private static ObjectNode body() {
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    body.put("id", "000001-0000000042-0").put("bytes", 1L << 40).put("loss", 0.25);
    body.putArray("shards").add("runs/digits/data/x.arrow").add("r\u00e9sum\u00e9");
    return body;
  }

  /** Seals anything, valid or not: the digest is right, what it covers need not be. */
  private static byte[] sealed(String rest) throws Exception {
    byte[] covered = rest.getBytes(StandardCharsets.UTF_8);
    String digest = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(covered));
    return ("{\"digest\":\"" + digest + "\"," + rest).getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void whatIsSealedOpensAsItWas() {
    ObjectNode body = Envelope.open("manifest", RECORD, "m");
    assertThat(CanonicalJson.encode(body)).isEqualTo(CanonicalJson.encode(BODY));
    assertThat(Envelope.seal("manifest", body)).isEqualTo(RECORD);
  }

  @Test
  void theBytesAreWhatTheFormatSays() throws Exception {
    String rest =
        "\"kind\":\"end\",\"record\":{\"id\":\"7\"},\"requiredFeatures\":[],\"version\":\"1.0\"}";
    byte[] end = Envelope.seal("end", JsonNodeFactory.instance.objectNode().put("id", "7"));
    assertThat(end).isEqualTo(sealed(rest));
    assertThat(new String(end, Envelope.PREFIX_BYTES, end.length - 77, StandardCharsets.UTF_8))
        .isEqualTo(rest);
  }

  @Test
  void everyBitFlipIsCorruptAndNoneIncompatible() {
    for (int bit = 0; bit < RECORD.length * 8; bit++) {
      byte[] flipped = RECORD.clone();
      flipped[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> Envelope.open("manifest", flipped, "m"))
          .as("bit %d", bit)
          .isInstanceOf(CheckpointException.Corrupt.class);
    }
  }

  @Test
  void everyTruncationAndEveryAppendedByteIsCorrupt() {
    for (int length = 0; length < RECORD.length; length++) {
      byte[] cut = Arrays.copyOf(RECORD, length);
      assertThatThrownBy(() -> Envelope.open("manifest", cut, "m"))
          .as("length %d", length)
          .isInstanceOf(CheckpointException.Corrupt.class);
    }
    for (int last = 0; last < 256; last++) {
      byte[] longer = Arrays.copyOf(RECORD, RECORD.length + 1);
      longer[RECORD.length] = (byte) last;
      assertThatThrownBy(() -> Envelope.open("manifest", longer, "m"))
          .isInstanceOf(CheckpointException.Corrupt.class);
    }
  }

  @Test
  void aRecordOfAnotherKindIsCorrupt() {
    assertThatThrownBy(() -> Envelope.open("vote", RECORD, "votes/7"))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessage("votes/7: a record of kind \"manifest\" where 'vote' belongs");
  }

  @Test
  void aNewerMajorIsIncompatibleEvenIfItsBodyIsNoObject() {
    JsonNode unknown = JsonNodeFactory.instance.arrayNode().add(1);
    for (JsonNode body : List.of(BODY, unknown)) {
      byte[] record = Envelope.seal("manifest", "2.0", List.of(), body);
      assertThatThrownBy(() -> Envelope.open("manifest", record, "m"))
          .isInstanceOf(CheckpointException.Incompatible.class)
          .hasMessageContaining("2.0")
          .hasMessageContaining("upgrade ckpt");
    }
  }

  @Test
  void anUnknownRequiredFeatureIsIncompatible() {
    byte[] record = Envelope.seal("manifest", "1.3", List.of("erasure"), BODY);
    assertThatThrownBy(() -> Envelope.open("manifest", record, "m"))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("erasure");
  }

  @Test
  void aNewerMinorMayHoldUnknownFields() {
    byte[] record = Envelope.seal("manifest", "1.999", List.of(), BODY.deepCopy().put("new", true));
    assertThat(Envelope.open("manifest", record, "m").path("new").booleanValue()).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":\"0.9\"}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":\"1\"}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":\"01.0\"}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":1.0}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":{},\"version\":\"1.0\"}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[1],\"version\":\"1.0\"}",
        "\"kind\":\"end\",\"record\":[],\"requiredFeatures\":[],\"version\":\"1.0\"}",
        "\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":\"1.0\",\"w\":1}",
        "\"kind\":\"end\",\"record\":{},\"version\":\"1.0\"}",
        "\"kind\":\"end\",\"record\":{ },\"requiredFeatures\":[],\"version\":\"1.0\"}",
        "\"record\":{},\"kind\":\"end\",\"requiredFeatures\":[],\"version\":\"1.0\"}",
        "\"digest\":\"\",\"kind\":\"end\",\"record\":{},\"requiredFeatures\":[],\"version\":\"1.0\"}",
        "",
      })
  void aWellSealedButWrongEnvelopeIsCorrupt(String rest) throws Exception {
    byte[] record = sealed(rest);
    assertThatThrownBy(() -> Envelope.open("end", record, "p"))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageStartingWith("p: ");
  }

  @Test
  void anUnknownKindIsNotSealed() {
    assertThatThrownBy(() -> Envelope.seal("manifst", BODY))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
