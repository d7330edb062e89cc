package dev.ckpt.spi;

import dev.ckpt.ConfigException;
import java.util.Optional;
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

  /**
   * The listener that this section switches on for a run. Called at open, before the run is taken:
   * it does nothing before it is told of something.
   *
   * @param store of the manager; open until {@link CheckpointListener#closed} has returned
   * @param run name of the run
   */
  default Optional<CheckpointListener> listener(T section, CheckpointStore store, String run) {
    return Optional.empty();
  }

  /** What understands {@code resume:} references as this section says; goes before all others. */
  default Optional<CheckpointResolver> resolver(T section) {
    return Optional.empty();
  }
}
