package dev.ckpt;

import org.jspecify.annotations.Nullable;

/** Something that a caller reacts to; one type for each different reaction. */
public abstract sealed class CheckpointException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private CheckpointException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }

  /** Bytes are not what was written. Reaction: fall back to an older checkpoint. */
  public static final class Corrupt extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public Corrupt(String message) {
      super(message, null);
    }

    public Corrupt(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** What was asked for is not there. Reaction: ask for something else. */
  public static final class NotFound extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public NotFound(String message) {
      super(message, null);
    }
  }

  /**
   * Whole, but it does not fit: another structure, a newer format version. Reaction: change the
   * program or its version; nothing was changed.
   */
  public static final class Incompatible extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public Incompatible(String message) {
      super(message, null);
    }

    public Incompatible(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** A save did not commit, and never will. Older checkpoints are untouched. */
  public static final class SaveFailed extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public SaveFailed(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * A save may or may not have committed, or may do so yet. Reaction: clean nothing up; the next
   * start finds out.
   */
  public static final class CommitUnknown extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public CommitUnknown(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  /** Another process has, or has taken over, this run. Reaction: stop this one. */
  public static final class Fenced extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public Fenced(String message) {
      super(message, null);
    }
  }

  /**
   * The last attempts failed at the same step, of the same cause, and got no further; the message
   * names both. Reaction: do not restart; mend the cause, then start once with the limit off. No
   * attempt was taken.
   */
  public static final class CrashLoop extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public CrashLoop(String message) {
      super(message, null);
    }
  }

  /** A worker was restarted alone. Reaction: restart all workers. */
  public static final class RestartRequired extends CheckpointException {
    private static final long serialVersionUID = 1L;

    public RestartRequired(String message) {
      super(message, null);
    }
  }
}
