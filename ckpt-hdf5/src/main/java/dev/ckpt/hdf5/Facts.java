package dev.ckpt.hdf5;

import dev.ckpt.internal.shard.EscapedName;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The header's facts as attributes of the root group: {@code ckpt.<key>}, and the rest of a long
 * one in {@code ckpt.<key>#1}, {@code #2}, and so on.
 */
final class Facts {

  private static final EscapedName KEYS = new EscapedName("#");
  private static final List<String> OWN =
      List.of(Words.FORMAT, Words.REQUIRED_FEATURES, Words.BODY);

  private Facts() {}

  /**
   * @throws IllegalArgumentException if the key or the value cannot be described
   */
  static void encode(HeaderEncoder to, String key, String value) {
    String name = Words.PREFIX + KEYS.escape(key);
    if (OWN.contains(name)) {
      throw new IllegalArgumentException("the format keeps the header key '" + key + "'");
    }
    if (EscapedName.bytes(name) > Words.MAX_KEY_BYTES) {
      throw new IllegalArgumentException(
          "a header key has more than 16 KiB: '" + key.substring(0, 64) + "...'");
    }
    byte[] utf8 = Bytes.utf8(value);
    int piece = 0;
    int start = 0;
    do {
      int end = Math.min(start + Words.PIECE, utf8.length);
      while (end < utf8.length && (utf8[end] & 0xC0) == 0x80) {
        end--; // within a character
      }
      to.attribute(piece == 0 ? name : name + "#" + piece, Arrays.copyOfRange(utf8, start, end));
      start = end;
      piece++;
    } while (start < utf8.length);
  }

  /**
   * The facts that these attributes hold.
   *
   * @throws IllegalArgumentException if a name or a text is none
   */
  static SortedMap<String, String> decode(Map<String, ObjectHeader.Attribute> attributes) {
    SortedMap<String, String> facts = new TreeMap<>();
    attributes.forEach(
        (name, first) -> {
          if (!name.startsWith(Words.PREFIX) || name.contains("#") || OWN.contains(name)) {
            return;
          }
          StringBuilder value = new StringBuilder(first.text());
          ObjectHeader.Attribute more = attributes.get(name + "#1");
          for (int i = 2; more != null; i++) {
            value.append(more.text());
            more = attributes.get(name + "#" + i);
          }
          facts.put(KEYS.unescape(name.substring(Words.PREFIX.length())), value.toString());
        });
    return Collections.unmodifiableSortedMap(facts);
  }
}
