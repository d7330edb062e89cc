package dev.ckpt.internal.json;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.FloatNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CanonicalJsonTest {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private static String encoded(JsonNode node) {
    return new String(CanonicalJson.encode(node), StandardCharsets.UTF_8);
  }

  private static JsonNode decoded(String text) {
    return CanonicalJson.decode(text.getBytes(StandardCharsets.UTF_8), "text");
  }

  @ParameterizedTest
  @CsvSource({
    "0.0, 0.0",
    "-0.0, -0.0",
    "1, 1.0",
    "-10, -10.0",
    "0.1, 0.1",
    "0.0012, 0.0012",
    "0.0001, 0.0001",
    "0.00001, 1e-5",
    "0.000012345, 1.2345e-5",
    "123.456, 123.456",
    "1e15, 1000000000000000.0",
    "1e16, 1e16",
    "1.5e300, 1.5e300",
    "9007199254740993, 9007199254740992.0",
    "0.30000000000000004, 0.30000000000000004",
    "2e23, 2e23",
    "1.7976931348623157e308, 1.7976931348623157e308",
    "4.9e-324, 4.94065645841247e-324",
    "2.2250738585072014e-308, 2.2250738585072014e-308",
    "NaN, \"NaN\"",
    "Infinity, \"Infinity\"",
    "-Infinity, \"-Infinity\"",
  })
  void doublesHaveOneSpelling(double value, String text) {
    assertThat(encoded(DoubleNode.valueOf(value))).isEqualTo(text);
    assertThat(Double.doubleToRawLongBits(CanonicalJson.doubleValue(decoded(text))))
        .isEqualTo(Double.doubleToRawLongBits(value));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void everyDoubleComesBackBitForBit(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 6_000; i++) {
      double value =
          switch (i % 4) {
            case 0 -> Double.longBitsToDouble(random.nextLong());
            case 1 -> random.nextGaussian();
            case 2 -> random.nextInt(100_000) / 1000.0;
            // powers of two, where the gap below is half the gap above
            default -> Math.scalb(1.0, random.nextInt(2098) - 1074);
          };
      value = Double.isNaN(value) ? Double.NaN : value;
      byte[] bytes = CanonicalJson.encode(DoubleNode.valueOf(value));
      double back = CanonicalJson.doubleValue(CanonicalJson.decode(bytes, "double"));
      assertThat(Double.doubleToRawLongBits(back))
          .as("seed %d, round %d, %s", seed, i, value)
          .isEqualTo(Double.doubleToRawLongBits(value));
    }
  }

  /** Records of one JDK are compared with those of another: the value may never change. */
  @Test
  void theDigitsAreTheSameOnEveryJdkForEver() throws Exception {
    Random random = new Random(7);
    MessageDigest sha = MessageDigest.getInstance("SHA-256");
    for (int i = 0; i < 5_000; i++) {
      sha.update(CanonicalJson.encode(DoubleNode.valueOf(random.nextGaussian())));
      double any = Double.longBitsToDouble(random.nextLong());
      sha.update(CanonicalJson.encode(DoubleNode.valueOf(any)));
    }
    assertThat(HexFormat.of().formatHex(sha.digest()))
        .isEqualTo("afdb5732fa8aecb6cbf9f5f9a0cfabe42a9d981e478650a1aae92137eff58f2e");
  }

  @Test
  void floatsAreTheDoublesTheyEqual() {
    assertThat(encoded(FloatNode.valueOf(0.1f))).isEqualTo(encoded(DoubleNode.valueOf(0.1f)));
  }

  @Test
  void equalDecimalsHaveEqualBytes() {
    for (String spelling : new String[] {"1.50", "15e-1", "0.15E+1", "1500e-3"}) {
      assertThat(encoded(DecimalNode.valueOf(new BigDecimal(spelling)))).isEqualTo("1.5");
    }
    assertThat(encoded(DecimalNode.valueOf(new BigDecimal("0E-7")))).isEqualTo("0.0");
  }

  @Test
  void integersStayIntegersAndDecimalsDecimals() {
    JsonNode back = decoded("[1,1.0,9223372036854775807,9223372036854775808,-1]");
    assertThat(back.get(0).isInt()).isTrue();
    assertThat(back.get(1).isBigDecimal()).isTrue();
    assertThat(back.get(2).longValue()).isEqualTo(Long.MAX_VALUE);
    assertThat(back.get(3).bigIntegerValue())
        .isEqualTo(BigInteger.valueOf(Long.MAX_VALUE).add(BigInteger.ONE));
    assertThat(encoded(back)).isEqualTo("[1,1.0,9223372036854775807,9223372036854775808,-1]");
  }

  @Test
  void keysAreSortedByCodePointNotByUtf16() {
    ObjectNode object = NODES.objectNode();
    for (String key : new String[] {"\uD83D\uDE00", "\uFF5E", "b", "", "a\u00e9", "a", "B"}) {
      object.put(key, 1);
    }
    assertThat(encoded(object))
        .isEqualTo(
            "{\"\":1,\"B\":1,\"a\":1,\"a\u00e9\":1,\"b\":1,\"\uFF5E\":1,\"\uD83D\uDE00\":1}");
  }

  @Test
  void stringsEscapeOnlyWhatTheyMust() {
    assertThat(encoded(NODES.textNode("\"\\/\b\t\n\f\r\u0000\u001f\u007f\u2028\u00fc\uD83D\uDE00")))
        .isEqualTo("\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028\u00fc\uD83D\uDE00\"");
  }

  @Test
  void aLoneSurrogateIsRefused() {
    for (String text : new String[] {"\uD83D", "a\uDE00b", "\uD83Dx"}) {
      assertThatThrownBy(() -> CanonicalJson.encode(NODES.textNode(text)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("surrogate");
    }
  }

  @Test
  void nodesThatJsonDoesNotHaveAreRefused() {
    assertThatThrownBy(() -> CanonicalJson.encode(NODES.binaryNode(new byte[] {1})))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> CanonicalJson.encode(NODES.pojoNode(new Object())))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "{\"a\": 1}",
        " 1",
        "1 ",
        "1\n",
        "1 2",
        "{}{}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "\"\\u0061\"",
        "\"\\/\"",
        "\"\\u001F\"",
        "\"\\u000a\"",
        "\"\\ud800\"",
        "1.50",
        "1E5",
        "1e+5",
        "100e-1",
        "1e5",
        "1.5e16000",
        "1e-401",
        "-0",
        "-0.00",
        "0.00",
        "01",
        "+1",
        ".5",
        "NaN",
        "[1,]",
        "[1",
        "[1}",
        "{\"a\"}",
        "tru",
        "nullx",
        "// a\n1",
        "'a'",
      })
  void whatIsNotCanonicalIsCorrupt(String text) {
    assertThatThrownBy(() -> decoded(text))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageStartingWith("text: ");
  }

  @Test
  void bytesThatAreNotPlainUtf8AreCorrupt() {
    byte[][] bad = {
      "1".getBytes(StandardCharsets.UTF_16LE),
      "\uFEFF1".getBytes(StandardCharsets.UTF_8),
      {'"', (byte) 0xFF, '"'},
      {'"', (byte) 0xC1, (byte) 0xA1, '"'}, // 'a', too long
      {'"', (byte) 0xED, (byte) 0xA0, (byte) 0x80, '"'}, // a surrogate
      {'"', (byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80, '"'}, // beyond U+10FFFF
      {'"', (byte) 0xC3, '"'},
      {'1', 0},
    };
    for (byte[] bytes : bad) {
      assertThatThrownBy(() -> CanonicalJson.decode(bytes, "bytes"))
          .as(Arrays.toString(bytes))
          .isInstanceOf(CheckpointException.Corrupt.class);
    }
  }

  @Test
  void limitsAreTheSameOnBothWays() {
    JsonNode deep = NODES.arrayNode();
    for (int i = 1; i < CanonicalJson.MAX_DEPTH; i++) {
      deep = NODES.arrayNode().add(deep);
    }
    byte[] deepest = CanonicalJson.encode(deep);
    assertThat(CanonicalJson.decode(deepest, "deep")).isEqualTo(deep);
    ArrayNode deeper = NODES.arrayNode().add(deep);
    assertThatThrownBy(() -> CanonicalJson.encode(deeper))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> decoded("[" + new String(deepest, StandardCharsets.US_ASCII) + "]"))
        .isInstanceOf(CheckpointException.Corrupt.class);

    String digits = "7".repeat(CanonicalJson.MAX_NUMBER_LENGTH);
    assertThat(encoded(decoded(digits))).isEqualTo(digits);
    assertThatThrownBy(() -> decoded(digits + "7")).isInstanceOf(CheckpointException.Corrupt.class);
    JsonNode longer = NODES.numberNode(new BigInteger(digits + "7"));
    assertThatThrownBy(() -> CanonicalJson.encode(longer))
        .isInstanceOf(IllegalArgumentException.class);

    String longest = "x".repeat(CanonicalJson.MAX_BYTES - 2);
    byte[] full = CanonicalJson.encode(NODES.textNode(longest));
    assertThat(CanonicalJson.decode(full, "full").textValue()).isEqualTo(longest);
    assertThatThrownBy(() -> CanonicalJson.encode(NODES.textNode(longest + "x")))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> decoded("\"" + longest + "x\""))
        .isInstanceOf(CheckpointException.Corrupt.class);
    ObjectNode longKey = NODES.objectNode().put("k".repeat(200_000), 1);
    assertThat(CanonicalJson.decode(CanonicalJson.encode(longKey), "key")).isEqualTo(longKey);
  }

  @Test
  void aHugeExponentCostsNothing() {
    assertThatThrownBy(() -> decoded("1e999999999"))
        .isInstanceOf(CheckpointException.Corrupt.class);
    assertThatThrownBy(() -> decoded("1e99999999999999999999"))
        .isInstanceOf(CheckpointException.Corrupt.class);
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 12, 13})
  void encodingIsTheInverseOfDecodingAndBlindToInsertionOrder(long seed) {
    Random random = new Random(seed);
    for (int i = 0; i < 500; i++) {
      JsonNode tree = tree(random, 0);
      byte[] bytes = CanonicalJson.encode(tree);
      JsonNode back = CanonicalJson.decode(bytes, "seed " + seed + ", round " + i);
      assertThat(CanonicalJson.encode(back)).as("seed %d, round %d", seed, i).isEqualTo(bytes);
      assertThat(CanonicalJson.encode(reversed(tree))).isEqualTo(bytes);
    }
  }

  private static JsonNode tree(Random random, int depth) {
    return switch (random.nextInt(depth > 4 ? 6 : 8)) {
      case 0 -> NODES.textNode(text(random));
      case 1 -> NODES.numberNode(random.nextLong());
      case 2 -> NODES.numberNode(random.nextGaussian());
      case 3 ->
          DecimalNode.valueOf(new BigDecimal(new BigInteger(90, random), random.nextInt(60) - 30));
      case 4 -> NODES.booleanNode(random.nextBoolean());
      case 5 -> NODES.nullNode();
      case 6 -> {
        ArrayNode array = NODES.arrayNode();
        for (int i = random.nextInt(5); i > 0; i--) {
          array.add(tree(random, depth + 1));
        }
        yield array;
      }
      default -> {
        ObjectNode object = NODES.objectNode();
        for (int i = random.nextInt(5); i > 0; i--) {
          object.set(text(random), tree(random, depth + 1));
        }
        yield object;
      }
    };
  }

  private static String text(Random random) {
    StringBuilder text = new StringBuilder();
    for (int i = random.nextInt(6); i > 0; i--) {
      int codePoint = random.nextInt(random.nextBoolean() ? 0x80 : 0x110000);
      text.appendCodePoint(codePoint >= 0xD800 && codePoint < 0xE000 ? '?' : codePoint);
    }
    return text.toString();
  }

  private static JsonNode reversed(JsonNode tree) {
    if (!(tree instanceof ObjectNode object)) {
      return tree;
    }
    List<Map.Entry<String, JsonNode>> fields = new ArrayList<>(object.properties());
    Collections.reverse(fields);
    ObjectNode other = NODES.objectNode();
    fields.forEach(field -> other.set(field.getKey(), reversed(field.getValue())));
    return other;
  }
}
