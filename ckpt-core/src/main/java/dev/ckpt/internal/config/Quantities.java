package dev.ckpt.internal.config;

import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers with units. Empty means: not of this form, or too large for its type. */
final class Quantities {

  private static final Pattern DURATION = Pattern.compile("([0-9]{1,18})(ms|s|m|h|d)");
  private static final Pattern SIZE = Pattern.compile("([0-9]{1,18}) ?([KMGT]i?B|B|)");
  private static final Map<String, ChronoUnit> TIME =
      Map.of(
          "ms", ChronoUnit.MILLIS,
          "s", ChronoUnit.SECONDS,
          "m", ChronoUnit.MINUTES,
          "h", ChronoUnit.HOURS,
          "d", ChronoUnit.DAYS);

  private Quantities() {}

  static Optional<Duration> duration(String text) {
    Matcher matcher = DURATION.matcher(text);
    try {
      if (matcher.matches()) {
        return Optional.of(
            Duration.of(Long.parseLong(matcher.group(1)), TIME.get(matcher.group(2))));
      }
      return text.startsWith("P") ? Optional.of(Duration.parse(text)) : Optional.empty();
    } catch (ArithmeticException | DateTimeParseException e) {
      return Optional.empty();
    }
  }

  static Optional<Long> bytes(String text) {
    Matcher matcher = SIZE.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String unit = matcher.group(2);
    int power = unit.length() < 2 ? 0 : "KMGT".indexOf(unit.charAt(0)) + 1;
    long base = unit.contains("i") ? 1024 : 1000;
    try {
      long bytes = Long.parseLong(matcher.group(1));
      for (int i = 0; i < power; i++) {
        bytes = Math.multiplyExact(bytes, base);
      }
      return Optional.of(bytes);
    } catch (ArithmeticException e) {
      return Optional.empty();
    }
  }
}
