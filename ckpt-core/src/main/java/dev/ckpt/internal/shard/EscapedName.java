package dev.ckpt.internal.shard;

import java.nio.charset.StandardCharsets;

/**
 * A tensor's name as a format may write it: UTF-8, without control characters and without the
 * characters that the format keeps for itself. Escaped as {@code %XX}, byte for byte of their UTF-8
 * form: {@code %}, the kept ones, control characters (U+0000-001F, U+007F-009F) and, as three
 * bytes, surrogates that stand alone, which Java strings may hold and UTF-8 may not. Everything
 * else stands as it is.
 */
public final class EscapedName {

  private static final String HEX = "0123456789ABCDEF";

  private final String kept;

  /**
   * @param kept ASCII characters that the format keeps for itself
   */
  public EscapedName(String kept) {
    this.kept = kept;
  }

  /** The name as it is written. */
  public String escape(String name) {
    StringBuilder escaped = null;
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      boolean pair =
          Character.isHighSurrogate(c)
              && i + 1 < name.length()
              && Character.isLowSurrogate(name.charAt(i + 1));
      boolean plain =
          pair
              || !(c == '%'
                  || kept.indexOf(c) >= 0
                  || Character.isISOControl(c)
                  || Character.isSurrogate(c));
      if (plain && escaped == null) {
        i += pair ? 1 : 0;
        continue;
      }
      if (escaped == null) {
        escaped = new StringBuilder(name.length() + 16).append(name, 0, i);
      }
      if (pair) {
        escaped.append(c).append(name.charAt(++i));
      } else if (plain) {
        escaped.append(c);
      } else if (c < 0x80) {
        hex(escaped, c);
      } else if (c < 0x800) {
        hex(escaped, 0xC0 | (c >> 6));
        hex(escaped, 0x80 | (c & 0x3F));
      } else {
        hex(escaped, 0xE0 | (c >> 12));
        hex(escaped, 0x80 | ((c >> 6) & 0x3F));
        hex(escaped, 0x80 | (c & 0x3F));
      }
    }
    return escaped == null ? name : escaped.toString();
  }

  private static void hex(StringBuilder into, int value) {
    into.append('%').append(HEX.charAt(value >> 4)).append(HEX.charAt(value & 0xF));
  }

  /**
   * The name that {@link #escape} makes this of.
   *
   * @throws IllegalArgumentException if there is none
   */
  public String unescape(String escaped) {
    StringBuilder name = new StringBuilder(escaped.length());
    for (int i = 0; i < escaped.length(); ) {
      char c = escaped.charAt(i);
      if (c != '%') {
        name.append(c);
        i++;
        continue;
      }
      int first = unhex(escaped, i);
      int length = first < 0x80 ? 1 : first < 0xE0 ? 2 : 3;
      int value = length == 1 ? first : first & (length == 2 ? 0x1F : 0x0F);
      for (int k = 1; k < length; k++) {
        value = (value << 6) | (unhex(escaped, i + 3 * k) & 0x3F);
      }
      name.append((char) value);
      i += 3 * length;
    }
    String unescaped = name.toString();
    if (!escape(unescaped).equals(escaped)) {
      throw new IllegalArgumentException("no escaped name: '" + escaped + "'");
    }
    return unescaped;
  }

  private static int unhex(String escaped, int at) {
    int high = at + 2 < escaped.length() ? HEX.indexOf(escaped.charAt(at + 1)) : -1;
    int low = high >= 0 ? HEX.indexOf(escaped.charAt(at + 2)) : -1;
    if (low < 0 || escaped.charAt(at) != '%') {
      throw new IllegalArgumentException("no escaped name: '" + escaped + "'");
    }
    return (high << 4) | low;
  }

  /** Size on disk in bytes. */
  public static int bytes(String escaped) {
    return escaped.getBytes(StandardCharsets.UTF_8).length;
  }
}
