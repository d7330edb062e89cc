package dev.ckpt.internal.run;

import dev.ckpt.CheckpointException;
import java.io.IOException;
import java.util.OptionalLong;
import java.util.function.Predicate;

/**
 * What ended a training, and where it stood.
 *
 * @param cause class and message of what was thrown, one line, at most {@link #LONGEST} characters
 * @param step updates done; empty if nobody knows
 */
public record Failure(String cause, OptionalLong step) {

  /** Enough for a class and a sentence; a record of the end is no place for a stack. */
  static final int LONGEST = 500;

  /** Tells it from what was thrown. */
  public static Failure of(Throwable thrown, long step) {
    return new Failure(cause(thrown), OptionalLong.of(step));
  }

  /**
   * Tells it of a resume. One that a store brought about says nothing of the training, not even
   * where it stands.
   *
   * @param step of the checkpoint that was to be applied, 0 for a fresh start
   */
  public static Failure ofResume(Throwable thrown, long step) {
    return has(thrown, IOException.class::isInstance)
        ? new Failure(cause(thrown), OptionalLong.empty())
        : of(thrown, step);
  }

  private static String cause(Throwable thrown) {
    String text = said(thrown);
    Throwable root = root(thrown);
    if (root != thrown && !text.contains(root.getClass().getName())) {
      text = shortened(text, LONGEST / 2) + " <- " + said(root);
    }
    return shortened(text, LONGEST);
  }

  /**
   * Whether it is a failure of this attempt: a process that was fenced, or has to be started again
   * with others, ends because the run goes on elsewhere.
   */
  public static boolean counts(Throwable thrown) {
    return !isFenced(thrown) && !has(thrown, CheckpointException.RestartRequired.class::isInstance);
  }

  /** Whether it says that another attempt has taken the run. */
  public static boolean isFenced(Throwable thrown) {
    return has(thrown, CheckpointException.Fenced.class::isInstance);
  }

  private static boolean has(Throwable thrown, Predicate<Throwable> what) {
    Throwable each = thrown;
    for (int depth = 0; each != null && depth < DEEPEST; depth++) {
      if (what.test(each)) {
        return true;
      }
      each = each.getCause();
    }
    return false;
  }

  /** Chains of causes may be circular. */
  private static final int DEEPEST = 20;

  private static Throwable root(Throwable thrown) {
    Throwable root = thrown;
    for (int depth = 0; depth < DEEPEST && root.getCause() != null; depth++) {
      root = root.getCause();
    }
    return root;
  }

  /** An exception's own {@code getMessage} may throw. */
  private static String said(Throwable thrown) {
    String message;
    try {
      message = thrown.getMessage();
    } catch (RuntimeException e) {
      message = null;
    }
    String name = thrown.getClass().getName();
    return line(message == null || message.isBlank() ? name : name + ": " + message, 2 * LONGEST);
  }

  /** One line of whole characters: half of a pair is no text that a record could hold. */
  static String line(String text, int most) {
    StringBuilder line = new StringBuilder();
    text.codePoints()
        .limit(most)
        .map(each -> Character.isISOControl(each) || Character.isWhitespace(each) ? ' ' : each)
        .map(
            each -> each >= Character.MIN_SURROGATE && each <= Character.MAX_SURROGATE ? '?' : each)
        .forEach(line::appendCodePoint);
    return line.toString().trim().replaceAll(" {2,}", " ");
  }

  private static String shortened(String text, int most) {
    if (text.length() <= most) {
      return text;
    }
    int end = most - 3;
    return text.substring(0, Character.isHighSurrogate(text.charAt(end - 1)) ? end - 1 : end)
        + "...";
  }
}
