package dev.ckpt.mlflow.internal.report;

import java.util.Locale;

/** Text as HTML, and numbers as text. */
final class Html {

  /** How many colours the style sheet has for lines. */
  static final int COLOURS = 6;

  private Html() {}

  /** A text that stays one, in an element or a quoted attribute. */
  static String text(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '&' -> out.append("&amp;");
                case '<' -> out.append("&lt;");
                case '>' -> out.append("&gt;");
                case '"' -> out.append("&quot;");
                case '\'' -> out.append("&#39;");
                default -> {
                  // controls, halves of surrogate pairs, and what turns the direction of text
                  boolean safe =
                      c >= 0x20
                          && !(c >= 0x7f && c < 0xa0)
                          && !(c >= 0xd800 && c < 0xe000)
                          && !(c >= 0x202a && c <= 0x202e)
                          && !(c >= 0x2066 && c <= 0x2069);
                  out.appendCodePoint(safe ? c : 0xfffd);
                }
              }
            });
    return out.toString();
  }

  /** A number with as many digits as help. */
  static String number(double value) {
    if (!Double.isFinite(value)) {
      return Double.isNaN(value) ? "NaN" : value > 0 ? "∞" : "-∞";
    }
    double size = Math.abs(value);
    if (value == Math.rint(value) && size < 1e7) {
      return String.format(Locale.ROOT, "%,.0f", value);
    }
    if (size < 1e-3 || size >= 1e7) {
      // 2.5e-5, without the zeros that a format fills it up with
      String[] parts = String.format(Locale.ROOT, "%.3e", value).split("e", 2);
      return trimmed(parts[0]) + "e" + Integer.parseInt(parts[1]);
    }
    return trimmed(
        String.format(Locale.ROOT, size < 1 ? "%.5f" : size < 100 ? "%.4f" : "%.2f", value));
  }

  private static String trimmed(String digits) {
    return digits.contains(".") ? digits.replaceAll("0+$", "").replaceAll("\\.$", "") : digits;
  }

  static String bytes(double bytes) {
    String[] units = {"B", "kB", "MB", "GB", "TB", "PB"};
    int unit = 0;
    double value = bytes;
    while (value >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit++;
    }
    String form = unit == 0 || value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f";
    return trimmed(String.format(Locale.ROOT, form, value)) + " " + units[unit];
  }

  static String millis(double millis) {
    if (Double.isNaN(millis)) {
      return "–";
    }
    return millis >= 1000
        ? trimmed(String.format(Locale.ROOT, "%.2f", millis / 1000)) + " s"
        : trimmed(String.format(Locale.ROOT, millis < 10 ? "%.2f" : "%.0f", millis)) + " ms";
  }

  static String percent(double share) {
    double value = share * 100;
    return !Double.isFinite(value)
        ? number(value)
        : value >= 1000 || value != 0 && value < 0.001
            ? String.format(Locale.ROOT, "%.1e %%", value)
            : trimmed(String.format(Locale.ROOT, value < 1 ? "%.3f" : "%.1f", value)) + " %";
  }
}
