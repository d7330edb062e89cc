package dev.ckpt.cli;

/**
 * What the command ends with. Scripts depend on these numbers: none is ever given another sense.
 */
final class Exit {
  static final int FINE = 0;

  /** {@code verify} found damage, {@code diff} a difference. */
  static final int FOUND = 1;

  static final int USAGE = 2;
  static final int NOT_FOUND = 3;

  /** The store failed, or what a command other than {@code verify} had to read is damaged. */
  static final int STORE = 4;

  static final int IN_USE = 5;
  static final int NEWER = 6;
  static final int BUG = 70;

  private Exit() {}
}
