package dev.ckpt.internal.config;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * A key of the config. {@code docs/config.md} describes each; a test holds the two together.
 *
 * @param path the key with its parents
 * @param standard what holds if nothing is given
 */
record ConfigKey(String path, Optional<String> standard) {

  static final List<ConfigKey> ALL =
      List.of(
          key("store", "./checkpoints"),
          key("run"),
          key("resume", "auto"),
          key("seed"),
          key("format", "arrow"),
          key("save.everySteps"),
          key("save.every", "5m"),
          key("save.everyEpoch", "true"),
          key("save.onStop", "true"),
          key("save.onException", "true"),
          key("save.onCompletion", "true"),
          key("keep.latest", "3"),
          key("keep.best.metric"),
          key("keep.best.mode"),
          key("keep.best.n", "1"),
          key("keep.every"),
          key("restoreBest"),
          key("initFrom.store"),
          key("initFrom.run"),
          key("initFrom.checkpoint"),
          key("initFrom.include"),
          key("initFrom.exclude"),
          key("initFrom.rename"),
          key("initFrom.freeze"),
          key("initFrom.strict"),
          key("maxBytes"),
          key("staging.budget", "auto"),
          key("deadline", "60s"),
          key("stopGrace", "25s"),
          key("retries", "2"),
          key("onFailure", "warn"),
          key("nonFinite", "warn"),
          key("crashLoop", "3"),
          key("takeOver", "false"));

  private static ConfigKey key(String path) {
    return new ConfigKey(path, Optional.empty());
  }

  private static ConfigKey key(String path, String standard) {
    return new ConfigKey(path, Optional.of(standard));
  }

  /** The environment variable of a key: {@code CKPT_SAVE_EVERY_STEPS} of save.everySteps. */
  static String variable(String path) {
    return "CKPT_"
        + path.replace('.', '_').replaceAll("([a-z0-9])([A-Z])", "$1_$2").toUpperCase(Locale.ROOT);
  }

  /** The names that may stand right under a mapping, in order; {@code ""} is the top level. */
  static List<String> under(String parent) {
    String prefix = parent.isEmpty() ? "" : parent + ".";
    return ALL.stream()
        .map(ConfigKey::path)
        .filter(path -> path.startsWith(prefix))
        .map(path -> path.substring(prefix.length()).split("\\.", 2)[0])
        .distinct()
        .toList();
  }
}
