package dev.ckpt.djl;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a training with {@code restoreBest}: a model that no longer holds its last weights.
 */
final class BestWeights {
  private static final Logger log = LoggerFactory.getLogger(BestWeights.class);

  private final CheckpointManager manager;
  private final ModelState model;
  private Optional<Checkpoint> held = Optional.empty();

  BestWeights(CheckpointManager manager, ModelState model) {
    this.manager = manager;
    this.model = model;
  }

  /** Whether the model holds them: what is saved from then on would be no training's state. */
  boolean areHeld() {
    return held.isPresent();
  }

  /** Puts them into the model, if that is asked for. */
  Optional<Checkpoint> restore() {
    if (held.isEmpty()) {
      held = Uninterrupted.get(this::load);
    }
    return held;
  }

  private Optional<Checkpoint> load() {
    Optional<Checkpoint> found = manager.best();
    found.ifPresent(
        checkpoint -> {
          try (Checkpoints.Opened open = manager.checkpoints().open(checkpoint.id())) {
            StateView view = open.view("model");
            model.check(view);
            model.fill(view);
          }
          log.info(
              "The model holds the best weights, those of {} (step {}, {})",
              checkpoint.id(),
              checkpoint.progress().step(),
              checkpoint.metrics());
        });
    return found;
  }

  /**
   * @throws IllegalStateException if the model holds them: they are not to be trained on
   */
  void requireNotHeld() {
    if (held.isPresent()) {
      throw new IllegalStateException(
          "The model holds the best weights (restoreBest), those of "
              + held.get().id()
              + ": to train on from the last ones, start the program again with the larger goal");
    }
  }
}
