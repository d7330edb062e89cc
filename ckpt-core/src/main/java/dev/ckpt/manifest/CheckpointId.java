package dev.ckpt.manifest;

import dev.ckpt.Progress;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Identity of a checkpoint: {@code 000007-000000001200-0}. Zero-padded and attempt first, so that
 * the order of the texts is the order in time within a branch.
 *
 * @param attempt the process that saved it, from 1
 * @param step optimizer updates done
 * @param phase 0 after a step, 1 after an epoch's end
 */
public record CheckpointId(int attempt, long step, int phase) implements Comparable<CheckpointId> {

  private static final Pattern FORM = Pattern.compile("(\\d{6})-(\\d{12})-([01])");

  private static final long MOST_STEPS = 999_999_999_999L;

  public CheckpointId {
    if (attempt < 1
        || attempt > 999_999
        || step < 0
        || step > MOST_STEPS
        || phase < 0
        || phase > 1) {
      throw new IllegalArgumentException(
          "no checkpoint id: attempt " + attempt + " step " + step + " phase " + phase);
    }
  }

  /** The id that a save of this attempt at this progress gets. */
  public static CheckpointId of(int attempt, Progress progress) {
    return new CheckpointId(attempt, progress.step(), progress.phase().ordinal());
  }

  /** The greatest id that an attempt can have. */
  public static CheckpointId last(int attempt) {
    return new CheckpointId(attempt, MOST_STEPS, 1);
  }

  /** Reads the text form; empty if it is none. */
  public static Optional<CheckpointId> parse(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches() || Integer.parseInt(matcher.group(1)) < 1) {
      return Optional.empty();
    }
    return Optional.of(
        new CheckpointId(
            Integer.parseInt(matcher.group(1)),
            Long.parseLong(matcher.group(2)),
            Integer.parseInt(matcher.group(3))));
  }

  @Override
  public int compareTo(CheckpointId other) {
    int byAttempt = Integer.compare(attempt, other.attempt);
    if (byAttempt != 0) {
      return byAttempt;
    }
    int byStep = Long.compare(step, other.step);
    return byStep != 0 ? byStep : Integer.compare(phase, other.phase);
  }

  /** The text form. */
  @Override
  public String toString() {
    return padded(attempt, 6) + "-" + padded(step, 12) + "-" + phase;
  }

  static String padded(long number, int digits) {
    String text = Long.toString(number);
    return "0".repeat(digits - text.length()) + text;
  }
}
