package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a training that asks for it ({@code restoreBest}): the model holds its best weights.
 */
final class BestWeights {
  private static final Logger log = LoggerFactory.getLogger(BestWeights.class);

  private final CheckpointManager manager;
  private final ModelState model;

  /** Whose weights the model holds, once they are no longer the last ones. */
  private Optional<Checkpoint> restored = Optional.empty();

  BestWeights(CheckpointManager manager, ModelState model) {
    this.manager = manager;
    this.model = model;
  }

  boolean isRestored() {
    return restored.isPresent();
  }

  Optional<Checkpoint> restore() {
    if (restored.isEmpty()) {
      restored = manager.best();
      restored.ifPresent(
          checkpoint -> {
            try (Checkpoints.Opened open = manager.checkpoints().open(checkpoint.id())) {
              StateView view = open.view(ModelState.PART);
              model.check(view);
              model.fill(view);
            }
            log.info(
                "The model holds the best weights, those of {} (step {}, {})",
                checkpoint.id(),
                checkpoint.progress().step(),
                checkpoint.metrics());
          });
    }
    return restored;
  }

  /**
   * Refuses to train on.
   *
   * @throws IllegalStateException if the model holds the best weights
   */
  void requireNone() {
    if (restored.isPresent()) {
      throw new IllegalStateException(
          "The model holds the best weights (restoreBest), those of "
              + restored.get().id()
              + ": to train on from the last ones, start the program again with the larger goal");
    }
  }
}
