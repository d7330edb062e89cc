package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.outbox.Outbox;
import dev.ckpt.mlflow.internal.report.Subject;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.mlflow.internal.rest.Tracking;
import dev.ckpt.mlflow.internal.rest.Traffic;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One process that publishes a run: its workspace, its outbox, and, if a server is named, the
 * mirror on it. Held by one thread, which holds the workspace's lock.
 */
public final class Session implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Session.class);

  private final Workspace workspace;
  private final Outbox outbox;
  private final LocalReports reports;
  private final @Nullable MlflowApi api;
  private final @Nullable Mirror mirror;
  private Target target;
  private String unlinked =
      "no MLflow server is named: set MLFLOW_TRACKING_URI, or mlflow.trackingUri in the config";
  private final Set<String> awaited = new HashSet<>();
  private String prepared = "";

  /**
   * @param server where to publish to; empty: only the local reports are written
   * @param traffic told of each call to the server
   */
  public Session(
      Workspace workspace,
      Outbox outbox,
      CheckpointStore store,
      String run,
      Options options,
      Optional<String> server,
      Traffic traffic)
      throws IOException {
    this.workspace = workspace;
    this.outbox = outbox;
    Subject subject = new Subject(store.uri().toString(), run);
    Checkpoints checkpoints = Checkpoints.read(store, run);
    this.reports = new LocalReports(workspace, subject, checkpoints, options.norms());
    Optional<Tracking> tracking = Optional.empty();
    if (server.isPresent()) {
      try {
        tracking = Optional.of(Tracking.of(server.get(), options.environment()));
      } catch (IllegalArgumentException e) {
        unlinked = "nothing is published to MLflow: " + e.getMessage();
      }
    }
    this.target =
        target(workspace.target(), checkpoints, run, options, tracking.map(Tracking::toString));
    workspace.target(target);
    if (tracking.isPresent()) {
      MlflowApi made = new MlflowApi(tracking.get(), options.timeout(), traffic);
      this.api = made;
      this.mirror =
          new Mirror(made, target, subject, reports, store, options.shards(), outbox::dropped);
    } else {
      this.api = null;
      this.mirror = null;
    }
  }

  /** What is said now goes before what was remembered; the key stays. */
  private static Target target(
      Optional<Target> before,
      Checkpoints checkpoints,
      String run,
      Options options,
      Optional<String> server) {
    String key = before.map(Target::key).orElseGet(() -> Mirror.key(run, checkpoints.attempts()));
    return new Target(
        key,
        server.or(() -> before.flatMap(Target::trackingUri)),
        options
            .runId()
            .or(() -> options.variable("MLFLOW_RUN_ID"))
            .or(() -> before.flatMap(Target::runId)),
        options
            .experiment()
            .or(() -> options.variable("MLFLOW_EXPERIMENT_NAME"))
            .or(() -> before.flatMap(Target::experiment)),
        options.experiment().isPresent()
            ? Optional.empty()
            : options
                .variable("MLFLOW_EXPERIMENT_ID")
                .or(() -> before.flatMap(Target::experimentId)),
        options.runName().or(() -> before.map(Target::runName)).orElse(run),
        options.parentRun().or(() -> before.flatMap(Target::parentRun)),
        before.flatMap(Target::page),
        before.map(Target::experiments).orElse(List.of()));
  }

  /** Whether a server is named. */
  public boolean isLinked() {
    return mirror != null;
  }

  /** Writes the local reports of all that waits, whatever the server does. */
  void prepare() throws IOException {
    for (Optional<Outbox.Entry> next = outbox.after(prepared);
        next.isPresent();
        next = outbox.after(prepared)) {
      Event event = next.get().event();
      if (event instanceof Event.Committed committed) {
        reports.prepare(committed.checkpoint(), committed.cost());
        awaited.add(committed.checkpoint().id());
      } else if (event instanceof Event.Deleted deleted) {
        reports.deleted(deleted.id());
      }
      prepared = next.get().name();
    }
  }

  /** The end of what is prepared. */
  String prepared() {
    return prepared;
  }

  /**
   * Finds or makes the run. Apart from the events: a server that will not have it refuses none of
   * them.
   */
  public void connect() throws IOException {
    RemoteRun shownAs = mirror().run();
    Target shown = target.shownAt(shownAs.page(), shownAs.get().experiment());
    if (!shown.equals(target)) {
      target = shown;
      workspace.target(target);
    }
  }

  /** Whether the server answers to something else, asked anew. */
  public boolean answers() {
    try {
      mirror().run().forget();
      mirror().run().get();
      return true;
    } catch (MlflowException e) {
      return false;
    }
  }

  /** Publishes one event. */
  public void publish(Event event) throws IOException {
    mirror().publish(event, this::awaited);
    if (event instanceof Event.Committed committed) {
      awaited.remove(committed.checkpoint().id());
    }
  }

  /** Checkpoints whose own event comes, and knows more of them than the store. */
  private Set<String> awaited() throws IOException {
    prepare();
    return awaited;
  }

  /** Says what is said once all is through. */
  public void finish() throws IOException {
    mirror().finish();
  }

  /** The address of the run's page, once there was one. */
  public Optional<String> page() {
    return target.page();
  }

  /** The model of a checkpoint, published if it was not. */
  public MlflowApi.Model model(Checkpoint checkpoint) throws IOException {
    return mirror().model(checkpoint);
  }

  public MlflowApi api() throws MlflowException {
    MlflowApi known = api;
    if (known == null) {
      throw noServer();
    }
    return known;
  }

  private Mirror mirror() throws MlflowException {
    Mirror known = mirror;
    if (known == null) {
      throw noServer();
    }
    return known;
  }

  private MlflowException noServer() {
    return new MlflowException(MlflowException.Kind.FORBIDDEN, unlinked);
  }

  /** Why no server is linked, for people. */
  String unlinked() {
    return unlinked;
  }

  /** Says what the attempts say of the run. */
  void describe() throws IOException {
    mirror().describe();
  }

  /** How many models were removed from the server. */
  int removed() {
    return mirror == null ? 0 : mirror.removed();
  }

  @Override
  public void close() {
    if (api != null) {
      api.close();
    }
  }
}
