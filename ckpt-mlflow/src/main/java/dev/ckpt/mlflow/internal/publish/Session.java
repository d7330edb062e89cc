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
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * One process that publishes a run: its workspace, its outbox, and, if a server is named, the
 * mirror on it. Held by one thread, which holds the workspace's lock.
 */
public final class Session implements AutoCloseable {
  private final Workspace workspace;
  private final Outbox outbox;
  private final LocalReports reports;
  private final Options options;
  private final @Nullable MlflowApi api;
  private final @Nullable Mirror mirror;
  private Target target;
  private String unlinked =
      "no MLflow server is named: set MLFLOW_TRACKING_URI, or mlflow.trackingUri in the config";
  private final Set<String> awaited = new HashSet<>();
  private String prepared = "";

  /**
   * @param server where to publish to; empty: only the local reports are written
   * @param asker who publishes
   * @param traffic told of each call to the server
   */
  public Session(
      Workspace workspace,
      Outbox outbox,
      CheckpointStore store,
      String run,
      Options options,
      Optional<String> server,
      Target.Asker asker,
      Traffic traffic)
      throws IOException {
    this.workspace = workspace;
    this.options = options;
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
    Optional<Target> before = workspace.target();
    Optional<String> named = tracking.map(Tracking::toString);
    this.target =
        Target.of(
            before, () -> Mirror.key(run, checkpoints.attempts()), run, options, named, asker);
    if (before.map(known -> known.mayBeReplaced(named, asker)).orElse(true)) {
      workspace.target(target);
    }
    if (tracking.isPresent()) {
      MlflowApi made = new MlflowApi(tracking.get(), options.timeout(), traffic);
      this.api = made;
      RemoteRun remote = new RemoteRun(made, target, subject, checkpoints::attempts, options);
      this.mirror =
          new Mirror(made, remote, subject, reports, store, options.shards(), outbox::dropped);
    } else {
      this.api = null;
      this.mirror = null;
    }
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
    Target shown;
    try {
      MlflowApi.Run found = shownAs.get();
      shown = target.shownAt(found.id(), shownAs.page(), found.experiment());
    } catch (MlflowException e) {
      throw e.kind() == MlflowException.Kind.NOT_FOUND && isRejoined() ? withWayOut(e) : e;
    }
    if (!shown.equals(target)) {
      target = shown;
      workspace.target(target);
    }
  }

  /** Whether a run is joined only because an earlier start has joined it. */
  private boolean isRejoined() {
    return target.runId().isPresent()
        && options.runId().isEmpty()
        && !options.joinedRun().equals(target.runId());
  }

  private MlflowException withWayOut(MlflowException gone) {
    return new MlflowException(
        gone.kind(),
        gone.getMessage()
            + ". Nobody names it now, an earlier start joined it: to have a run of our own, delete "
            + workspace.targetFile());
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
