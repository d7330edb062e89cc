package dev.ckpt.manifest;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ckpt.internal.json.Envelope;
import java.time.Instant;
import java.util.Map;

/**
 * How an attempt ended; absent if it was killed.
 *
 * @param attempt whose
 * @param how {@link #COMPLETED}, {@link #STOPPED} or {@link #CLOSED}
 * @param goal what a completed run had to reach, such as {@code {"epochs": 20}}
 * @param endedAt by the clock of rank 0
 */
public record EndRecord(int attempt, String how, Map<String, Long> goal, Instant endedAt) {

  /** The goal was reached. */
  public static final String COMPLETED = "completed";

  /** The process was asked to end. */
  public static final String STOPPED = "stopped";

  /** The manager was closed before the goal. */
  public static final String CLOSED = "closed";

  private static final String KIND = "end";

  public EndRecord {
    goal = Map.copyOf(goal);
  }

  /** The bytes on disk. */
  public byte[] encode() {
    ObjectNode body =
        Fields.object().put("attempt", attempt).put("how", how).put("endedAt", endedAt.toString());
    ObjectNode goals = body.putObject("goal");
    goal.forEach(goals::put);
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
        fields.instant("endedAt"));
  }
}
