package dev.ckpt.hdf5;

import dev.ckpt.internal.shard.EscapedName;

/**
 * A part's or a tensor's name as that of a link. HDF5 keeps the slash for paths and the single dot
 * for the group itself, has no empty names, and the format keeps {@code #}. Escaped are what {@link
 * EscapedName} escapes, {@code #}, {@code /}, and a dot at the beginning; an empty name is a {@code
 * %}.
 */
final class LinkName {

  private static final EscapedName NAMES = new EscapedName("#/");
  private static final String EMPTY = "%";
  private static final String DOT = "%2E";

  private LinkName() {}

  static String escape(String name) {
    if (name.isEmpty()) {
      return EMPTY;
    }
    String escaped = NAMES.escape(name);
    return escaped.charAt(0) == '.' ? DOT + escaped.substring(1) : escaped;
  }

  /**
   * The name that {@link #escape} makes this of.
   *
   * @throws IllegalArgumentException if there is none
   */
  static String unescape(String link) {
    if (link.equals(EMPTY)) {
      return "";
    }
    if (link.startsWith(DOT)) {
      return "." + NAMES.unescape(link.substring(DOT.length()));
    }
    if (link.isEmpty() || link.charAt(0) == '.') {
      throw new IllegalArgumentException("no escaped name: '" + link + "'");
    }
    return NAMES.unescape(link);
  }
}
