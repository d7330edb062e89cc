package dev.ckpt.internal.json;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** Writes one document as {@link CanonicalJson} describes. */
final class CanonicalWriter {

  static final String NEGATIVE_ZERO = "-0.0";

  private static final int POSITIONAL_FROM = -4;
  private static final int POSITIONAL_TO = 15;
  private static final String HEX = "0123456789abcdef";

  // a ByteArrayOutputStream takes a lock for each byte, which shows in a list of many records
  private byte[] out = new byte[1024];
  private int size;

  byte[] write(JsonNode tree) {
    node(tree, 0);
    checkSize();
    return Arrays.copyOf(out, size);
  }

  private void put(int octet) {
    if (size == out.length) {
      out = Arrays.copyOf(out, 2 * size);
    }
    out[size++] = (byte) octet;
  }

  private void node(JsonNode node, int depth) {
    checkSize();
    switch (node.getNodeType()) {
      case OBJECT -> object(node, inside(depth));
      case ARRAY -> array(node, inside(depth));
      case STRING -> string(node.textValue());
      case NUMBER -> number(node);
      case BOOLEAN -> ascii(node.booleanValue() ? "true" : "false");
      case NULL -> ascii("null");
      default -> throw new IllegalArgumentException("JSON has no " + node.getNodeType());
    }
  }

  private static int inside(int depth) {
    if (depth == CanonicalJson.MAX_DEPTH) {
      throw new IllegalArgumentException(
          "JSON nested deeper than " + CanonicalJson.MAX_DEPTH + " levels");
    }
    return depth + 1;
  }

  private void checkSize() {
    if (size > CanonicalJson.MAX_BYTES) {
      throw new IllegalArgumentException(
          "more than " + CanonicalJson.MAX_BYTES + " bytes of JSON; store large state as bytes");
    }
  }

  private void object(JsonNode object, int depth) {
    Collection<Map.Entry<String, JsonNode>> fields = sorted(object.properties());
    char separator = '{';
    for (Map.Entry<String, JsonNode> field : fields) {
      put(separator);
      string(field.getKey());
      put(':');
      node(field.getValue(), depth);
      separator = ',';
    }
    ascii(fields.isEmpty() ? "{}" : "}");
  }

  /** Sorts only what is not: what was just decoded is. */
  private static Collection<Map.Entry<String, JsonNode>> sorted(
      Collection<Map.Entry<String, JsonNode>> fields) {
    String before = null;
    for (Map.Entry<String, JsonNode> field : fields) {
      if (before != null && BY_CODE_POINT.compare(before, field.getKey()) > 0) {
        List<Map.Entry<String, JsonNode>> list = new ArrayList<>(fields);
        list.sort(Map.Entry.comparingByKey(BY_CODE_POINT));
        return list;
      }
      before = field.getKey();
    }
    return fields;
  }

  private void array(JsonNode array, int depth) {
    char separator = '[';
    for (JsonNode element : array) {
      put(separator);
      node(element, depth);
      separator = ',';
    }
    ascii(array.isEmpty() ? "[]" : "]");
  }

  private void number(JsonNode number) {
    if (number.isIntegralNumber()) {
      checked(number.asText());
    } else if (number.isBigDecimal()) {
      checked(text(number.decimalValue()));
    } else {
      // a float is a double too: widening is exact
      double value = number.doubleValue();
      if (Double.isFinite(value)) {
        checked(text(value));
      } else {
        string(Double.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
      }
    }
  }

  private void checked(String number) {
    if (number.length() > CanonicalJson.MAX_NUMBER_LENGTH) {
      throw new IllegalArgumentException(
          "a number of more than " + CanonicalJson.MAX_NUMBER_LENGTH + " characters");
    }
    ascii(number);
  }

  private static String text(double value) {
    if (value == 0) {
      return 1 / value < 0 ? NEGATIVE_ZERO : "0.0";
    }
    BigDecimal exact = new BigDecimal(value);
    for (int digits = 15; digits < 17; digits++) {
      BigDecimal rounded = round(exact, digits);
      if (Double.parseDouble(rounded.toString()) == value) {
        return text(rounded);
      }
    }
    return text(round(exact, 17));
  }

  private static BigDecimal round(BigDecimal exact, int digits) {
    return exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
  }

  private static String text(BigDecimal value) {
    if (value.signum() == 0) {
      return "0.0";
    }
    BigDecimal stripped = value.stripTrailingZeros();
    String digits = stripped.unscaledValue().abs().toString();
    String sign = value.signum() < 0 ? "-" : "";
    long exponent = (long) digits.length() - 1 - stripped.scale();
    if (Math.abs(exponent) > CanonicalJson.MAX_EXPONENT) {
      throw new IllegalArgumentException("a number with the exponent " + exponent);
    }
    int point = (int) exponent + 1;
    if (exponent < POSITIONAL_FROM || exponent > POSITIONAL_TO) {
      String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
      return sign + digits.charAt(0) + fraction + "e" + exponent;
    }
    if (point <= 0) {
      return sign + "0." + "0".repeat(-point) + digits;
    }
    if (point >= digits.length()) {
      return sign + digits + "0".repeat(point - digits.length()) + ".0";
    }
    return sign + digits.substring(0, point) + "." + digits.substring(point);
  }

  private void string(String text) {
    put('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        asciiCharacter(c);
      } else if (c < 0x800) {
        put(0xC0 | (c >> 6));
        continuation(c, 0);
      } else if (!Character.isSurrogate(c)) {
        put(0xE0 | (c >> 12));
        continuation(c, 6);
        continuation(c, 0);
      } else {
        int codePoint = text.codePointAt(i);
        if (codePoint == c) {
          throw new IllegalArgumentException("a lone surrogate at character " + i + " of a string");
        }
        put(0xF0 | (codePoint >> 18));
        continuation(codePoint, 12);
        continuation(codePoint, 6);
        continuation(codePoint, 0);
        i++;
      }
    }
    put('"');
  }

  private void continuation(int codePoint, int shift) {
    put(0x80 | ((codePoint >> shift) & 0x3F));
  }

  private void asciiCharacter(char c) {
    switch (c) {
      case '"' -> ascii("\\\"");
      case '\\' -> ascii("\\\\");
      case '\b' -> ascii("\\b");
      case '\t' -> ascii("\\t");
      case '\n' -> ascii("\\n");
      case '\f' -> ascii("\\f");
      case '\r' -> ascii("\\r");
      default -> {
        if (c < 0x20) {
          ascii("\\u00");
          put(HEX.charAt(c >> 4));
          put(HEX.charAt(c & 0xF));
        } else {
          put(c);
        }
      }
    }
  }

  private void ascii(String text) {
    for (int i = 0; i < text.length(); i++) {
      put(text.charAt(i));
    }
  }

  /** UTF-16 would sort surrogates before U+E000 to U+FFFF; their code points come behind. */
  private static final Comparator<String> BY_CODE_POINT =
      (a, b) -> {
        int common = Math.min(a.length(), b.length());
        for (int i = 0; i < common; i++) {
          char x = a.charAt(i);
          char y = b.charAt(i);
          if (x != y) {
            boolean beyond = Character.isSurrogate(x);
            return beyond == Character.isSurrogate(y) ? x - y : beyond ? 1 : -1;
          }
        }
        return a.length() - b.length();
      };
}
