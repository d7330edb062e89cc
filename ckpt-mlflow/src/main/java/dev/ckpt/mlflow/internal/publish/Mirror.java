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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
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

  /** Tells a checkpoint's model from every other. */
  static final String CHECKPOINT_TAG = "ckpt.checkpoint";

  /** Ids of two runs may be equal; the moments of their commits are not. */
  static final String COMMITTED_TAG = "ckpt.committedAt";

  private static final String NOTE = "mlflow.note.content";
  private static final String TABLE = "checkpoints.json";
  private static final String TABLES_TAG = "mlflow.loggedArtifacts";
  static final String LATEST_TAG = "ckpt.latest";

  /** Saves that failed are shown, but a store that fails all night must not fill the server. */
  private static final int MOST_FAILED = 20;

  private final MlflowApi api;
  private final Target target;
  private final Subject subject;
  private final RemoteRun run;
  private final LocalReports reports;
  private final Checkpoints checkpoints;
  private final Optional<ShardUpload> shards;
  private boolean tableIsOld = true;
  private boolean told;

  Mirror(
      MlflowApi api,
      Target target,
      Subject subject,
      LocalReports reports,
      CheckpointStore store,
      boolean withShards) {
    this.api = api;
    this.target = target;
    this.subject = subject;
    this.reports = reports;
    this.checkpoints = Checkpoints.read(store, subject.run());
    this.run = new RemoteRun(api, target, subject, checkpoints::attempts);
    this.shards =
        withShards ? Optional.of(new ShardUpload(api, store, subject.run())) : Optional.empty();
  }

  RemoteRun run() {
    return run;
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
    if (event instanceof Event.Opened) {
      run.settings(reports.structure());
      run.status();
      reconcile(awaited);
    } else if (event instanceof Event.Committed committed) {
      committed(committed.checkpoint(), committed.cost());
    } else if (event instanceof Event.Failed failed) {
      failed(failed);
    } else if (event instanceof Event.Deleted deleted) {
      deleted(deleted.id());
    } else {
      run.settings(reports.structure());
      run.status();
    }
  }

  /**
   * What is said once many events are through: the table of those that are there, and the newest.
   */
  void finish(long dropped) throws IOException {
    if (!tableIsOld) {
      return;
    }
    MlflowApi.Run remote = run.get();
    List<Row> present = reports.present().stream().filter(row -> !row.model().isEmpty()).toList();
    if (Artifacts.isProxied(remote.artifacts())) {
      api.artifacts().put(remote.artifacts(), TABLE, ManifestFile.table(present));
      tables(remote);
    }
    Optional<Row> latest = present.stream().filter(Row::finite).reduce((first, second) -> second);
    if (latest.isPresent()) {
      api.runTag(remote.id(), LATEST_TAG, latest.get().id() + " mlflow:" + latest.get().model());
    }
    if (dropped > 0) {
      api.runTag(remote.id(), "ckpt.dropped", Long.toString(dropped));
    }
    tableIsOld = false;
  }

  /** Our table beside those that the user's program has logged. */
  private void tables(MlflowApi.Run remote) throws MlflowException {
    String others = remote.tags().getOrDefault(TABLES_TAG, "");
    if (others.contains("\"" + TABLE + "\"")) {
      return;
    }
    String ours = "{\"path\":\"" + TABLE + "\",\"type\":\"table\"}";
    String list = others.strip();
    String merged =
        list.startsWith("[") && list.endsWith("]") && !list.matches("\\[\\s*\\]")
            ? list.substring(0, list.length() - 1) + "," + ours + "]"
            : "[" + ours + "]";
    api.runTag(remote.id(), TABLES_TAG, merged);
    remote.tags().put(TABLES_TAG, merged);
  }

  // ---- one checkpoint

  private String tag(String id) {
    return target.key() + "/" + id;
  }

  private Optional<MlflowApi.Model> find(String id) throws MlflowException {
    List<MlflowApi.Model> all = api.models(run.get().experiment(), CHECKPOINT_TAG, tag(id));
    // two only if two processes published at once, in spite of the lock: on two machines
    for (MlflowApi.Model surplus : all.subList(Math.min(1, all.size()), all.size())) {
      remove(surplus);
    }
    return all.stream().findFirst();
  }

  private void committed(Checkpoint checkpoint, Optional<SaveCost> cost) throws IOException {
    LocalReports.Outcome outcome = reports.prepare(checkpoint, cost);
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
            NOTE,
            Texts.description(subject, checkpoint, model.id(), remark),
            COMMITTED_TAG,
            checkpoint.committedAt().toString()));
    api.modelStatus(model.id(), whole);
    reports.published(checkpoint.id(), model.id());
    tableIsOld = true;
  }

  private MlflowApi.Model findOrCreate(MlflowApi.Run remote, Checkpoint checkpoint)
      throws MlflowException {
    Optional<MlflowApi.Model> there = find(checkpoint.id());
    MlflowApi.Model model =
        there.isPresent()
            ? there.get()
            : api.createModel(
                remote,
                Texts.modelName(checkpoint.progress()),
                Texts.modelParams(subject, checkpoint),
                Map.of(CHECKPOINT_TAG, tag(checkpoint.id()), RemoteRun.RUN_TAG, target.key()));
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
              putKnown(values, "ckpt.norm", row.norm());
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
    if (committed().containsKey(failed.id())) {
      return; // it was tried again, or the commit had happened
    }
    MlflowApi.Run remote = run.get();
    Optional<MlflowApi.Model> there = find(failed.id());
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
              remote,
              Texts.modelName(failed.progress()),
              params,
              Map.of(CHECKPOINT_TAG, tag(failed.id()), RemoteRun.RUN_TAG, target.key()));
    }
    api.output(remote.id(), model.id(), failed.progress().step());
    api.modelTags(model.id(), Map.of(NOTE, Texts.failure(failed.id(), failed.reason())));
    api.modelStatus(model.id(), false);
  }

  /**
   * A checkpoint is gone from the store: its artifacts go, then its model; not if a version of the
   * registry was made of it.
   */
  private void deleted(String id) throws IOException {
    reports.deleted(id);
    tableIsOld = true;
    Optional<MlflowApi.Model> model = find(id);
    if (model.isPresent()) {
      remove(model.get());
    }
  }

  private void remove(MlflowApi.Model model) throws MlflowException {
    if (isPromoted(model)) {
      api.modelTags(
          model.id(),
          Map.of(
              NOTE,
              "**The checkpoint is gone from its store; this page stays because the registry has a"
                  + " version of it.**"));
      return;
    }
    if (Artifacts.isProxied(model.artifacts())) {
      for (String file : api.artifacts().list(model.artifacts())) {
        api.artifacts().delete(model.artifacts(), file);
      }
    }
    api.deleteModel(model.id());
  }

  private boolean isPromoted(MlflowApi.Model model) throws MlflowException {
    return !api.registry().versionsOfModel(model.id()).isEmpty()
        || api.registry().versionsOfRun(model.run()).stream()
            .anyMatch(each -> each.isOf(model.id()));
  }

  // ---- all

  /** What the store has and the server lacks, and the other way round. */
  private void reconcile(Read<Set<String>> awaited) throws IOException {
    Map<String, MlflowApi.Model> remote = new TreeMap<>();
    List<MlflowApi.Model> failed = new ArrayList<>();
    String prefix = target.key() + "/";
    for (MlflowApi.Model model :
        api.models(run.get().experiment(), RemoteRun.RUN_TAG, target.key())) {
      String tag = model.tags().getOrDefault(CHECKPOINT_TAG, "");
      if (tag.startsWith(prefix)) {
        remote.put(tag.substring(prefix.length()), model);
      }
    }
    Map<String, Checkpoint> local = committed();
    Set<String> later = awaited.get();
    for (Checkpoint checkpoint : local.values()) {
      if (later.contains(checkpoint.id())) {
        continue;
      }
      MlflowApi.Model model = remote.get(checkpoint.id());
      if (model == null || !model.isReady()) {
        committed(checkpoint, Optional.empty());
      } else {
        // after a lost workspace: what is published is known again, and has its local report
        reports.prepare(checkpoint, Optional.empty());
        reports.published(checkpoint.id(), model.id());
      }
    }
    for (Map.Entry<String, MlflowApi.Model> each : remote.entrySet()) {
      if (local.containsKey(each.getKey())) {
        continue;
      }
      if (each.getValue().status().endsWith("UPLOAD_FAILED")) {
        failed.add(each.getValue());
      } else {
        deleted(each.getKey());
      }
    }
    for (Row row : reports.present()) {
      if (!local.containsKey(row.id())) {
        reports.deleted(row.id());
      }
    }
    for (MlflowApi.Model old : failed.subList(0, Math.max(0, failed.size() - MOST_FAILED))) {
      remove(old);
    }
    tableIsOld = true;
  }

  /** All that are committed and not deleted, by id, whatever branch they lie on. */
  private Map<String, Checkpoint> committed() {
    Map<String, Checkpoint> all = new TreeMap<>();
    for (ListedCheckpoint each : checkpoints.all()) {
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
    Optional<MlflowApi.Model> there = find(checkpoint.id());
    if (there.isPresent() && there.get().isReady()) {
      return there.get();
    }
    committed(checkpoint, Optional.empty());
    return find(checkpoint.id())
        .orElseThrow(
            () ->
                new MlflowException(
                    MlflowException.Kind.NOT_FOUND,
                    checkpoint.id() + " was deleted while it was published"));
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
