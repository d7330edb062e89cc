package dev.ckpt.internal.config;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers with units. Empty means: not of this form, or too large for its type. */
public final class Quantities {

  private static final Pattern DURATION = Pattern.compile("([0-9]{1,18})(ms|s|m|h|d)");
  private static final Pattern SIZE =
      Pattern.compile("([0-9]{1,18}(?:\\.[0-9]{1,6})?) ?([kKMGTPE]i?B|B|)");
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

  /** A size as {@code ckpt} prints it, too: {@code 2.09 MB}; a fraction of a byte is cut off. */
  public static Optional<Long> bytes(String text) {
    Matcher size = SIZE.matcher(text);
    if (!size.matches()) {
      return Optional.empty();
    }
    String unit = size.group(2);
    int power = unit.length() < 2 ? 0 : "KMGTPE".indexOf(Character.toUpperCase(unit.charAt(0))) + 1;
    BigDecimal base = BigDecimal.valueOf(unit.contains("i") ? 1024 : 1000);
    BigDecimal bytes = new BigDecimal(size.group(1)).multiply(base.pow(power));
    try {
      return Optional.of(bytes.setScale(0, RoundingMode.DOWN).longValueExact());
    } catch (ArithmeticException e) {
      return Optional.empty();
    }
  }
}
