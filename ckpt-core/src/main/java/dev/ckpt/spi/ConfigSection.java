package dev.ckpt.spi;

import dev.ckpt.ConfigException;
import java.util.Set;

/**
 * A top-level section of the config that an optional module reads, such as {@code mlflow:}. Found
 * by {@link java.util.ServiceLoader}; the parsed value is {@link
 * dev.ckpt.CheckpointConfig#section}. Its scalars can come from the environment too: {@code
 * trackingUri} of {@code mlflow} from {@code CKPT_MLFLOW_TRACKING_URI}.
 *
 * <p>{@link dev.ckpt.CheckpointConfig#describe} prints the values: credentials belong elsewhere.
 *
 * @param <T> what the section is parsed to; immutable
 */
public interface ConfigSection<T> {

  /** The key at the top level of the file. */
  String name();

  /** The keys that the section may hold; all others are refused before {@link #parse}. */
  Set<String> keys();

  /** The type that {@link #parse} returns. */
  Class<T> type();

  /**
   * Reads the section. Called only if the file or the environment gives at least one of its keys.
   *
   * @throws ConfigException made by {@link ConfigNode#error}
   */
  T parse(ConfigNode section);
}
