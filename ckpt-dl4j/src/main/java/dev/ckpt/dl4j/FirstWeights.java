package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
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
final class FirstWeights extends SmallState implements CheckpointManager.Initializer {
  private static final Logger log = LoggerFactory.getLogger(FirstWeights.class);

  private final Supplier<Trainee> trainee;
  private Map<String, ?> origin = Map.of();

  FirstWeights(Supplier<Trainee> trainee) {
    this.trainee = trainee;
  }

  /**
   * Loads the weights.
   *
   * @throws dev.ckpt.CheckpointException.Incompatible if they do not match; nothing was changed
   * @throws UnsupportedOperationException if layers are to be frozen, which DL4J does by building
   *     another network
   */
  @Override
  public void load(InitFrom from, Checkpoints.Opened source) {
    StateView saved = source.view(ModelState.PART);
    Map<String, TensorSpec> specs = new LinkedHashMap<>();
    saved.names().forEach(name -> specs.put(name, saved.spec(name)));
    Map<String, Region> here = trainee.get().parameters();
    if (!from.freeze().isEmpty()) {
      throw new UnsupportedOperationException(
          "initFrom: freeze cannot be done to a DL4J network that is built. Freeze layers with"
              + " TransferLearning or FrozenLayer, and leave freeze out of initFrom.");
    }
    InitFrom.Match match = from.match(specs, ModelState.specs(here));
    here.forEach(
        (name, region) -> {
          String there = match.matched().get(name);
          if (there != null) {
            region.fill(saved, there);
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
  public boolean resumed(InitFrom from) {
    return !origin.isEmpty();
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
