package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;

/**
 * Stands in for the user's optimizer where the trainer calls it, so that every update is seen, of a
 * loop that fires no listener too. The user's own object does the work and holds the slots.
 */
final class WatchedOptimizer extends Optimizer {
  private final Optimizer users;
  private final UpdateWatch watch;

  WatchedOptimizer(Optimizer users, UpdateWatch watch) {
    super(new NoSettings());
    this.users = users;
    this.watch = watch;
  }

  @Override
  public void update(String parameterId, NDArray weight, NDArray grad) {
    watch.before();
    boolean done = false;
    try {
      users.update(parameterId, weight, grad);
      done = true;
    } finally {
      if (done) {
        watch.updated(parameterId);
      } else {
        watch.failed();
      }
    }
  }

  /** The base class asks for settings, which only an optimizer of its own would use. */
  private static final class NoSettings extends OptimizerBuilder<NoSettings> {
    @Override
    protected NoSettings self() {
      return this;
    }
  }
}
