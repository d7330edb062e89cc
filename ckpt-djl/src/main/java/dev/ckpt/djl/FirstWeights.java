package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.InitFrom;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a new run began with, if not with fresh weights; each of its checkpoints says so. */
final class FirstWeights extends SmallState implements CheckpointManager.Initializer {
  private static final Logger log = LoggerFactory.getLogger(FirstWeights.class);

  private static final String HELD = "held";
  private static final String REFERENCE = "reference";
  private static final String RENAME = "rename";

  private final Supplier<Parameters> model;
  private final Predicate<String> frozenByProgram;
  private Map<String, ?> origin = Map.of();

  /**
   * @param frozenByProgram whether the program itself froze the parameter of that name
   */
  FirstWeights(Supplier<Parameters> model, Predicate<String> frozenByProgram) {
    this.model = model;
    this.frozenByProgram = frozenByProgram;
  }

  /**
   * Loads and freezes.
   *
   * @throws CheckpointException.Incompatible if it does not match, or nothing is left to train;
   *     nothing was changed
   */
  @Override
  public void load(InitFrom from, Checkpoints.Opened source) {
    Parameters parameters = model.get();
    StateView saved = source.view("model");
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    saved.names().forEach(name -> specs.put(name, saved.spec(name)));
    Map<String, TensorSpec> here = parameters.specs();
    InitFrom.Match match = from.match(specs, here);
    Map<String, Parameter> byName = parameters.byName();
    requireTrainable(byName, match);
    here.forEach(
        (name, spec) -> {
          String there = match.matched().get(name);
          Parameter parameter = byName.get(name);
          if (there != null && parameter != null) {
            new ArrayBytes(parameters.array(parameter), parameters.trainer().getManager(), spec)
                .fill(saved, there);
          }
        });
    byName.forEach(
        (name, parameter) -> {
          if (match.frozen().contains(name) && parameter.requiresGradient()) {
            parameter.freeze(true);
          }
        });
    Checkpoint checkpoint = source.checkpoint();
    Map<String, Object> said = new HashMap<>();
    said.put("checkpoint", checkpoint.id());
    said.put("store", from.store());
    said.put("run", from.run());
    said.put(REFERENCE, from.checkpoint());
    said.put(RENAME, from.rename());
    said.put("matched", match.matched().size());
    said.put("missing", match.missing());
    said.put("excluded", match.excluded());
    List<String> statistics =
        byName.entrySet().stream()
            .filter(each -> match.frozen().contains(each.getKey()))
            .filter(each -> isStatistic(each.getKey(), each.getValue()))
            .map(Map.Entry::getKey)
            .toList();
    if (!statistics.isEmpty()) {
      said.put(HELD, statistics);
    }
    origin = said;
    if (match.matchless().isEmpty()) {
      log.info("Initialized from {}: {}", checkpoint.id(), match.report());
    } else {
      log.warn("Initialized from {}: {}", checkpoint.id(), match.report());
    }
  }

  /** What moves without a gradient: it never had one that could be frozen. */
  private boolean isStatistic(String name, Parameter parameter) {
    return !Parameters.changesOnlyInUpdates(parameter) && frozenByProgram.test(name);
  }

  private static void requireTrainable(Map<String, Parameter> byName, InitFrom.Match match) {
    if (byName.entrySet().stream()
        .noneMatch(
            each ->
                each.getValue().requiresGradient() && !match.frozen().contains(each.getKey()))) {
      throw new CheckpointException.Incompatible(
          "initFrom: freeze leaves no parameter to train: "
              + match.report()
              + "\nNothing was changed. Freeze less, or exclude what is to be fresh.");
    }
  }

  /** Running statistics that stay as they were loaded. */
  List<String> held() {
    return names(HELD);
  }

  /** What the training froze of the layer of such a statistic. */
  List<Parameter> frozenInLayerOf(String statistic) {
    return model.get().frozenInLayerOf(statistic, frozenByProgram.negate());
  }

  /** What the program itself froze there: all of it, or a scale that the layer does without. */
  List<Parameter> frozenByProgramInLayerOf(String statistic) {
    return model.get().frozenInLayerOf(statistic, frozenByProgram);
  }

  /** They move again, from the next checkpoint on for good. */
  void release(List<String> thawed) {
    Map<String, Object> said = new HashMap<>(origin);
    said.put(HELD, held().stream().filter(name -> !thawed.contains(name)).toList());
    origin = said;
    log.info("Running statistics that initFrom froze move again: {}", Structure.listed(thawed));
  }

  private List<String> names(String key) {
    return origin.get(key) instanceof List<?> names
        ? names.stream().map(String::valueOf).toList()
        : List.of();
  }

  /**
   * What the run began with stands in its checkpoint; what is asked for now and differs counts no
   * more.
   */
  @Override
  public boolean resumed(InitFrom from) {
    if (origin.isEmpty()) {
      return false;
    }
    List<String> differences = new ArrayList<>();
    if (!from.run().equals(origin.get("run")) || !from.store().equals(origin.get("store"))) {
      differences.add(
          "it began with run '"
              + origin.get("run")
              + "' of "
              + (Objects.equals(origin.get("store"), "") ? "its own store" : origin.get("store")));
    }
    Object reference = origin.get(REFERENCE);
    if (reference != null && !reference.equals(from.checkpoint())) {
      differences.add("it began with checkpoint '" + reference + "'");
    }
    Object rename = origin.get(RENAME);
    if (rename != null && !rename.equals(from.rename())) {
      differences.add("it began with rename " + rename);
    }
    Set<String> excluded = new TreeSet<>(names("excluded"));
    Set<String> missing = new TreeSet<>(names("missing"));
    // of a layer that is not frozen only the statistics can be: there it is freeze that thaws them
    List<String> thawed =
        held().stream()
            .filter(name -> !from.freezes(name) && frozenInLayerOf(name).isEmpty())
            .toList();
    if (!thawed.isEmpty()) {
      release(thawed);
    }
    Set<String> held = new TreeSet<>(held());
    model
        .get()
        .byName()
        .forEach(
            (name, parameter) -> {
              boolean statistic = isStatistic(name, parameter);
              boolean frozen = statistic ? held.contains(name) : !parameter.requiresGradient();
              if (!missing.contains(name) && from.includes(name) == excluded.contains(name)) {
                differences.add(name + (from.includes(name) ? " was not loaded" : " was loaded"));
              }
              if (!frozen
                  && from.freezes(name)
                  && !excluded.contains(name)
                  && !missing.contains(name)) {
                differences.add(name + " is not frozen");
              } else if (frozen
                  && !from.freezes(name)
                  && (statistic || !frozenByProgram.test(name))) {
                differences.add(name + " is frozen");
              }
            });
    if (!differences.isEmpty()) {
      log.warn(
          "initFrom counts at step 0 only, and the run goes on as it began: {}. Freeze and thaw in"
              + " the program, or start a new run from these weights",
          Structure.listed(differences));
    }
    return true;
  }

  @Override
  Map<String, ?> read() {
    return origin;
  }

  @Override
  void write(Map<String, ?> state) {
    origin = state;
  }
}
