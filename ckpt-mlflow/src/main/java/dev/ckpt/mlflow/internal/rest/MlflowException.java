package dev.ckpt.mlflow.internal.rest;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A call that did not do what it should have done. Its message never holds credentials. */
public final class MlflowException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What may help. */
  public enum Kind {
    /** No answer: nothing listens, a reset, a time-out. Later. */
    UNREACHABLE,
    /** It answered that it cannot now (429, 5xx). Later. */
    BUSY,
    /** It does not let us in (401, 403). Later, with other credentials. */
    FORBIDDEN,
    /** There is no such thing. */
    NOT_FOUND,
    /** It is there already. */
    EXISTS,
    /** It will not have this (other 4xx). */
    REFUSED
  }

  private final Kind kind;
  private final transient Optional<Duration> retryAfter;

  MlflowException(
      Kind kind, String message, Optional<Duration> retryAfter, @Nullable Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.retryAfter = retryAfter;
  }

  /** An error that is found without a call. */
  public MlflowException(Kind kind, String message) {
    super(message);
    this.kind = kind;
    this.retryAfter = Optional.empty();
  }

  public Kind kind() {
    return kind;
  }

  /** When the server wants to be asked again. */
  public Optional<Duration> retryAfter() {
    return retryAfter;
  }

  /** Whether the same call may succeed later, without a change of what is sent. */
  public boolean isPassing() {
    return kind == Kind.UNREACHABLE || kind == Kind.BUSY || kind == Kind.FORBIDDEN;
  }
}
