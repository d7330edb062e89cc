package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.internal.json.Envelope;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How an attempt ended; absent if it was killed.
 *
 * @param attempt whose
 * @param how {@link #COMPLETED}, {@link #STOPPED}, {@link #CLOSED} or {@link #FAILED}
 * @param goal what a completed run had to reach, such as {@code {"epochs": 20}}
 * @param endedAt by the clock of rank 0
 * @param cause what a failed one threw: class and message, in one line; of a closed one, by which
 *     attempt it was fenced
 * @param step updates done when it ended, if that is known; of a completed one those of its last
 *     checkpoint
 */
public record EndRecord(
    int attempt,
    String how,
    Map<String, Long> goal,
    Instant endedAt,
    Optional<String> cause,
    OptionalLong step) {

  /** The goal was reached. */
  public static final String COMPLETED = "completed";

  /** The process was asked to end. */
  public static final String STOPPED = "stopped";

  /** The manager was closed before the goal. */
  public static final String CLOSED = "closed";

  /** The training threw. */
  public static final String FAILED = "failed";

  private static final String KIND = "end";
  private static final String CAUSE = "cause";
  private static final String STEP = "step";

  public EndRecord {
    goal = Map.copyOf(goal);
  }

  /** An end about which there is no more to say. */
  public EndRecord(int attempt, String how, Map<String, Long> goal, Instant endedAt) {
    this(attempt, how, goal, endedAt, Optional.empty(), OptionalLong.empty());
  }

  /** The bytes on disk. */
  public byte[] encode() {
    ObjectNode body =
        Fields.object().put("attempt", attempt).put("how", how).put("endedAt", endedAt.toString());
    ObjectNode goals = body.putObject("goal");
    goal.forEach(goals::put);
    cause.ifPresent(text -> body.put(CAUSE, text));
    step.ifPresent(updates -> body.put(STEP, updates));
    return Envelope.seal(KIND, body);
  }

  /** Reads the bytes on disk; fails as {@link AttemptRecord#decode} does. */
  public static EndRecord decode(String name, byte[] bytes) {
    return Fields.read(KIND, name, bytes, EndRecord::read);
  }

  private static EndRecord read(Fields fields) {
    return new EndRecord(
        fields.small("attempt"),
        fields.text("how"),
        fields.longs("goal"),
        fields.instant("endedAt"),
        fields.has(CAUSE) ? Optional.of(fields.text(CAUSE)) : Optional.empty(),
        fields.has(STEP) ? OptionalLong.of(fields.integer(STEP)) : OptionalLong.empty());
  }
}
