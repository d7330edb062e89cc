package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import dev.ckpt.mlflow.internal.rest.Registry;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds the checkpoint that a person means who looks at MLflow's pages. */
public final class References {
  private static final Pattern MODEL = Pattern.compile("(?i:mlflow):(m-[0-9A-Za-z]+)");
  private static final Pattern RUN =
      Pattern.compile("(?i:mlflow):run/([0-9A-Za-z_-]+)@([A-Za-z0-9][A-Za-z0-9._-]*)");

  private final MlflowApi api;

  public References(MlflowApi api) {
    this.api = api;
  }

  /**
   * The id of the checkpoint.
   *
   * @throws CheckpointException.NotFound if there is none such among those committed
   * @throws IllegalArgumentException if the reference is of neither form
   */
  public String find(String reference, List<Checkpoint> committed) throws MlflowException {
    Matcher model = MODEL.matcher(reference);
    if (model.matches()) {
      return among(committed, reference, model(reference, model.group(1)));
    }
    Matcher run = RUN.matcher(reference);
    if (run.matches()) {
      List<MlflowApi.Model> meant = ofRun(reference, run.group(1), run.group(2));
      for (MlflowApi.Model each : meant) {
        // several of our runs may have joined it
        if (isAmong(committed, each)) {
          return among(committed, reference, each);
        }
      }
      return among(committed, reference, meant.get(0));
    }
    throw new IllegalArgumentException(
        "'"
            + reference
            + "' is neither mlflow:m-..., the id on the page of a logged model, nor"
            + " mlflow:run/<id of the run>@<alias, latest, or name of a logged model>");
  }

  private MlflowApi.Model model(String reference, String id) throws MlflowException {
    try {
      return api.model(id);
    } catch (MlflowException e) {
      if (e.kind() == MlflowException.Kind.NOT_FOUND) {
        throw new CheckpointException.NotFound(
            reference + ": MLflow at " + api.tracking() + " has no such model, or it was deleted");
      }
      throw e;
    }
  }

  /** What may be meant, newest first; at least one. */
  private List<MlflowApi.Model> ofRun(String reference, String runId, String what)
      throws MlflowException {
    MlflowApi.Run run;
    try {
      run = api.run(runId);
    } catch (MlflowException e) {
      if (e.kind() == MlflowException.Kind.NOT_FOUND) {
        throw new CheckpointException.NotFound(
            reference + ": MLflow at " + api.tracking() + " has no run " + runId);
      }
      throw e;
    }
    if (what.equals("latest")) {
      List<MlflowApi.Model> newest = new ArrayList<>();
      for (Map.Entry<String, String> tag : run.tags().entrySet()) {
        Matcher model = MODEL.matcher(tag.getValue().substring(tag.getValue().indexOf(' ') + 1));
        if (isTag(tag.getKey(), Mirror.LATEST_TAG) && model.matches()) {
          newest.add(model(reference, model.group(1)));
        }
      }
      if (!newest.isEmpty()) {
        return newest;
      }
      throw new CheckpointException.NotFound(
          reference + ": run " + runId + " shows no finite checkpoint of ckpt");
    }
    // by our tags, not by the run that made them: a checkpoint of an earlier run of MLflow's is
    // shown in the later one, too
    List<String> keys = new ArrayList<>();
    for (Map.Entry<String, String> tag : run.tags().entrySet()) {
      if (isTag(tag.getKey(), RemoteRun.RUN_TAG)) {
        keys.add(tag.getValue());
      }
    }
    Set<String> names = new LinkedHashSet<>();
    List<MlflowApi.Model> named = aliased(run, keys, what, names);
    if (named.isEmpty()) {
      for (String key : keys) {
        named.addAll(api.named(run.experiment(), RemoteRun.RUN_TAG, key, what));
      }
    }
    if (named.isEmpty()) {
      throw new CheckpointException.NotFound(
          reference
              + ": run "
              + runId
              + " has neither a version with the alias '"
              + what
              + "' (ckpt mlflow promote ID --alias "
              + what
              + ") nor a logged model of that name"
              + (names.isEmpty() ? "" : "; its registered names: " + new ArrayList<>(names)));
    }
    // a step that was trained again after a resume from before it has a model for each time
    named.sort(Comparator.comparing(References::id).reversed());
    return named;
  }

  /**
   * The models for which an alias stands.
   *
   * @param keys of our runs that are shown there
   * @param names to which those of the registry are added
   */
  private List<MlflowApi.Model> aliased(
      MlflowApi.Run run, List<String> keys, String alias, Set<String> names)
      throws MlflowException {
    List<MlflowApi.Model> ours = new ArrayList<>();
    for (String key : keys) {
      ours.addAll(api.models(List.of(run.experiment()), RemoteRun.RUN_TAG, key));
    }
    Set<String> makers = new LinkedHashSet<>(List.of(run.id()));
    ours.forEach(model -> makers.add(model.run()));
    for (String maker : makers) {
      for (Registry.Version version : api.registry().versionsOfRun(maker)) {
        if (ours.stream().anyMatch(model -> version.isOf(model.id()))) {
          names.add(version.name());
        }
      }
    }
    List<MlflowApi.Model> found = new ArrayList<>();
    for (String name : names) {
      api.registry()
          .aliased(name, alias)
          .flatMap(version -> ours.stream().filter(each -> version.isOf(each.id())).findFirst())
          .ifPresent(found::add);
    }
    return found;
  }

  private static boolean isTag(String key, String ours) {
    return key.equals(ours) || key.startsWith(ours + ".");
  }

  private static String id(MlflowApi.Model model) {
    String tag = model.tags().getOrDefault(RemoteModels.CHECKPOINT_TAG, "");
    return tag.substring(tag.lastIndexOf('/') + 1);
  }

  private static boolean isAmong(List<Checkpoint> committed, MlflowApi.Model model) {
    String id = id(model);
    String at = model.tags().getOrDefault(RemoteModels.COMMITTED_TAG, "");
    return committed.stream()
        .anyMatch(each -> each.id().equals(id) && each.committedAt().toString().equals(at));
  }

  private static String among(List<Checkpoint> committed, String reference, MlflowApi.Model model) {
    String id = id(model);
    if (id.isEmpty()) {
      throw new CheckpointException.NotFound(
          reference + ": the model '" + model.name() + "' is no checkpoint of ckpt");
    }
    if (!isAmong(committed, model)) {
      throw new CheckpointException.NotFound(
          reference
              + " is checkpoint "
              + id
              + ", which this run does not have: it is another run's (name it with run: or"
              + " CKPT_RUN), or was deleted");
    }
    return id;
  }
}
