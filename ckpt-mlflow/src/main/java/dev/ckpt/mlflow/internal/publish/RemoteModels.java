package dev.ckpt.mlflow.internal.publish;

import dev.ckpt.mlflow.internal.report.Row;
import dev.ckpt.mlflow.internal.rest.Artifacts;
import dev.ckpt.mlflow.internal.rest.MlflowApi;
import dev.ckpt.mlflow.internal.rest.MlflowException;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The logged models that stand for checkpoints of one run: found by their tags, told from those of
 * a copy of the store by the moment of the commit, and removed so that no orphan is left.
 */
final class RemoteModels {
  /** Tells a checkpoint's model from every other. */
  static final String CHECKPOINT_TAG = "ckpt.checkpoint";

  /**
   * Ids of two runs, or of two copies of one, may be equal; the moments of their commits are not.
   */
  static final String COMMITTED_TAG = "ckpt.committedAt";

  static final String NOTE = "mlflow.note.content";

  private final MlflowApi api;
  private final Target target;
  private final RemoteRun run;
  private int removed;

  RemoteModels(MlflowApi api, RemoteRun run) {
    this.api = api;
    this.target = run.target();
    this.run = run;
  }

  /** What a model of this checkpoint is made with. */
  Map<String, String> tags(String id) {
    return Map.of(CHECKPOINT_TAG, tag(id), RemoteRun.RUN_TAG, target.key());
  }

  private String tag(String id) {
    return target.key() + "/" + id;
  }

  /** Wherever this run was ever published to. */
  private Set<String> experiments() throws MlflowException {
    Set<String> all = new LinkedHashSet<>(target.experiments());
    all.add(run.get().experiment());
    return all;
  }

  /**
   * The model of a checkpoint in the experiment of the run; of the run itself, if it has one.
   *
   * @param committed the moment of its commit; empty if it was not committed
   */
  Optional<MlflowApi.Model> find(String id, Optional<Instant> committed) throws MlflowException {
    MlflowApi.Run shown = run.get();
    List<MlflowApi.Model> all =
        api.models(List.of(shown.experiment()), CHECKPOINT_TAG, tag(id)).stream()
            .filter(model -> committed.isEmpty() || isOf(model, committed.get()))
            .toList();
    Optional<MlflowApi.Model> best =
        all.stream().filter(model -> model.run().equals(shown.id())).findFirst();
    best = best.or(() -> all.stream().findFirst());
    for (MlflowApi.Model each : all) {
      // two only if two processes published at once, in spite of the lock: on two machines
      if (!each.id().equals(best.get().id())) {
        remove(each);
      }
    }
    return best;
  }

  /** All of this run, by checkpoint. */
  Map<String, List<MlflowApi.Model>> all() throws MlflowException {
    String prefix = target.key() + "/";
    return api.models(experiments(), RemoteRun.RUN_TAG, target.key()).stream()
        .filter(model -> model.tags().getOrDefault(CHECKPOINT_TAG, "").startsWith(prefix))
        .collect(
            Collectors.groupingBy(
                model ->
                    model.tags().getOrDefault(CHECKPOINT_TAG, prefix).substring(prefix.length()),
                TreeMap::new,
                Collectors.toList()));
  }

  /** Whether a model stands for what was committed at that moment; one in the making does. */
  static boolean isOf(MlflowApi.Model model, Instant committed) {
    String at = model.tags().getOrDefault(COMMITTED_TAG, "");
    return at.isEmpty() || at.equals(committed.toString());
  }

  /**
   * A checkpoint is gone from the store: its models go, wherever they are.
   *
   * @param known what is remembered of it
   */
  void deleted(String id, Optional<Row> known) throws MlflowException {
    for (MlflowApi.Model model : api.models(experiments(), CHECKPOINT_TAG, tag(id))) {
      if (known.isEmpty() || isOf(model, known.get().at())) {
        remove(model);
      }
    }
  }

  /**
   * Artifacts first, the model last, so that what is cut short is found again; not if a version of
   * the registry was made of it.
   */
  void remove(MlflowApi.Model model) throws MlflowException {
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
    removed++;
  }

  /** Removes all but the newest few. */
  void keepNewest(Collection<MlflowApi.Model> oldestFirst, int most) throws MlflowException {
    List<MlflowApi.Model> all = List.copyOf(oldestFirst);
    for (MlflowApi.Model old : all.subList(0, Math.max(0, all.size() - most))) {
      remove(old);
    }
  }

  private boolean isPromoted(MlflowApi.Model model) throws MlflowException {
    return !api.registry().versionsOfModel(model.id()).isEmpty()
        || api.registry().versionsOfRun(model.run()).stream()
            .anyMatch(each -> each.isOf(model.id()));
  }

  /** How many were removed. */
  int removed() {
    return removed;
  }
}
