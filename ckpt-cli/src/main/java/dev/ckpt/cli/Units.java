package dev.ckpt.cli;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Sizes and durations as they are written in a config file. */
final class Units {

  private Units() {}

  /** {@code 500MB}, {@code 2GiB}, bytes, or a size as the command prints it: {@code 2.09 MB}. */
  static final class Size implements ITypeConverter<Long> {
    private static final Pattern FORM =
        Pattern.compile("([0-9]{1,18}(?:\\.[0-9]{1,6})?) ?([kKMGTPE]i?B|B|)");

    @Override
    public Long convert(String text) {
      Matcher size = FORM.matcher(text);
      if (!size.matches()) {
        throw new TypeConversionException(
            "'" + text + "' is no size like 500MB, 1.5GB, 2GiB, 1048576");
      }
      String unit = size.group(2);
      int power =
          unit.length() < 2 ? 0 : "KMGTPE".indexOf(Character.toUpperCase(unit.charAt(0))) + 1;
      try {
        BigDecimal base = BigDecimal.valueOf(unit.contains("i") ? 1024 : 1000);
        BigDecimal bytes = new BigDecimal(size.group(1)).multiply(base.pow(power));
        return bytes.setScale(0, RoundingMode.DOWN).longValueExact();
      } catch (ArithmeticException e) {
        throw new TypeConversionException("'" + text + "' is more than there can be");
      }
    }
  }

  /** {@code 500ms}, {@code 30s}, {@code 5m}, {@code 1h}, {@code 2d}. */
  static final class Time implements ITypeConverter<Duration> {
    private static final Pattern FORM = Pattern.compile("([0-9]{1,9})(ms|s|m|h|d)");

    @Override
    public Duration convert(String text) {
      Matcher time = FORM.matcher(text);
      if (!time.matches()) {
        throw new TypeConversionException("'" + text + "' is no duration like 30s, 5m, 1h, 2d");
      }
      ChronoUnit unit =
          switch (time.group(2)) {
            case "ms" -> ChronoUnit.MILLIS;
            case "s" -> ChronoUnit.SECONDS;
            case "m" -> ChronoUnit.MINUTES;
            case "h" -> ChronoUnit.HOURS;
            default -> ChronoUnit.DAYS;
          };
      return Duration.of(Long.parseLong(time.group(1)), unit);
    }
  }
}
