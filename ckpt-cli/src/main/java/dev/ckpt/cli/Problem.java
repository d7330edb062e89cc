package dev.ckpt.cli;

/** Something that is said in one line and ends the command with a code of its own. */
final class Problem extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int code;

  Problem(int code, String message) {
    super(message);
    this.code = code;
  }

  int code() {
    return code;
  }
}
