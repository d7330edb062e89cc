package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Tells whether the training stands at a cut. The optimizer is called once for each parameter; an
 * update has fired when every trainable parameter had its call and none threw. A batch behind which
 * no update fired (gradient accumulation) has left gradients in the engine, which no checkpoint
 * could hold: there is no cut before the next update.
 */
final class UpdateWatch {
  private final Runnable beforeUpdate;
  private final Set<String> seen = new HashSet<>();
  private List<Parameter> parameters = List.of();
  private boolean ready;
  private long updates;
  private boolean updatedSinceBatch = true;
  private boolean failedSinceBatch;
  private boolean betweenBatches;
  private int expected;

  /**
   * @param beforeUpdate called before the first change of each parameter
   */
  UpdateWatch(Runnable beforeUpdate) {
    this.beforeUpdate = beforeUpdate;
  }

  /** Begins to count: the state has been restored, or starts fresh. */
  void start(Collection<Parameter> distinct) {
    parameters = List.copyOf(distinct);
    ready = true;
  }

  void before() {
    if (!ready) {
      throw new IllegalStateException(
          "The training began before it was resumed. Train with ckpt.fit(...), or iterate over"
              + " ckpt.dataset(...), or call ckpt.resume(trainer) after trainer.initialize(...)");
    }
    if (betweenBatches) {
      batchDelivered();
    }
    beforeUpdate.run();
  }

  void updated(String parameterId) {
    if (seen.isEmpty()) {
      expected = 0;
      for (Parameter parameter : parameters) {
        if (parameter.requiresGradient()) {
          expected++;
        }
      }
    }
    seen.add(parameterId);
    if (seen.size() >= expected) {
      seen.clear();
      updates++;
      updatedSinceBatch = true;
    }
  }

  void failed() {
    failedSinceBatch = true;
    seen.clear();
  }

  /** A batch is handed to the loop: what was a cut no longer is. */
  void batchDelivered() {
    updatedSinceBatch = false;
    failedSinceBatch = false;
    betweenBatches = false;
  }

  /** The loop is done with a batch whose delivery nobody saw: the next update is another's. */
  void batchEnds() {
    if (betweenBatches) {
      batchDelivered();
    }
    betweenBatches = true;
  }

  /** Optimizer updates since the start of the run. */
  long updates() {
    return updates;
  }

  /** Goes on from a restored count. */
  void updates(long count) {
    updates = count;
  }

  boolean atCut() {
    return updatedSinceBatch && !failedSinceBatch && seen.isEmpty();
  }
}
