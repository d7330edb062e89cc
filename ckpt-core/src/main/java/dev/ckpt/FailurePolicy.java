package dev.ckpt;

/** What a save that failed for good does to the training. */
public enum FailurePolicy {
  /**
   * One warning for each kind of failure since the last commit; training goes on; {@code close()}
   * says how many failed.
   */
  WARN,
  /** The next call of the training thread throws the failure. */
  FAIL
}
