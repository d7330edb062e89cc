package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.InitFrom;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a new run began with, if not with fresh weights; each of its checkpoints says so. */
final class FirstWeights extends SmallState {
  private static final Logger log = LoggerFactory.getLogger(FirstWeights.class);

  private final Supplier<Parameters> model;
  private Map<String, ?> origin = Map.of();

  FirstWeights(Supplier<Parameters> model) {
    this.model = model;
  }

  /**
   * Loads and freezes.
   *
   * @throws dev.ckpt.CheckpointException.Incompatible if it does not match; nothing was changed
   */
  void load(InitFrom from, Checkpoints.Opened source) {
    Parameters parameters = model.get();
    StateView saved = source.view("model");
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    saved.names().forEach(name -> specs.put(name, saved.spec(name)));
    Map<String, TensorSpec> here = parameters.specs();
    InitFrom.Match match = from.match(specs, here);
    Map<String, Parameter> byName = parameters.byName();
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
    origin =
        Map.of(
            "checkpoint", checkpoint.id(),
            "store", from.store(),
            "run", from.run(),
            "matched", match.matched().size(),
            "missing", match.missing(),
            "excluded", match.excluded());
    log.info("Initialized from {}: {}", checkpoint.id(), match.report());
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
