package dev.ckpt.cli;

import dev.ckpt.CheckpointConfig;
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
    @Override
    public Long convert(String text) {
      try {
        return CheckpointConfig.bytes(text);
      } catch (IllegalArgumentException e) {
        throw new TypeConversionException(e.getMessage());
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
