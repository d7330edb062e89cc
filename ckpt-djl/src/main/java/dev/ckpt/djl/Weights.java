package dev.ckpt.djl;

import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import ai.djl.util.Pair;
import dev.ckpt.CheckpointException;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Puts a checkpoint's weights into a model that nobody trains, or not yet. */
final class Weights {
  private static final Logger log = LoggerFactory.getLogger(Weights.class);
  private static final String ADVICE = "Build the model as it was when the checkpoint was saved.";

  private Weights() {}

  /**
   * Fills the model's parameters; one that is not initialized gets its shapes from the checkpoint,
   * as by {@code Model.load}.
   *
   * @throws CheckpointException.Incompatible if the model has other parameters; then an initialized
   *     model is as it was
   */
  static void load(Model model, Map<String, StateView> parts) {
    StateView saved = parts.get("model");
    if (saved == null) {
      throw new CheckpointException.NotFound("the checkpoint has no part 'model'");
    }
    Block block = model.getBlock();
    if (block == null) {
      throw new IllegalArgumentException("the model has no block yet: call model.setBlock(...)");
    }
    Map<String, Parameter> byName = byName(block);
    List<String> bare = new ArrayList<>();
    byName.forEach(
        (name, parameter) -> {
          if (!parameter.isInitialized()) {
            bare.add(name);
          }
        });
    List<String> engines = EngineBlocks.in(block);
    if (!engines.isEmpty()) {
      log.warn(
          "{}: a module of the engine's own (TorchScript). What it holds besides its parameters is"
              + " in no checkpoint, and stays as it is in the model: running statistics (BatchNorm)"
              + " are not those of the training",
          String.join(", ", engines));
    }
    if (bare.isEmpty() && !byName.isEmpty()) {
      fill(model, byName, saved);
    } else {
      stream(model, byName, saved, parts);
    }
  }

  /** The parameters of a block, each under the first of its names. */
  static Map<String, Parameter> byName(Block block) {
    Map<String, Parameter> byName = new LinkedHashMap<>();
    Set<String> ids = new HashSet<>();
    for (Pair<String, Parameter> pair : block.getParameters()) {
      if (ids.add(pair.getValue().getId())) {
        byName.put(pair.getKey(), pair.getValue());
      }
    }
    return byName;
  }

  private static Map<String, TensorSpec> specs(Map<String, Parameter> byName) {
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    byName.forEach(
        (name, parameter) ->
            specs.put(name, ArrayBytes.spec("Parameter " + name, name, parameter.getArray())));
    return specs;
  }

  private static void fill(Model model, Map<String, Parameter> byName, StateView saved) {
    Map<String, TensorSpec> specs = specs(byName);
    Structure.require(saved, specs, ADVICE);
    specs.forEach(
        (name, spec) -> {
          Parameter parameter = byName.get(name);
          if (parameter != null) {
            NDArray array = parameter.getArray();
            new ArrayBytes(array, model.getNDManager(), spec).fill(saved, name);
          }
        });
  }

  private static void stream(
      Model model, Map<String, Parameter> byName, StateView saved, Map<String, StateView> parts) {
    Set<String> other = new TreeSet<>(saved.names());
    Set<String> known = new TreeSet<>(byName.keySet());
    if (!other.equals(known)) {
      Set<String> both = new TreeSet<>(other);
      both.retainAll(known);
      other.removeAll(both);
      known.removeAll(both);
      throw new CheckpointException.Incompatible(
          "The model has another structure than the one in the checkpoint. "
              + Structure.describe("Missing in the checkpoint", List.copyOf(known))
              + Structure.describe("Extra in the checkpoint", List.copyOf(other))
              + ADVICE);
    }
    ParamsLayout layout = ParamsState.layout(parts);
    try (ParamsStream stream = new ParamsStream(layout.pieces(), saved);
        DataInputStream in = new DataInputStream(stream)) {
      model.getBlock().loadParameters(model.getNDManager(), in);
    } catch (IOException | MalformedModelException | IllegalArgumentException e) {
      throw new CheckpointException.Incompatible(
          "The model's blocks do not read what the checkpoint's wrote: "
              + e.getMessage()
              + ". "
              + ADVICE,
          e);
    }
    Structure.require(saved, specs(byName(model.getBlock())), ADVICE);
  }
}
