package dev.ckpt;

/** How long a tensor stays unchanged after the cut at which it is captured. */
public enum Stability {
  /**
   * May change as soon as {@code capture} returns (BatchNorm statistics): copied at once. All that
   * must be copied at once, opaque bytes included, has to fit the staging budget.
   */
  COPY_NOW,
  /**
   * Changes only in the next optimizer update (weights, slots): may be copied up to {@link
   * CheckpointManager#beforeUpdate()}.
   */
  STABLE_UNTIL_UPDATE
}
