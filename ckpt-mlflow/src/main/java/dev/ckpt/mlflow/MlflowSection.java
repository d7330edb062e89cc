package dev.ckpt.mlflow;

import dev.ckpt.mlflow.internal.publish.Publisher;
import dev.ckpt.mlflow.internal.rest.Tracking;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointResolver;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ConfigNode;
import dev.ckpt.spi.ConfigSection;
import java.net.URI;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** {@code mlflow:} in the config. Found by {@link java.util.ServiceLoader}. */
public final class MlflowSection implements ConfigSection<MlflowSettings> {
  private static final Pattern ID = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,255}");
  private static final List<String> KEYS =
      List.of(
          "enabled",
          "trackingUri",
          "experiment",
          "runId",
          "runName",
          "parentRun",
          "outbox",
          "outboxEntries",
          "timeout",
          "drain",
          "norms",
          "shards");

  private final Map<String, String> environment;

  /** Reads the process's environment for what MLflow's own clients read from it. */
  public MlflowSection() {
    this(System.getenv());
  }

  MlflowSection(Map<String, String> environment) {
    this.environment = Map.copyOf(environment);
  }

  @Override
  public String name() {
    return "mlflow";
  }

  @Override
  public Set<String> keys() {
    return new TreeSet<>(KEYS);
  }

  @Override
  public Class<MlflowSettings> type() {
    return MlflowSettings.class;
  }

  @Override
  public MlflowSettings parse(ConfigNode section) {
    MlflowSettings standard = MlflowSettings.defaults();
    return new MlflowSettings(
        section.get("enabled").map(ConfigNode::bool).orElse(standard.enabled()),
        section.get("trackingUri").map(MlflowSection::trackingUri),
        section.get("experiment").map(ConfigNode::string),
        section.get("runId").map(MlflowSection::id),
        section.get("runName").map(ConfigNode::string),
        section.get("parentRun").map(MlflowSection::id),
        section.get("outbox").map(MlflowSection::folder),
        section
            .get("outboxEntries")
            .map(node -> (int) node.integer(10, 1_000_000))
            .orElse(standard.outboxEntries()),
        section
            .get("timeout")
            .map(node -> node.duration(Duration.ofMillis(100), Duration.ofMinutes(10)))
            .orElse(standard.timeout()),
        section
            .get("drain")
            .map(node -> node.duration(Duration.ZERO, Duration.ofHours(1)))
            .orElse(standard.drain()),
        section.get("norms").map(ConfigNode::bool).orElse(standard.norms()),
        section.get("shards").map(ConfigNode::bool).orElse(standard.shards()));
  }

  private static String trackingUri(ConfigNode node) {
    String text = node.string();
    try {
      String open = Tracking.open(text);
      if (URI.create(text.strip()).getRawUserInfo() != null) {
        throw node.error(
            "must hold no user and no password: set MLFLOW_TRACKING_USERNAME and"
                + " MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment");
      }
      return open;
    } catch (dev.ckpt.ConfigException e) {
      throw e;
    } catch (IllegalArgumentException e) {
      throw node.error(String.valueOf(e.getMessage()));
    }
  }

  private static String id(ConfigNode node) {
    String text = node.string();
    if (!ID.matcher(text).matches()) {
      throw node.error("must be the id of a run, as its page shows it, not '" + text + "'");
    }
    return text;
  }

  private static Path folder(ConfigNode node) {
    String text = node.string();
    try {
      Path path = Path.of(text);
      if (path.isAbsolute()) {
        return path.normalize();
      }
    } catch (InvalidPathException e) {
      // said below
    }
    throw node.error("must be an absolute path, not '" + text + "'");
  }

  @Override
  public Optional<CheckpointListener> listener(
      MlflowSettings settings, CheckpointStore store, String run) {
    return settings.enabled()
        ? Optional.of(
            new Publisher(
                store,
                run,
                MlflowRuns.options(settings, environment),
                Publisher.Patience.standard(),
                InstantSource.system()))
        : Optional.empty();
  }

  @Override
  public Optional<CheckpointResolver> resolver(MlflowSettings settings) {
    return Optional.of(new MlflowResolver(settings, environment));
  }
}
