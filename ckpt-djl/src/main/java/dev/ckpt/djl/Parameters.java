package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.nn.Parameter.Type;
import ai.djl.training.Trainer;
import ai.djl.util.Pair;
import dev.ckpt.TensorSpec;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The parameters of an initialized model under names that depend on its structure only. DJL's ids
 * hold a clock reading, so they mean nothing in another process: names go to disk, ids stay here. A
 * block that is used twice gives two names for one parameter; the first one counts.
 */
final class Parameters {
  private final Trainer trainer;
  private final Map<String, Parameter> byName = new LinkedHashMap<>();
  private final Map<String, String> nameOfId = new HashMap<>();

  private Parameters(Trainer trainer) {
    this.trainer = trainer;
  }

  /**
   * @throws IllegalStateException if the model is not initialized
   * @throws UnsupportedOperationException if one is of a type that cannot be saved
   */
  static Parameters of(Trainer trainer) {
    Parameters all = new Parameters(trainer);
    for (Pair<String, Parameter> pair : trainer.getModel().getBlock().getParameters()) {
      Parameter parameter = pair.getValue();
      if (!parameter.isInitialized()) {
        throw new IllegalStateException(
            "Parameter "
                + pair.getKey()
                + " is not initialized: call trainer.initialize(shape) before the training is"
                + " resumed or begun");
      }
      if (all.nameOfId.putIfAbsent(parameter.getId(), pair.getKey()) == null) {
        all.byName.put(pair.getKey(), parameter);
        all.spec(pair.getKey());
      }
    }
    return all;
  }

  Trainer trainer() {
    return trainer;
  }

  Map<String, Parameter> byName() {
    return byName;
  }

  @Nullable String nameOf(String id) {
    return nameOfId.get(id);
  }

  @Nullable Parameter named(String name) {
    return byName.get(name);
  }

  /**
   * What is frozen of the layer that a running statistic belongs to, by DJL's names.
   *
   * @param anyway what the program freezes itself, as a scale that it does without
   */
  List<Parameter> frozenInLayerOf(String statistic, Predicate<String> anyway) {
    String layer = statistic.substring(0, statistic.lastIndexOf('_') + 1);
    return byName.entrySet().stream()
        .filter(each -> each.getKey().startsWith(layer))
        .filter(each -> each.getKey().indexOf('_', layer.length()) < 0)
        .filter(each -> !anyway.test(each.getKey()))
        .map(Map.Entry::getValue)
        .filter(each -> changesOnlyInUpdates(each) && !each.requiresGradient())
        .toList();
  }

  NDArray array(Parameter parameter) {
    return DjlInternals.array(trainer, parameter);
  }

  TensorSpec spec(String name) {
    Parameter parameter = byName.get(name);
    if (parameter == null) {
      throw new IllegalArgumentException("no parameter " + name);
    }
    return ArrayBytes.spec("Parameter " + name, name, array(parameter));
  }

  /** Of all, by name. */
  Map<String, TensorSpec> specs() {
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    byName.keySet().forEach(name -> specs.put(name, spec(name)));
    return specs;
  }

  /** Whether only the optimizer changes it: all but running statistics and the like. */
  static boolean changesOnlyInUpdates(Parameter parameter) {
    Type type = parameter.getType();
    return type == Type.WEIGHT || type == Type.BIAS || type == Type.GAMMA || type == Type.BETA;
  }
}
