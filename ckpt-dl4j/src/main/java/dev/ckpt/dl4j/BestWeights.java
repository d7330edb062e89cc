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

  private Optional<Checkpoint> restored = Optional.empty();

  BestWeights(CheckpointManager manager, ModelState model) {
    this.manager = manager;
    this.model = model;
  }

  /** Whose weights the model holds in place of the last ones; empty before {@link #restore}. */
  Optional<Checkpoint> restored() {
    return restored;
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
}
