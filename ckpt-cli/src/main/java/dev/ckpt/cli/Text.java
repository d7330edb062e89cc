package dev.ckpt.cli;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Values as a person reads them. */
final class Text {

  private static final String[] SIZES = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

  private static final String FILE = "file:///";
  private static final Pattern FILE_URI = Pattern.compile(FILE + "[^\\s'\")]*");

  private Text() {}

  /** Bytes with three digits and a unit of powers of 1000: {@code 1.23 MB}. */
  static String size(long bytes) {
    if (bytes < 1000) {
      return bytes + " B";
    }
    double value = bytes;
    int unit = 0;
    // 999.5 would be printed as 1000
    while (value >= 999.5 && unit < SIZES.length - 1) {
      value /= 1000;
      unit++;
    }
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return String.format(Locale.ROOT, "%." + decimals + "f %s", value, SIZES[unit]);
  }

  /** The largest unit that fits, and the next: {@code 45 s}, {@code 3 min}, {@code 2 h 10 min}. */
  static String duration(Duration duration) {
    long seconds = Math.max(0, duration.toSeconds());
    if (seconds < 60) {
      return seconds + " s";
    }
    if (seconds < 3600) {
      return seconds / 60 + " min";
    }
    if (seconds < 86_400) {
      long minutes = seconds % 3600 / 60;
      return seconds / 3600 + " h" + (minutes == 0 ? "" : " " + minutes + " min");
    }
    long hours = seconds % 86_400 / 3600;
    return seconds / 86_400 + " d" + (hours == 0 ? "" : " " + hours + " h");
  }

  /** Time since then; clocks of other machines may be ahead. */
  static String age(Instant then, Instant now) {
    return duration(Duration.between(then, now));
  }

  /** A moment in UTC, to the second. */
  static String moment(Instant moment) {
    return moment.truncatedTo(ChronoUnit.SECONDS).toString().replace('T', ' ');
  }

  /** At most six digits: {@code 0.25}, {@code 1.5e-07}. */
  static String number(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.toString(value);
    }
    if (value == Math.rint(value) && Math.abs(value) < 1e6) {
      return Long.toString((long) value);
    }
    double size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6) {
      String text = String.format(Locale.ROOT, "%.5e", value);
      int exponent = text.indexOf('e');
      return trimmed(text.substring(0, exponent)) + text.substring(exponent);
    }
    int whole = (int) Math.floor(Math.log10(size)) + 1;
    return trimmed(String.format(Locale.ROOT, "%." + Math.max(1, 6 - whole) + "f", value));
  }

  /** A decimal shortened, an integer exact. */
  static String of(Number number) {
    return number instanceof Double decimal ? number(decimal) : number.toString();
  }

  private static String trimmed(String decimal) {
    if (!decimal.contains(".")) {
      return decimal;
    }
    String shorter = decimal;
    while (shorter.endsWith("0")) {
      shorter = shorter.substring(0, shorter.length() - 1);
    }
    return shorter.endsWith(".") ? shorter.substring(0, shorter.length() - 1) : shorter;
  }

  /** A ratio that is neither 0 nor 1 never reads as 0 or 100 percent. */
  static String percent(long part, long whole) {
    if (part == 0 || part == whole) {
      return part == 0 ? "0 %" : "100 %";
    }
    double percent = 100.0 * part / whole;
    if (percent < 0.1) {
      return percent < 0.01 ? "<0.01 %" : String.format(Locale.ROOT, "%.2f %%", percent);
    }
    return String.format(Locale.ROOT, "%.1f %%", Math.min(99.9, percent));
  }

  /** {@code 1 run}, {@code 2 runs}. */
  static String count(long number, String thing) {
    return number + " " + thing + (number == 1 ? "" : "s");
  }

  /** The constant of an enum as a word: {@code dead branch}. */
  static String word(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  /** The constant of an enum in JSON: {@code dead_branch}. */
  static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  /** As the shell takes it for one word. */
  static String quoted(String word) {
    return word.matches("[A-Za-z0-9_./:=@%+,-]+") ? word : "'" + word.replace("'", "'\\''") + "'";
  }

  /** With the URIs of folders as the paths that a person typed: no {@code %20}. */
  static String withPaths(String text) {
    return text.contains(FILE)
        ? FILE_URI.matcher(text).replaceAll(uri -> Matcher.quoteReplacement(path(uri.group())))
        : text;
  }

  private static String path(String uri) {
    try {
      // not URLDecoder, which takes a plus for a blank
      return new URI(uri).getPath();
    } catch (URISyntaxException e) {
      return uri;
    }
  }

  /**
   * Without line breaks or anything else that would move a terminal's cursor, and with paths
   * instead of their URIs.
   */
  static String oneLine(String raw) {
    String text = withPaths(raw);
    StringBuilder line = new StringBuilder(text.length());
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\n' || c == '\t') {
        line.append(' ');
      } else if (Character.isISOControl(c) || Character.getType(c) == Character.FORMAT) {
        line.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
      } else if (c != '\r') {
        line.append(c);
      }
    }
    return line.toString();
  }

  /**
   * Lines of at most that width, broken between words; a word that is longer is broken after a
   * slash, as a path is, or else where it must be.
   */
  static List<String> wrapped(String text, int most) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.split("(?<= )|(?<=/)", -1)) {
      if (width(line) + width(word.stripTrailing()) > most && !line.isEmpty()) {
        lines.add(line.toString().stripTrailing());
        line.setLength(0);
      }
      line.append(word);
      while (width(line.toString().stripTrailing()) > most) {
        int end = line.offsetByCodePoints(0, most);
        lines.add(line.substring(0, end));
        line.delete(0, end);
      }
    }
    if (!line.isEmpty() || lines.isEmpty()) {
      lines.add(line.toString().stripTrailing());
    }
    return lines;
  }

  /** How many characters a terminal shows. */
  static int width(CharSequence text) {
    return Character.codePointCount(text, 0, text.length());
  }

  /** The beginning of a long text. */
  static String shortened(String text, int most) {
    return text.length() <= most ? text : text.substring(0, most - 3) + "...";
  }
}
