package dev.ckpt.djl;

import ai.djl.training.dataset.Dataset;

/** Data that checkpoints have wrapped: wrapped again, what is inside counts once. */
sealed interface WrappedData extends Dataset permits TrainingData, ValidationData {
  /** The user's data. */
  Dataset source();

  Session session();

  /**
   * The user's data, wrapped or not.
   *
   * @throws IllegalArgumentException if another session has wrapped it, which would count it, too
   */
  static Dataset source(Dataset given, Session session) {
    if (!(given instanceof WrappedData wrapped)) {
      return given;
    }
    if (wrapped.session() != session) {
      throw new IllegalArgumentException(
          "These data were wrapped by other checkpoints, which would count them, too: give the"
              + " dataset itself");
    }
    return wrapped.source();
  }
}
