package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.nn.Parameter.Type;
import ai.djl.training.Trainer;
import ai.djl.util.Pair;
import dev.ckpt.TensorSpec;
import java.util.Collection;
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
   * What is frozen of the block that a running statistic belongs to.
   *
   * @param which of them, by name
   */
  List<Parameter> frozenInLayerOf(String statistic, Predicate<String> which) {
    Parameter own = byName.get(statistic);
    if (own == null) {
      return List.of();
    }
    // a block that is a whole network of another engine names its layers itself: layer1.bn.weight
    String layer = statistic.substring(0, statistic.lastIndexOf('.') + 1);
    return layerOf(own, trainer.getModel().getBlock()).stream()
        .filter(each -> !each.requiresGradient())
        .filter(
            each -> {
              String name = nameOf(each.getId());
              return name != null && name.startsWith(layer) && which.test(name);
            })
        .toList();
  }

  private static Collection<Parameter> layerOf(Parameter own, Block block) {
    Collection<Parameter> direct = block.getDirectParameters().values();
    if (direct.contains(own)) {
      return direct;
    }
    return block.getChildren().values().stream()
        .map(child -> layerOf(own, child))
        .filter(found -> !found.isEmpty())
        .findFirst()
        .orElse(List.of());
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
