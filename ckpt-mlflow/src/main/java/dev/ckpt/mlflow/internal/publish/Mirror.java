package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.mlflow.internal.outbox.Event;
import dev.ckpt.mlflow.internal.report.ManifestFile;
import dev.ckpt.mlflow.internal.report.Row;
import dev.ckpt.mlflow.internal.report.Subject;
import dev.ckpt.mlflow.internal.rest.Artifacts;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.SaveCost;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes what a server shows equal to what happened: one event at a time, each as often as wanted.
 *
 * <p>Nothing is created before it was searched for by our own tag, times are those of the events,
 * and a deletion removes the model last. So an event that was cut short anywhere, or was published
 * and comes again, ends in the same state. One thread at a time.
 */
final class Mirror {
  private static final Logger log = LoggerFactory.getLogger(Mirror.class);

  private static final String TABLES_TAG = "mlflow.loggedArtifacts";
  static final String LATEST_TAG = "ckpt.latest";

  /** Saves that failed are shown, but a store that fails all night must not fill the server. */
  private static final int MOST_FAILED = 20;

  private final MlflowApi api;
  private final Subject subject;
  private final RemoteRun run;
  private final RemoteModels models;
  private final LocalReports reports;
  private final LongSupplier dropped;
  private final Checkpoints checkpoints;
  private final Optional<ShardUpload> shards;

  /** Checkpoints that are in the store and do not read: nobody can resume from them. */
  private final Set<String> unreadable = new HashSet<>();

  private boolean tableIsOld = true;
  private boolean told;

  /** The run that shows all that the store has; empty before the first comparison. */
  private String complete = "";

  /** How many events had been dropped when the store was last compared for that. */
  private long looked;

  /**
   * @param dropped how many events the outbox has lost by now
   */
  Mirror(
      MlflowApi api,
      RemoteRun run,
      Subject subject,
      LocalReports reports,
      CheckpointStore store,
      boolean withShards,
      LongSupplier dropped) {
    this.api = api;
    this.subject = subject;
    this.reports = reports;
    this.dropped = dropped;
    this.checkpoints = Checkpoints.read(store, subject.run());
    this.run = run;
    this.models = new RemoteModels(api, run);
    this.shards =
        withShards ? Optional.of(new ShardUpload(api, store, subject.run())) : Optional.empty();
  }

  RemoteRun run() {
    return run;
  }

  /** How many models were removed. */
  int removed() {
    return models.removed();
  }

  /** What is read from a disk. */
  @FunctionalInterface
  interface Read<T> {
    T get() throws IOException;
  }

  /**
   * Publishes an event.
   *
   * @param awaited checkpoints whose events come later
   */
  void publish(Event event, Read<Set<String>> awaited) throws IOException {
    try {
      // somebody deleted the run, or the server lost it: the new one lacks what was there before
      boolean lost = !complete.isEmpty() && !complete.equals(run.get().id());
      if (lost || event instanceof Event.Opened) {
        describe();
        reconcile(awaited);
      }
      if (event instanceof Event.Committed committed) {
        committed(committed.checkpoint(), committed.cost());
      } else if (event instanceof Event.Failed failed) {
        failed(failed);
      } else if (event instanceof Event.Deleted deleted) {
        deleted(deleted.id());
      } else if (event instanceof Event.Closed) {
        describe();
      }
    } catch (MlflowException e) {
      if (!e.isPassing()) {
        run.forget();
      }
      throw e;
    }
  }

  /** Says what the attempts say of the run. */
  void describe() throws IOException {
    run.settings(reports.structure());
    run.status();
  }

  /**
   * What is said once many events are through: the table of those that are there, and the newest.
   */
  void finish() throws IOException {
    if (dropped.getAsLong() > looked) {
      // events of what is still in the store may be among them
      reconcile(Set::of);
    }
    if (!tableIsOld) {
      return;
    }
    MlflowApi.Run remote = run.get();
    List<Row> present = reports.present().stream().filter(row -> !row.model().isEmpty()).toList();
    if (Artifacts.isProxied(remote.artifacts())) {
      api.artifacts().put(remote.artifacts(), table(), ManifestFile.table(present));
      tables(remote);
    }
    Optional<Row> latest =
        present.stream()
            .filter(Row::finite)
            .filter(row -> !unreadable.contains(row.id()))
            .reduce((first, second) -> second);
    if (latest.isPresent()) {
      api.runTag(
          remote.id(),
          run.named(LATEST_TAG),
          latest.get().id() + " mlflow:" + latest.get().model());
    }
    long lost = dropped.getAsLong();
    if (lost > 0) {
      api.runTag(remote.id(), run.named("ckpt.dropped"), Long.toString(lost));
    }
    tableIsOld = false;
  }

  private String table() throws MlflowException {
    return run.named("checkpoints") + ".json";
  }

  /** Our table beside those that the user's program has logged. */
  private void tables(MlflowApi.Run remote) throws MlflowException {
    String others = remote.tags().getOrDefault(TABLES_TAG, "");
    if (others.contains("\"" + table() + "\"")) {
      return;
    }
    String ours = "{\"path\":\"" + table() + "\",\"type\":\"table\"}";
    String list = others.strip();
    String merged =
        list.startsWith("[") && list.endsWith("]") && !list.matches("\\[\\s*\\]")
            ? list.substring(0, list.length() - 1) + "," + ours + "]"
            : "[" + ours + "]";
    api.runTag(remote.id(), TABLES_TAG, merged);
    remote.tags().put(TABLES_TAG, merged);
  }

  // ---- one checkpoint

  private void committed(Checkpoint checkpoint, Optional<SaveCost> cost) throws IOException {
    LocalReports.Outcome outcome = read(checkpoint, cost);
    Map<String, byte[]> files = reports.files(checkpoint.id());
    MlflowApi.Run remote = run.get();
    if (reports.row(checkpoint.id()).map(Row::deleted).orElse(false)) {
      // retention was quicker: its values stay in the curves of the run
      api.metrics(remote.id(), metrics(checkpoint), Optional.empty());
      return;
    }
    MlflowApi.Model model = findOrCreate(remote, checkpoint);
    api.metrics(remote.id(), metrics(checkpoint), Optional.of(model.id()));
    upload(model, files);
    if (shards.isPresent() && outcome == LocalReports.Outcome.WHOLE) {
      shards.get().upload(checkpoint.id(), model);
    }
    boolean whole = outcome == LocalReports.Outcome.WHOLE;
    String remark =
        !whole
            ? "It was committed and does not read back: nothing is resumed from it."
            : checkpoint.finite() ? "" : "It holds NaN or infinite values.";
    api.modelTags(
        model.id(),
        Map.of(
            RemoteModels.NOTE,
            Texts.description(subject, checkpoint, model.id(), remark),
            RemoteModels.COMMITTED_TAG,
            checkpoint.committedAt().toString()));
    api.modelStatus(model.id(), whole);
    reports.published(checkpoint.id(), model.id());
    tableIsOld = true;
  }

  private LocalReports.Outcome read(Checkpoint checkpoint, Optional<SaveCost> cost) {
    LocalReports.Outcome outcome = reports.prepare(checkpoint, cost);
    if (outcome == LocalReports.Outcome.DAMAGED) {
      unreadable.add(checkpoint.id());
    } else {
      unreadable.remove(checkpoint.id());
    }
    return outcome;
  }

  private MlflowApi.Model findOrCreate(MlflowApi.Run remote, Checkpoint checkpoint)
      throws MlflowException {
    Optional<MlflowApi.Model> there =
        models.find(checkpoint.id(), Optional.of(checkpoint.committedAt()));
    MlflowApi.Model model =
        there.isPresent()
            ? there.get()
            : api.createModel(
                remote,
                Texts.modelName(checkpoint.progress()),
                Texts.modelParams(subject, checkpoint),
                models.tags(checkpoint.id()));
    api.output(remote.id(), model.id(), checkpoint.progress().step());
    return model;
  }

  private List<MlflowApi.Metric> metrics(Checkpoint checkpoint) {
    Instant at = checkpoint.committedAt();
    long step = checkpoint.progress().step();
    Map<String, Double> values = new TreeMap<>();
    checkpoint.metrics().forEach((name, value) -> values.put(Texts.key(name), value));
    values.put("ckpt.bytes", (double) checkpoint.bytes());
    reports
        .row(checkpoint.id())
        .ifPresent(
            row -> {
              putKnown(values, "ckpt.stall_ms", row.stallMillis());
              putKnown(values, "ckpt.write_ms", row.writeMillis());
              if (checkpoint.finite()) {
                putKnown(values, "ckpt.norm", row.norm());
              } else {
                values.put("ckpt.norm", Double.NaN);
              }
            });
    List<MlflowApi.Metric> all = new ArrayList<>();
    values.forEach((name, value) -> all.add(new MlflowApi.Metric(name, value, at, step)));
    return all;
  }

  private static void putKnown(Map<String, Double> values, String name, double value) {
    if (!Double.isNaN(value)) {
      values.put(name, value);
    }
  }

  private void upload(MlflowApi.Model model, Map<String, byte[]> files) throws MlflowException {
    if (Artifacts.isProxied(model.artifacts())) {
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        api.artifacts().put(model.artifacts(), file.getKey(), file.getValue());
      }
    } else if (!told) {
      told = true;
      log.warn(
          "MLflow at {} keeps artifacts where only its own clients can write ({}): report.html and"
              + " manifest.json are not uploaded. Start it with --serve-artifacts",
          api.tracking(),
          model.artifacts().split(":", 2)[0]);
    }
  }

  private void failed(Event.Failed failed) throws IOException {
    if (committed(traces()).containsKey(failed.id())) {
      return; // it was tried again, or the commit had happened
    }
    MlflowApi.Run remote = run.get();
    Optional<MlflowApi.Model> there = models.find(failed.id(), Optional.empty());
    MlflowApi.Model model;
    if (there.isPresent()) {
      model = there.get();
    } else {
      Map<String, String> params = new LinkedHashMap<>();
      params.put("id", failed.id());
      params.put("run", subject.run());
      params.put("step", Long.toString(failed.progress().step()));
      params.put("failure", Texts.param(failed.reason()));
      model =
          api.createModel(
              remote, Texts.modelName(failed.progress()), params, models.tags(failed.id()));
    }
    api.output(remote.id(), model.id(), failed.progress().step());
    api.modelTags(
        model.id(), Map.of(RemoteModels.NOTE, Texts.failure(failed.id(), failed.reason())));
    api.modelStatus(model.id(), false);
  }

  /** A checkpoint is gone from the store. */
  private void deleted(String id) throws MlflowException {
    Optional<Row> known = reports.row(id);
    reports.deleted(id);
    tableIsOld = true;
    models.deleted(id, known);
  }

  // ---- all

  /** What the store has and the server lacks, and the other way round. */
  private void reconcile(Read<Set<String>> awaited) throws IOException {
    long lost = dropped.getAsLong(); // what is dropped from here on is not seen by this look
    MlflowApi.Run remote = run.get();
    Map<String, List<MlflowApi.Model>> shown = models.all();
    Map<String, ListedCheckpoint> traces = traces();
    Map<String, Checkpoint> local = committed(traces);
    Set<String> later = awaited.get();
    traces.keySet().stream().filter(id -> isUnreadable(id, traces)).forEach(unreadable::add);
    for (Checkpoint checkpoint : local.values()) {
      if (!later.contains(checkpoint.id())) {
        shown(remote, checkpoint, shown.getOrDefault(checkpoint.id(), List.of()));
      }
    }
    List<MlflowApi.Model> failed = new ArrayList<>();
    int foreign = 0;
    for (Map.Entry<String, List<MlflowApi.Model>> each : shown.entrySet()) {
      for (MlflowApi.Model model : each.getValue()) {
        Checkpoint there = local.get(each.getKey());
        if (there != null && RemoteModels.isOf(model, there.committedAt())) {
          continue;
        }
        if (model.status().endsWith("UPLOAD_FAILED")) {
          failed.add(model);
        } else if (isUnreadable(each.getKey(), traces)) {
          log.debug("{} is in the store and cannot be read: its model stays", each.getKey());
        } else if (wasHere(each.getKey(), model, traces)) {
          reports.deleted(each.getKey());
          models.remove(model);
        } else if (model.run().equals(remote.id())) {
          foreign++;
        }
      }
    }
    if (foreign > 0) {
      log.warn(
          "{} model(s) of run '{}' in MLflow are of checkpoints that this store has no trace of, and"
              + " stay: another copy of the store publishes there, too. Give this one a run of its"
              + " own by mlflow.runId, or let one of them publish",
          foreign,
          subject.run());
    }
    for (Row row : reports.present()) {
      if (!local.containsKey(row.id()) && !isUnreadable(row.id(), traces)) {
        reports.deleted(row.id());
      }
    }
    models.keepNewest(failed, MOST_FAILED);
    tableIsOld = true;
    complete = remote.id();
    looked = lost;
  }

  /** Makes a run show a checkpoint, whatever run its model was made by. */
  private void shown(MlflowApi.Run remote, Checkpoint checkpoint, List<MlflowApi.Model> there)
      throws IOException {
    Optional<MlflowApi.Model> ready =
        there.stream()
            .filter(MlflowApi.Model::isReady)
            .filter(model -> model.experiment().equals(remote.experiment()))
            .filter(model -> RemoteModels.isOf(model, checkpoint.committedAt()))
            .findFirst();
    if (ready.isEmpty()) {
      committed(checkpoint, Optional.empty());
      return;
    }
    // after a lost workspace: what is published is known again, and has its local report
    read(checkpoint, Optional.empty());
    MlflowApi.Model model = ready.get();
    if (!model.run().equals(remote.id())) {
      api.output(remote.id(), model.id(), checkpoint.progress().step());
      api.metrics(remote.id(), metrics(checkpoint), Optional.of(model.id()));
    }
    reports.published(checkpoint.id(), model.id());
  }

  /**
   * Whether a checkpoint that is not in the store once was. What another copy of the store has
   * published must not go because this one never had it.
   */
  private boolean wasHere(String id, MlflowApi.Model model, Map<String, ListedCheckpoint> traces) {
    Optional<Row> row = reports.row(id);
    return row.isPresent() ? RemoteModels.isOf(model, row.get().at()) : traces.containsKey(id);
  }

  /** Whether it is in the store and cannot be read: repaired, or by a newer version, it can. */
  private static boolean isUnreadable(String id, Map<String, ListedCheckpoint> traces) {
    ListedCheckpoint trace = traces.get(id);
    return trace != null
        && switch (trace.standing()) {
          case DAMAGED, NEWER, UNDECIDED -> true;
          case LIVE, DEAD_BRANCH, UNKNOWN, ABORTED, DELETED, QUARANTINED -> false;
        };
  }

  /** Every id that the store has a trace of. */
  private Map<String, ListedCheckpoint> traces() {
    Map<String, ListedCheckpoint> all = new TreeMap<>();
    checkpoints.all().forEach(each -> all.put(each.id(), each));
    return all;
  }

  /** All that are committed and not deleted, by id, whatever branch they lie on. */
  private static Map<String, Checkpoint> committed(Map<String, ListedCheckpoint> traces) {
    Map<String, Checkpoint> all = new TreeMap<>();
    for (ListedCheckpoint each : traces.values()) {
      boolean there =
          switch (each.standing()) {
            case LIVE, DEAD_BRANCH, UNKNOWN -> true;
            case ABORTED, UNDECIDED, DELETED, DAMAGED, NEWER, QUARANTINED -> false;
          };
      if (there) {
        each.checkpoint().ifPresent(checkpoint -> all.put(each.id(), checkpoint));
      }
    }
    return all;
  }

  /** The model of a checkpoint, which is published if it is not. */
  MlflowApi.Model model(Checkpoint checkpoint) throws IOException {
    Optional<Instant> at = Optional.of(checkpoint.committedAt());
    Optional<MlflowApi.Model> there = models.find(checkpoint.id(), at);
    if (there.isPresent() && there.get().isReady()) {
      return there.get();
    }
    committed(checkpoint, Optional.empty());
    return models
        .find(checkpoint.id(), at)
        .filter(MlflowApi.Model::isReady)
        .orElseThrow(
            () ->
                new MlflowException(
                    MlflowException.Kind.NOT_FOUND,
                    checkpoint.id() + " was deleted or damaged while it was published"));
  }

  /**
   * The key of a run: the same wherever its store is moved to, another one for every other run.
   *
   * @param attempts of the run, oldest first
   */
  static String key(String run, List<Attempt> attempts) {
    String first =
        attempts.stream()
            .filter(each -> each.number() == 1)
            .flatMap(each -> each.startedAt().stream())
            .map(Instant::toString)
            .findFirst()
            .orElse("");
    String host = attempts.isEmpty() ? "" : attempts.get(0).provenance().getOrDefault("host", "");
    return Workspace.digest(run + "\n" + first + "\n" + host).substring(0, 32);
  }
}
