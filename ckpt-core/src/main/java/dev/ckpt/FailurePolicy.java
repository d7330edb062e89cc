package dev.ckpt;

/** What a save that failed for good does to the training. */
public enum FailurePolicy {
  /** One warning for each kind of failure; training goes on; {@code close()} reports it. */
  WARN,
  /** The next call of the training thread throws the failure. */
  FAIL
}
