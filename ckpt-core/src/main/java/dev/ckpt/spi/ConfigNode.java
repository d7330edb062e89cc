package dev.ckpt.spi;

import dev.ckpt.ConfigException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A value of a config and the place it comes from. Each reader throws a {@link ConfigException}
 * that names the place if the value is of another type or out of range. Immutable.
 */
public interface ConfigNode {

  /** The key with its parents: {@code save.everySteps}. */
  String path();

  /** The place, as {@link dev.ckpt.CheckpointConfig#origin} says it. */
  String origin();

  /** The keys of a mapping, in their order. */
  Set<String> keys();

  /** The value under a key of a mapping. */
  Optional<ConfigNode> get(String key);

  /** The value under a key of a mapping that must have it. */
  ConfigNode require(String key);

  /** The elements of a list; a single value is a list of one. */
  List<ConfigNode> list();

  /** A text that is not blank. */
  String string();

  /** {@code true} or {@code false}. */
  boolean bool();

  /** A whole number of this range, both ends included. */
  long integer(long min, long max);

  /**
   * A duration of this range: {@code 500ms}, {@code 30s}, {@code 5m}, {@code 1h}, {@code 2d} or
   * ISO-8601.
   */
  Duration duration(Duration min, Duration max);

  /** A number of bytes, at least {@code min}: {@code 1048576}, {@code 64KiB}, {@code 500MB}. */
  long bytes(long min);

  /** A constant's name in lower case. */
  <E extends Enum<E>> E oneOf(Class<E> type);

  /** An error about this value, ready to be thrown. */
  ConfigException error(String problem);
}
