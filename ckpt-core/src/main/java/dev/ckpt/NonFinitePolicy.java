package dev.ckpt;

/**
 * What happens to a checkpoint with a NaN or an infinity in a floating-point tensor. Whatever it
 * says, such a checkpoint is marked, is never the latest or the best, and evicts no finite one.
 */
public enum NonFinitePolicy {
  /** Save it quietly. */
  KEEP,
  /** Save it and warn once. */
  WARN,
  /** Do not commit it; the save fails. */
  FAIL
}
