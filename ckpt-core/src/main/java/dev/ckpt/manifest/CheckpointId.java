package dev.ckpt.manifest;

import dev.ckpt.Progress;
import java.util.Optional;

/**
 * Identity of a checkpoint: {@code 000007-000000001200-0}. Zero-padded and attempt first, so that
 * the order of the texts is the order in time within a branch.
 *
 * @param attempt the process that saved it, from 1
 * @param step optimizer updates done
 * @param phase 0 after a step, 1 after an epoch's end
 */
public record CheckpointId(int attempt, long step, int phase) implements Comparable<CheckpointId> {

  /** How many attempts a run can have: their numbers have six digits. */
  public static final int MOST_ATTEMPTS = 999_999;

  private static final String FORM = "000000-000000000000-0";

  private static final long MOST_STEPS = 999_999_999_999L;

  public CheckpointId {
    if (attempt < 1
        || attempt > MOST_ATTEMPTS
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
    if (text.length() != FORM.length()) {
      return Optional.empty();
    }
    // by hand: a list of many checkpoints parses several ids for each
    long[] numbers = new long[3];
    int number = 0;
    for (int i = 0; i < FORM.length(); i++) {
      char c = text.charAt(i);
      if (FORM.charAt(i) == '-') {
        if (c != '-') {
          return Optional.empty();
        }
        number++;
      } else if (c < '0' || c > '9') {
        return Optional.empty();
      } else {
        numbers[number] = numbers[number] * 10 + (c - '0');
      }
    }
    return numbers[0] < 1 || numbers[2] > 1
        ? Optional.empty()
        : Optional.of(new CheckpointId((int) numbers[0], numbers[1], (int) numbers[2]));
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
