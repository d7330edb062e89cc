package dev.ckpt.internal.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.DecimalNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.CheckpointException;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.Arrays;

/**
 * The canonical form of JSON: equal values have equal bytes, so that a record can be compared and
 * digested as bytes, and a change of any bit is a change of value or no canonical form at all.
 *
 * <ul>
 *   <li>UTF-8 without a byte order mark, no white space; keys sorted by code point.
 *   <li>Strings escape {@code "} and {@code \}, the control characters as {@code \b \t \n \f \r},
 *       the other ones below U+0020 as {@code \}{@code u00xx} in lower case, and nothing else. Lone
 *       surrogates are refused.
 *   <li>Integers are plain digits. Decimals always hold a {@code .} or an {@code e}, so that {@code
 *       1} and {@code 1.0} stay what they were. With the significant digits <i>d₁d₂…dₙ</i> (no zero
 *       at either end) and the value <i>d₁.d₂…dₙ · 10ˣ</i>: if −4 ≤ x ≤ 15, positional with at
 *       least one digit on both sides of the point ({@code 0.0012}, {@code 10.0}); else {@code
 *       d₁.d₂…dₙex} without plus sign or leading zeros ({@code 1.5e-7}, {@code 1e300}). Zero is
 *       {@code 0.0}, or {@code -0.0} as a double may be.
 *   <li>The digits of a {@code double} are its exact value rounded half-even to the first of 15,
 *       16, 17 digits that reads back as the same double: {@code Double.toString} differs between
 *       JDKs.
 *   <li>NaN and the infinities are the strings {@code "NaN"}, {@code "Infinity"}, {@code
 *       "-Infinity"}; {@link #doubleValue} reads them.
 * </ul>
 *
 * <p>Bounded on both ways alike: {@link #MAX_BYTES}, {@link #MAX_DEPTH}, {@link
 * #MAX_NUMBER_LENGTH}, {@link #MAX_EXPONENT}.
 */
public final class CanonicalJson {

  /** The most bytes of a document. */
  public static final int MAX_BYTES = CheckpointStore.MAX_SMALL_OBJECT;

  /** The most containers inside each other. */
  public static final int MAX_DEPTH = 64;

  /** The most characters of a number. */
  public static final int MAX_NUMBER_LENGTH = 400;

  /** The largest absolute decimal exponent; doubles need 324. */
  public static final int MAX_EXPONENT = 400;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxDocumentLength(MAX_BYTES)
                  .maxStringLength(MAX_BYTES)
                  .maxNameLength(MAX_BYTES)
                  .maxNumberLength(MAX_NUMBER_LENGTH)
                  .build())
          .build();

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private CanonicalJson() {}

  /**
   * The canonical bytes of a tree.
   *
   * @throws IllegalArgumentException if it is over a limit, or holds a lone surrogate or a node
   *     that JSON does not have (binary, POJO, missing)
   */
  public static byte[] encode(JsonNode tree) {
    return new CanonicalWriter().write(tree);
  }

  /**
   * The tree of a canonical document. Decimals are {@link DecimalNode}s of the exact value, except
   * {@code -0.0}, which only a {@link DoubleNode} can hold.
   *
   * @param name what the bytes are, for messages
   * @throws CheckpointException.Corrupt if the bytes are not exactly the encoding of a tree
   */
  public static JsonNode decode(byte[] bytes, String name) {
    if (bytes.length > MAX_BYTES) {
      throw new CheckpointException.Corrupt(
          name + ": " + bytes.length + " bytes of JSON, more than the " + MAX_BYTES + " allowed");
    }
    JsonNode tree;
    byte[] again;
    try (JsonParser parser = FACTORY.createParser(bytes)) {
      if (parser.nextToken() == null) {
        throw new CheckpointException.Corrupt(name + ": empty, where JSON should be");
      }
      tree = read(parser);
      if (parser.nextToken() != null) {
        throw new CheckpointException.Corrupt(name + ": bytes follow the JSON value");
      }
      again = encode(tree);
    } catch (IOException | ArithmeticException | IllegalArgumentException e) {
      throw new CheckpointException.Corrupt(name + ": not canonical JSON: " + e.getMessage(), e);
    }
    int difference = Arrays.mismatch(bytes, again);
    if (difference >= 0) {
      throw new CheckpointException.Corrupt(
          name + ": not in canonical form, first at byte " + difference);
    }
    return tree;
  }

  /**
   * The double that a decoded number, or one of the three non-finite names, stands for.
   *
   * @throws IllegalArgumentException if it is neither
   */
  public static double doubleValue(JsonNode node) {
    if (node.isNumber()) {
      return node.doubleValue();
    }
    return switch (node.isTextual() ? node.textValue() : "") {
      case "NaN" -> Double.NaN;
      case "Infinity" -> Double.POSITIVE_INFINITY;
      case "-Infinity" -> Double.NEGATIVE_INFINITY;
      default -> throw new IllegalArgumentException("no number: " + node);
    };
  }

  private static JsonNode read(JsonParser parser) throws IOException {
    return switch (parser.currentToken()) {
      case START_OBJECT -> {
        ObjectNode object = NODES.objectNode();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
          String key = parser.currentName();
          parser.nextToken();
          if (object.replace(key, read(parser)) != null) {
            throw new IOException("the key '" + key + "' is there twice");
          }
        }
        yield object;
      }
      case START_ARRAY -> {
        ArrayNode array = NODES.arrayNode();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
          array.add(read(parser));
        }
        yield array;
      }
      case VALUE_STRING -> NODES.textNode(parser.getText());
      case VALUE_TRUE -> NODES.booleanNode(true);
      case VALUE_FALSE -> NODES.booleanNode(false);
      case VALUE_NULL -> NODES.nullNode();
      case VALUE_NUMBER_INT ->
          switch (parser.getNumberType()) {
            case INT -> NODES.numberNode(parser.getIntValue());
            case LONG -> NODES.numberNode(parser.getLongValue());
            default -> NODES.numberNode(parser.getBigIntegerValue());
          };
      case VALUE_NUMBER_FLOAT ->
          parser.getText().equals(CanonicalWriter.NEGATIVE_ZERO)
              ? DoubleNode.valueOf(-0.0)
              : DecimalNode.valueOf(parser.getDecimalValue());
      default -> throw new IOException("unexpected " + parser.currentToken());
    };
  }
}
