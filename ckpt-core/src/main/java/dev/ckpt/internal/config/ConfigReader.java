package dev.ckpt.internal.config;

import dev.ckpt.CheckpointException;
import dev.ckpt.ConfigException;
import dev.ckpt.FailurePolicy;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveTrigger;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.spi.ConfigNode;
import dev.ckpt.spi.ConfigSection;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns sources into settings: one typed reader for each key. */
public final class ConfigReader {

  private static final Logger LOG = LoggerFactory.getLogger("dev.ckpt.config");
  private static final Set<String> WARNED = ConcurrentHashMap.newKeySet();

  /** Sections of modules that exist but may be absent. */
  private static final Map<String, String> MODULES =
      Map.of(
          "mlflow", "dev.ckpt:ckpt-mlflow",
          "s3", "dev.ckpt:ckpt-s3",
          "spark", "dev.ckpt:ckpt-spark",
          "dl4j", "dev.ckpt:ckpt-dl4j");

  private static final String BEST = "keep.best";
  private static final Pattern RUN = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}");
  private static final Pattern URI = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:.*");
  private static final Duration FOREVER = Duration.ofDays(36_500);

  private final Sources sources;
  private final List<ConfigSection<?>> installed;
  private final Map<String, Settings.Value> values = new LinkedHashMap<>();
  private final List<BestBy> kept = new ArrayList<>();

  private ConfigReader(Sources sources, List<ConfigSection<?>> installed) {
    this.sources = sources;
    this.installed = installed;
  }

  /**
   * Reads and checks every value; warns once of each variable that is none of ours.
   *
   * @throws ConfigException naming the place of the first wrong one
   */
  public static Settings read(Sources sources, List<ConfigSection<?>> installed) {
    ConfigReader reader = new ConfigReader(sources, installed);
    for (String unknown : reader.unknownVariables()) {
      if (WARNED.add(unknown)) {
        LOG.warn(
            "{} is set, but is no setting of ckpt{}",
            unknown,
            Suggestion.nearest(unknown, reader.variables())
                .map(meant -> ": did you mean " + meant + "?")
                .orElse(""));
      }
    }
    return reader.settings();
  }

  private Settings settings() {
    checkKeys();
    return new Settings(
        store(),
        optional("run", this::run),
        value("resume", ConfigReader::resume),
        optionalLong(optional("seed", node -> node.integer(Long.MIN_VALUE, Long.MAX_VALUE))),
        value("format", ConfigReader::format),
        saveWhen(),
        keep(),
        restoreBest(),
        new InitFromReader(sources, values::put).read(this::place, this::run),
        optionalLong(optional("maxBytes", node -> node.bytes(1))),
        value("staging.budget", ConfigReader::budget),
        value("deadline", node -> node.duration(Duration.ofMillis(1), Duration.ofDays(1))),
        value("stopGrace", node -> node.duration(Duration.ZERO, Duration.ofDays(1))),
        value("retries", node -> (int) node.integer(0, 100)),
        value("onFailure", node -> node.oneOf(FailurePolicy.class)),
        value("nonFinite", node -> node.oneOf(NonFinitePolicy.class)),
        value("crashLoop", node -> (int) node.integer(0, 1_000_000)),
        value("takeOver", ConfigNode::bool),
        sections(),
        Collections.unmodifiableMap(values));
  }

  private static String format(ConfigNode node) {
    String name = node.string();
    try {
      new Formats().named(name);
      return name;
    } catch (CheckpointException.Incompatible e) {
      throw node.error("must be one that is there: " + e.getMessage());
    }
  }

  private void checkKeys() {
    LocatedNode root = sources.tree();
    Set<String> top = new LinkedHashSet<>(ConfigKey.under(""));
    installed.forEach(section -> top.add(section.name()));
    root.keyPlaces()
        .forEach(
            (key, place) -> {
              String module = MODULES.get(key);
              if (module != null && !top.contains(key)) {
                throw new ConfigException(
                    place,
                    "the section '" + key + "' needs " + module + ": add it to the class path");
              }
            });
    root.allow(top);
    for (String parent : List.of("save", "keep", "staging")) {
      sources.inFile(parent).ifPresent(node -> node.allow(ConfigKey.under(parent)));
    }
    Set<String> keys = new LinkedHashSet<>();
    ConfigKey.ALL.forEach(key -> keys.add(key.path()));
    installed.forEach(s -> s.keys().forEach(key -> keys.add(s.name() + "." + key)));
    for (String path : sources.code().keySet()) {
      if (!keys.contains(path)) {
        throw new ConfigException("code", "unknown key '" + path + "' (allowed: " + keys + ")");
      }
    }
  }

  private String store() {
    return value("store", this::place);
  }

  /** A path in the file belongs to its folder. */
  private String place(ConfigNode node) {
    String text = node.string();
    if (URI.matcher(text).matches()) {
      return text;
    }
    boolean outside = sources.outside(node.path()).isPresent();
    Path folder = outside ? Path.of("").toAbsolutePath() : sources.folder();
    try {
      Path path = folder.resolve(text);
      // a/../b is not b if a is a symbolic link
      return (text.contains("..") ? path : path.normalize()).toString();
    } catch (InvalidPathException e) {
      throw node.error("is no path and no URI: " + e.getMessage());
    }
  }

  private String run(ConfigNode node) {
    String name = node.string();
    if (!RUN.matcher(name).matches()) {
      throw node.error(
          "must be up to 128 of A-Z a-z 0-9 . _ - and begin with no dot, not '" + name + "'");
    }
    return name;
  }

  private static Resume resume(ConfigNode node) {
    try {
      return Resume.parse(node.string());
    } catch (ConfigException e) {
      throw e;
    } catch (IllegalArgumentException e) {
      throw node.error(String.valueOf(e.getMessage()));
    }
  }

  private static OptionalLong budget(ConfigNode node) {
    return node.string().equals("auto")
        ? OptionalLong.empty()
        : OptionalLong.of(node.bytes(1 << 20));
  }

  private SaveTrigger saveWhen() {
    List<SaveTrigger> triggers = new ArrayList<>();
    Optional<Long> steps = optional("save.everySteps", node -> node.integer(1, Long.MAX_VALUE));
    steps.map(SaveTrigger::everySteps).ifPresent(triggers::add);
    Function<ConfigNode, Duration> interval = node -> node.duration(Duration.ofMillis(1), FOREVER);
    boolean chosen = steps.isPresent() || sources.inFile("save").isPresent();
    Optional<Duration> every =
        chosen ? optional("save.every", interval) : Optional.of(value("save.every", interval));
    every.map(SaveTrigger::every).ifPresent(triggers::add);
    Map<String, SaveTrigger> switches = new LinkedHashMap<>();
    switches.put("save.everyEpoch", SaveTrigger.everyEpoch());
    switches.put("save.onStop", SaveTrigger.onStop());
    switches.put("save.onException", SaveTrigger.onException());
    switches.put("save.onCompletion", SaveTrigger.onCompletion());
    switches.forEach(
        (path, trigger) -> {
          if (value(path, ConfigNode::bool)) {
            triggers.add(trigger);
          }
        });
    return SaveTrigger.anyOf(triggers.toArray(SaveTrigger[]::new));
  }

  private Retention keep() {
    List<Retention> policies = new ArrayList<>();
    policies.add(Retention.latest(value("keep.latest", ConfigReader::count)));
    kept.addAll(best());
    kept.stream().map(BestBy::policy).forEach(policies::add);
    optional(
            "keep.every",
            node -> {
              Duration every = node.duration(Duration.ofSeconds(1), FOREVER);
              if (every.toNanosPart() != 0) {
                throw node.error("must be whole seconds, not '" + node.string() + "'");
              }
              return Retention.every(every);
            })
        .ifPresent(policies::add);
    return Retention.anyOf(policies.toArray(Retention[]::new));
  }

  /** Reads what {@link #keep} has read, too. */
  private Optional<BestBy> restoreBest() {
    return optional(
        "restoreBest",
        node -> {
          try {
            return BestBy.parse(node.string(), kept);
          } catch (ConfigException e) {
            throw e;
          } catch (IllegalArgumentException e) {
            throw node.error(String.valueOf(e.getMessage()));
          }
        });
  }

  private List<BestBy> best() {
    Optional<LocatedNode> inFile = sources.inFile(BEST);
    if (inFile.isPresent() && inFile.get().kind() == LocatedNode.Kind.LIST) {
      return bestList(inFile.get());
    }
    inFile.ifPresent(node -> node.allow(ConfigKey.under(BEST)));
    Optional<String> metric = optional(BEST + ".metric", ConfigNode::string);
    Optional<Retention.Mode> mode =
        optional(BEST + ".mode", node -> node.oneOf(Retention.Mode.class));
    int n = value(BEST + ".n", ConfigReader::count);
    if (metric.isPresent() && mode.isPresent()) {
      return List.of(new BestBy(metric.get(), mode.get(), n));
    }
    for (String key : ConfigKey.under(BEST)) {
      Optional<LocatedNode> given = inFile.or(() -> sources.outside(BEST + "." + key));
      if (given.isPresent()) {
        String missing = metric.isEmpty() ? "metric" : "mode (max or min)";
        throw new ConfigException(
            given.get().where(), BEST + " needs both metric and mode: add " + missing);
      }
    }
    return List.of();
  }

  private List<BestBy> bestList(LocatedNode list) {
    List<BestBy> policies = new ArrayList<>();
    for (String key : ConfigKey.under(BEST)) {
      sources
          .outside(BEST + "." + key)
          .ifPresent(
              node -> {
                throw node.error("cannot change the list at " + list.where() + ": edit it there");
              });
    }
    for (LocatedNode entry : list.elements()) {
      entry.allow(ConfigKey.under(BEST));
      ConfigNode metric = entry.require("metric");
      ConfigNode mode = entry.require("mode");
      Optional<ConfigNode> n = entry.get("n");
      String path = entry.path();
      policies.add(
          new BestBy(
              metric.string(),
              mode.oneOf(Retention.Mode.class),
              n.map(ConfigReader::count).orElse(1)));
      note(path + ".metric", metric);
      note(path + ".mode", mode);
      n.ifPresent(node -> note(path + ".n", node));
    }
    return policies;
  }

  private static int count(ConfigNode node) {
    return (int) node.integer(1, 1_000_000);
  }

  private Map<Class<?>, Object> sections() {
    Map<Class<?>, Object> sections = new HashMap<>();
    for (ConfigSection<?> section : installed) {
      Optional<LocatedNode> inFile = sources.inFile(section.name());
      inFile.ifPresent(node -> node.allow(new TreeSet<>(section.keys())));
      Map<String, LocatedNode> children = new LinkedHashMap<>();
      for (String key : new TreeSet<>(section.keys())) {
        sources.find(section.name() + "." + key).ifPresent(node -> children.put(key, node));
      }
      if (inFile.isPresent() || !children.isEmpty()) {
        LocatedNode merged =
            LocatedNode.map(
                section.name(),
                inFile.map(LocatedNode::where).orElse("section " + section.name()),
                inFile.map(LocatedNode::origin).orElse("environment"),
                children,
                Map.of());
        sections.put(section.type(), section.parse(merged));
        children.values().stream()
            .filter(node -> node.kind() == LocatedNode.Kind.SCALAR)
            .forEach(node -> note(node.path(), node));
      }
    }
    return Map.copyOf(sections);
  }

  private <T> T value(String path, Function<ConfigNode, T> read) {
    ConfigNode node =
        sources
            .find(path)
            .orElseGet(() -> LocatedNode.scalar(path, "default", "default", standard(path)));
    T value = read.apply(node);
    note(path, node);
    return value;
  }

  private static String standard(String path) {
    return ConfigKey.ALL.stream()
        .filter(key -> key.path().equals(path))
        .flatMap(key -> key.standard().stream())
        .findFirst()
        .orElseThrow(() -> new AssertionError(path + " has no default"));
  }

  private <T> Optional<T> optional(String path, Function<ConfigNode, T> read) {
    if (sources.find(path).isPresent()) {
      return Optional.of(value(path, read));
    }
    values.put(path, new Settings.Value(Optional.empty(), "default"));
    return Optional.empty();
  }

  private void note(String path, ConfigNode node) {
    values.put(path, new Settings.Value(Optional.of(node.string()), node.origin()));
  }

  private static OptionalLong optionalLong(Optional<Long> value) {
    return value.isPresent() ? OptionalLong.of(value.get()) : OptionalLong.empty();
  }

  private Set<String> variables() {
    Set<String> variables = new TreeSet<>();
    ConfigKey.ALL.forEach(key -> variables.add(ConfigKey.variable(key.path())));
    installed.forEach(
        s -> s.keys().forEach(k -> variables.add(ConfigKey.variable(s.name() + "." + k))));
    return variables;
  }

  /** Variables that look like ours but are not. */
  private Set<String> unknownVariables() {
    Set<String> unknown = new TreeSet<>(sources.environment().keySet());
    unknown.removeIf(name -> !name.startsWith("CKPT_"));
    unknown.removeAll(variables());
    return unknown;
  }
}
