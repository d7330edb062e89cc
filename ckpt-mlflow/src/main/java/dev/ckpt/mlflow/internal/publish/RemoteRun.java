package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Attempt;
import dev.ckpt.mlflow.internal.report.Subject;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The run of MLflow's that shows a run of ours: the one that is to be joined, else the one that was
 * shown last, else one with our tag, else made. There is never a second one: what was made and not
 * answered is found the next time.
 */
final class RemoteRun {
  private static final Logger log = LoggerFactory.getLogger(RemoteRun.class);

  /** Our tags. Searching for them needs no other knowledge. */
  static final String RUN_TAG = "ckpt.run";

  private static final int MOST_ATTEMPTS = 20;
  private static final String DEFAULT_EXPERIMENT = "Default";
  private static final String JOINED_TAG = "ckpt.joined";
  private static final String NOTE = "mlflow.note.content";

  private final MlflowApi api;
  private final Target target;
  private final Subject subject;
  private final Supplier<List<Attempt>> attempts;
  private final Options options;
  private MlflowApi.@Nullable Run found;
  private boolean joined;

  /** Whether a run of another key was there first; its tags and its table are not ours. */
  private boolean shared;

  private boolean parentTold;

  RemoteRun(
      MlflowApi api,
      Target target,
      Subject subject,
      Supplier<List<Attempt>> attempts,
      Options options) {
    this.api = api;
    this.target = target;
    this.subject = subject;
    this.attempts = attempts;
    this.options = options;
  }

  /** What is meant. */
  Target target() {
    return target;
  }

  /** The run; asks the server once. */
  MlflowApi.Run get() throws MlflowException {
    MlflowApi.Run known = found;
    if (known == null) {
      known = target.runId().isPresent() ? join(target.runId().get()) : own();
      found = known;
      log.info("run '{}' in MLflow: {}", subject.run(), page());
    }
    return known;
  }

  /** Whether it is the user's own, whose status and description are not ours. */
  boolean isJoined() {
    return joined;
  }

  /** It is asked for anew: it may have been deleted, or the server may have lost it. */
  void forget() {
    found = null;
  }

  private MlflowApi.Run join(String id) throws MlflowException {
    MlflowApi.Run run;
    try {
      run = api.run(id);
    } catch (MlflowException e) {
      throw e.kind() == MlflowException.Kind.NOT_FOUND
          ? gone(id, "is not in MLflow at " + api.tracking())
          : e;
    }
    if (!run.isActive()) {
      throw gone(id, "was deleted in MLflow");
    }
    joined = !run.tags().containsKey(RUN_TAG) || run.tags().containsKey(JOINED_TAG);
    if (joined) {
      api.runTag(run.id(), JOINED_TAG, "true");
    }
    String first = run.tags().getOrDefault(RUN_TAG, target.key());
    shared = !first.equals(target.key());
    api.runTag(run.id(), shared ? sharedTag() : RUN_TAG, target.key());
    return run;
  }

  /** What holds our key on a run whose {@link #RUN_TAG} is another's. */
  private String sharedTag() {
    return RUN_TAG + "." + Texts.key(subject.run());
  }

  private boolean isOurs(MlflowApi.Run run) {
    return target.key().equals(run.tags().get(RUN_TAG))
        || target.key().equals(run.tags().get(sharedTag()));
  }

  private static MlflowException gone(String id, String how) {
    return new MlflowException(
        MlflowException.Kind.NOT_FOUND,
        "the run "
            + id
            + " that is joined "
            + how
            + ": restore it, or name another one by mlflow.runId or CKPT_MLFLOW_RUN_ID");
  }

  /** What is said once of a run of MLflow's, by its name: several of ours may join one. */
  String named(String what) throws MlflowException {
    get();
    return shared ? what + "." + Texts.key(subject.run()) : what;
  }

  private MlflowApi.Run own() throws MlflowException {
    Optional<String> wanted = target.experimentId();
    if (wanted.isEmpty() && target.experiment().isPresent()) {
      wanted = Optional.of(api.experiment(target.experiment().get()));
    }
    Optional<MlflowApi.Run> there = remembered(wanted);
    if (there.isEmpty()) {
      // who says nothing of the experiment means the run that is there, wherever that is
      there = tagged(wanted.isPresent() ? List.of(wanted.get()) : api.experiments());
    }
    shared = there.isPresent() && !target.key().equals(there.get().tags().get(RUN_TAG));
    joined = shared || (there.isPresent() && there.get().tags().containsKey(JOINED_TAG));
    if (there.isPresent()) {
      return there.get();
    }
    Map<String, String> tags = new LinkedHashMap<>();
    tags.put(RUN_TAG, target.key());
    tags.put(NOTE, Texts.runDescription(subject));
    String experiment = "";
    Optional<MlflowApi.Run> parent = parent();
    if (parent.isPresent()) {
      tags.put("mlflow.parentRunId", parent.get().id());
      experiment = wanted.orElse(parent.get().experiment());
      if (!experiment.equals(parent.get().experiment())) {
        log.warn(
            "run '{}' is in another experiment than its parent {}: MLflow shows a run below its"
                + " parent only in the parent's experiment",
            subject.run(),
            parent.get().id());
      }
    }
    if (experiment.isEmpty()) {
      experiment = wanted.isPresent() ? wanted.get() : usualExperiment();
    }
    return api.createRun(experiment, target.runName(), started(), tags);
  }

  /** Whether the server has the run that was shown last: then it is the one that showed it. */
  boolean isThere() throws MlflowException {
    return remembered(Optional.empty()).isPresent();
  }

  /** The run that was shown last, if it is still what is meant. */
  private Optional<MlflowApi.Run> remembered(Optional<String> wanted) throws MlflowException {
    if (target.shown().isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(api.run(target.shown().get()))
          .filter(MlflowApi.Run::isActive)
          .filter(this::isOurs)
          .filter(run -> wanted.isEmpty() || wanted.get().equals(run.experiment()));
    } catch (MlflowException e) {
      if (e.kind() == MlflowException.Kind.NOT_FOUND) {
        return Optional.empty();
      }
      throw e;
    }
  }

  /**
   * The newest that has our tag; one that was joined, as by a copy of the store, only if alone; one
   * that a run of another key had joined before, only if there is no other.
   */
  private Optional<MlflowApi.Run> tagged(List<String> experiments) throws MlflowException {
    List<MlflowApi.Run> all = api.runs(experiments, RUN_TAG, target.key());
    if (all.isEmpty()) {
      return api.runs(experiments, sharedTag(), target.key()).stream().findFirst();
    }
    return all.stream()
        .filter(run -> !run.tags().containsKey(JOINED_TAG))
        .findFirst()
        .or(() -> Optional.of(all.get(0)));
  }

  /** The run below which ours is to stand; that it is gone must not keep ours from being shown. */
  private Optional<MlflowApi.Run> parent() throws MlflowException {
    if (target.parentRun().isEmpty()) {
      return Optional.empty();
    }
    String id = target.parentRun().get();
    try {
      return Optional.of(api.run(id));
    } catch (MlflowException e) {
      if (e.kind() != MlflowException.Kind.NOT_FOUND) {
        throw e;
      }
      if (!parentTold) {
        parentTold = true;
        log.warn(
            "run '{}' is made without a parent: MLflow at {} has no run {}, which is to be the"
                + " parent (mlflow.parentRun)",
            subject.run(),
            api.tracking(),
            id);
      }
      return Optional.empty();
    }
  }

  /** Where a run is made for which nobody said it. */
  private String usualExperiment() throws MlflowException {
    Optional<String> id = options.experimentId();
    return id.isPresent()
        ? id.get()
        : api.experiment(options.experimentName().orElse(DEFAULT_EXPERIMENT));
  }

  private Instant started() {
    return attempts.get().stream()
        .flatMap(each -> each.startedAt().stream())
        .min(Instant::compareTo)
        .orElse(Instant.EPOCH);
  }

  /** The address of its page, for people. */
  String page() throws MlflowException {
    MlflowApi.Run run = get();
    return api.tracking()
        + "/#/experiments/"
        + run.experiment()
        + "/runs/"
        + run.id()
        + "?workflowType=machine_learning";
  }

  /**
   * Says what the attempts say of settings. A parameter is written once in MLflow, as the first
   * attempt has it: what a later one changed goes into tags.
   */
  void settings(Optional<String> structure) throws MlflowException {
    List<Attempt> all = attempts.get();
    if (all.isEmpty()) {
      return;
    }
    MlflowApi.Run run = get();
    Map<String, String> wanted = Texts.params(subject, all.get(0));
    structure.ifPresent(digest -> wanted.put("ckpt.structure", digest));
    wanted.keySet().removeAll(run.params().keySet());
    api.params(run.id(), wanted);
    run.params().putAll(wanted);
    for (Attempt later : all.subList(Math.max(1, all.size() - MOST_ATTEMPTS), all.size())) {
      for (Map.Entry<String, String> each : Texts.params(subject, later).entrySet()) {
        String tag = "attempt-" + later.number() + "." + each.getKey();
        if (!each.getValue().equals(run.params().get(each.getKey()))
            && !each.getValue().equals(run.tags().get(tag))) {
          api.runTag(run.id(), tag, each.getValue());
          run.tags().put(tag, each.getValue());
        }
      }
    }
  }

  /** Says how the newest attempt stands, of a run of our own. */
  void status() throws MlflowException {
    List<Attempt> all = attempts.get();
    MlflowApi.Run run = get();
    if (joined || all.isEmpty()) {
      return;
    }
    Attempt newest = all.get(all.size() - 1);
    String status =
        switch (newest.end()) {
          case COMPLETED -> "FINISHED";
          case FAILED -> "FAILED";
          case STOPPED, CLOSED, KILLED -> "KILLED";
          case RUNNING, UNKNOWN -> "RUNNING";
        };
    boolean ended = !status.equals("RUNNING");
    api.runStatus(run.id(), status, ended ? newest.endedAt() : Optional.empty());
    if (newest.end() == Attempt.End.FAILED && newest.cause().isPresent()) {
      api.runTag(run.id(), "ckpt.cause", Texts.bounded(newest.cause().get()));
    }
  }
}
