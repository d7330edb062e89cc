package dev.ckpt.dl4j;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;

/** Puts a checkpoint's weights into a network that nobody trains, or not yet. */
final class Weights {
  private Weights() {}

  static Checkpoint load(Trainee into, Checkpoints run, String reference) {
    Region.requireHostMemory();
    try (Checkpoints.Opened open = run.open(run.find(reference).id())) {
      if (!open.parts().contains(ModelState.PART)) {
        throw new CheckpointException.NotFound("the checkpoint has no part 'model'");
      }
      StateView view = open.view(ModelState.PART);
      Structure.require(
          view,
          ModelState.specs(into.parameters()),
          "Build the network as it was when the checkpoint was saved.");
      into.parameters().forEach((name, region) -> region.fill(view, name));
      return open.checkpoint();
    }
  }
}
