package dev.ckpt;

import dev.ckpt.internal.config.BestBy;
import dev.ckpt.internal.config.ConfigReader;
import dev.ckpt.internal.config.Quantities;
import dev.ckpt.internal.config.Settings;
import dev.ckpt.internal.config.Sources;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointResolver;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ConfigSection;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.ServiceLoader;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/**
 * What is configured: code wins over the environment, the environment over the file, the file over
 * the defaults. {@code docs/config.md} lists the keys. The variable of a key is {@code CKPT_} and
 * the key in upper case with underscores: {@code CKPT_SAVE_EVERY_STEPS} of {@code save.everySteps};
 * an empty variable counts as not set. Immutable.
 */
public final class CheckpointConfig {

  private final Sources sources;
  private final List<ConfigSection<?>> installed = new ArrayList<>();
  private final Settings settings;

  private CheckpointConfig(Sources sources) {
    ServiceLoader.load(ConfigSection.class).forEach(installed::add);
    this.sources = sources;
    this.settings = ConfigReader.read(sources, installed);
  }

  /**
   * Reads a YAML file and the process's environment.
   *
   * @throws ConfigException if one of them is wrong, or the file cannot be read
   */
  public static CheckpointConfig load(Path file) {
    return load(file, System.getenv());
  }

  /**
   * Reads a YAML file and an environment. An empty file is as good as none.
   *
   * @throws ConfigException if one of them is wrong, or the file cannot be read
   */
  public static CheckpointConfig load(Path file, Map<String, String> environment) {
    return new CheckpointConfig(Sources.of(file, environment));
  }

  /**
   * No file: the process's environment and the defaults.
   *
   * @throws ConfigException if a variable is wrong
   */
  public static CheckpointConfig defaults() {
    return defaults(System.getenv());
  }

  /**
   * No file: an environment and the defaults.
   *
   * @throws ConfigException if a variable is wrong
   */
  public static CheckpointConfig defaults(Map<String, String> environment) {
    return new CheckpointConfig(Sources.withoutFile(environment));
  }

  /**
   * The same with one value set by code, which wins over all else.
   *
   * @param key with its parents: {@code save.everySteps}
   * @param value as it would stand in the file; a relative path is relative to the working
   *     directory
   * @throws ConfigException if there is no such key, or the value is wrong
   */
  public CheckpointConfig with(String key, String value) {
    return new CheckpointConfig(sources.with(key, value));
  }

  /** Where checkpoints live: an absolute path, or a URI as it was given. */
  public String store() {
    return settings.store();
  }

  /** The name of the run; empty: derived by the program. */
  public Optional<String> run() {
    return settings.run();
  }

  /** How to start. */
  public Resume resume() {
    return settings.resume();
  }

  /** The seed; empty: drawn once for a run. */
  public OptionalLong seed() {
    return settings.seed();
  }

  /** The name of the shard format. Whether it is there turns out at open. */
  public String format() {
    return settings.format();
  }

  /** When to save. */
  public SaveTrigger saveWhen() {
    return settings.saveWhen();
  }

  /** What to keep. */
  public Retention keep() {
    return settings.keep();
  }

  /** Whose weights a training ends with; empty: the last ones. */
  Optional<BestBy> restoreBest() {
    return settings.restoreBest();
  }

  /** What a new run begins with; empty: fresh weights. */
  public Optional<InitFrom> initFrom() {
    return settings.initFrom();
  }

  /** The most bytes that the shards of all runs of the store may hold together; empty: any. */
  public OptionalLong maxBytes() {
    return settings.maxBytes();
  }

  /** The most bytes of off-heap staging buffers; empty: chosen by the manager. */
  public OptionalLong stagingBudget() {
    return settings.stagingBudget();
  }

  /** The longest that anything waits for a save. */
  public Duration deadline() {
    return settings.deadline();
  }

  /** How long the exit is held after a SIGTERM; zero: not at all. */
  public Duration stopGrace() {
    return settings.stopGrace();
  }

  /** How often a failed write is tried again. */
  public int retries() {
    return settings.retries();
  }

  /** What a save that failed for good does. */
  public FailurePolicy onFailure() {
    return settings.onFailure();
  }

  /** What happens to a checkpoint with a NaN or an infinity. */
  public NonFinitePolicy nonFinite() {
    return settings.nonFinite();
  }

  /** How many failures of the same kind in a row stop a start; 0: none do. */
  public int crashLoop() {
    return settings.crashLoop();
  }

  /** Whether to take the run over from another process that holds it. */
  public boolean takeOver() {
    return settings.takeOver();
  }

  /**
   * Reads a size as a config file does: {@code 500MB}, {@code 1.5GB}, {@code 10 MB}, {@code 2GiB},
   * or bytes.
   *
   * @throws IllegalArgumentException if it is none, or more than 8 EiB - 1
   */
  public static long bytes(String size) {
    return Quantities.bytes(size)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'"
                        + size
                        + "' is no size like 500MB, 1.5GB, 2GiB, 1048576, or more than there can"
                        + " be"));
  }

  /** What an optional module read from its section; empty if nothing is given there. */
  public <T> Optional<T> section(Class<T> type) {
    return Optional.ofNullable(settings.sections().get(type)).map(type::cast);
  }

  /**
   * Where a value comes from: {@code code}, {@code environment CKPT_RUN}, {@code ckpt.yaml:3}, or
   * {@code default}.
   *
   * @param key with its parents: {@code save.everySteps}; {@code keep.best[0].metric} in a list
   * @throws IllegalArgumentException if there is no such key
   */
  public String origin(String key) {
    Settings.Value value = settings.values().get(key);
    if (value == null) {
      throw new IllegalArgumentException(
          "no key '" + key + "' in this config, only " + settings.values().keySet());
    }
    return value.origin();
  }

  /** What sections switch on for a run. */
  List<CheckpointListener> listeners(CheckpointStore store, String run) {
    return fromSections((section, value) -> ask(section, value, store, run));
  }

  /** What sections know of references. */
  List<CheckpointResolver> resolvers() {
    return fromSections(CheckpointConfig::ask);
  }

  private static <T> Optional<CheckpointListener> ask(
      ConfigSection<T> section, Object value, CheckpointStore store, String run) {
    return section.listener(section.type().cast(value), store, run);
  }

  private static <T> Optional<CheckpointResolver> ask(ConfigSection<T> section, Object value) {
    return section.resolver(section.type().cast(value));
  }

  private <R> List<R> fromSections(BiFunction<ConfigSection<?>, Object, Optional<R>> ask) {
    List<R> all = new ArrayList<>();
    for (ConfigSection<?> section : installed) {
      Object value = settings.sections().get(section.type());
      if (value != null) {
        ask.apply(section, value).ifPresent(all::add);
      }
    }
    return all;
  }

  /** Each value and where it came from, by key. */
  Map<String, Settings.Value> values() {
    return settings.values();
  }

  /** One line {@code key = value (origin)} for each key. */
  public String describe() {
    return settings.values().entrySet().stream()
        .map(
            entry ->
                entry.getKey()
                    + " = "
                    + entry.getValue().text().orElse("(none)")
                    + "  ("
                    + entry.getValue().origin()
                    + ")\n")
        .collect(Collectors.joining());
  }
}
