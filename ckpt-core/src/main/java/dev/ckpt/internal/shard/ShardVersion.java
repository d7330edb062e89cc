package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import java.util.regex.Pattern;

/** The name and version that a shard bears: {@code ckpt-arrow/1}, or {@code ckpt-arrow/1.7}. */
public final class ShardVersion {

  private static final Pattern NUMBER = Pattern.compile("0|[1-9][0-9]{0,18}");

  private ShardVersion() {}

  /**
   * Accepts any minor number of a major that is known.
   *
   * @param format as the file says, beginning with {@code name} and a slash
   * @param major the newest that can be read
   * @throws CheckpointException.Incompatible if it is newer
   * @throws CheckpointException.Corrupt if it never existed
   * @throws IllegalArgumentException if it is no number
   */
  public static void require(String file, String format, String name, int major) {
    String version = format.substring(name.length() + 1);
    String wanted = version.contains(".") ? version.substring(0, version.indexOf('.')) : version;
    long number = number(wanted);
    if (number > major) {
      throw new CheckpointException.Incompatible(
          file
              + " has format version "
              + version
              + ", this program reads up to "
              + major
              + ": use the version of ckpt that wrote it, or a newer one");
    }
    if (number < 1) {
      throw new CheckpointException.Corrupt(
          file + " is no shard: format version " + version + " never existed");
    }
  }

  /** The error of a file that names features; version 1 has none. */
  public static CheckpointException.Incompatible unknownFeatures(String file, String features) {
    return new CheckpointException.Incompatible(
        file
            + " needs the features "
            + features
            + ", which this program does not have: use a newer version of ckpt");
  }

  /**
   * A number as written by {@link Long#toString(long)}, not negative.
   *
   * @throws IllegalArgumentException if it is none
   */
  public static long number(String digits) {
    if (!NUMBER.matcher(digits).matches()) {
      throw new IllegalArgumentException("no number: " + digits);
    }
    return Long.parseLong(digits);
  }
}
