package dev.ckpt;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * One process of a run: where it began, how far it came, how it ended. Times are by the clocks of
 * the processes that wrote them.
 *
 * @param number 1 for the first
 * @param request how it was asked to resume: {@code auto}, {@code never}, an id, ...
 * @param started whether it came so far as to resume or to start fresh
 * @param from the checkpoint that it went on from; empty for a fresh start
 * @param to the newest checkpoint that it committed, as far as it is still there or a later attempt
 *     went on from it
 * @param committed how many of its checkpoints are still there
 * @param end how it ended
 * @param cause with {@link End#FAILED} what it threw, else what there is to say of the end
 * @param step updates done when it ended, as far as that is known
 * @param startedAt when it was opened; empty if its record is damaged
 * @param endedAt when it ended, if it lived to say so
 * @param lostSteps updates that it did and nobody goes on from, if that is known
 * @param lostAtMost time between the checkpoint of its that the live branch has, or its start if
 *     there is none, and the moment at which it is known to be gone: no more than that was lost;
 *     empty if nobody can tell
 * @param live whether a part of it lies on the live branch
 * @param skipped newer checkpoints that it passed over, with the reasons
 * @param provenance facts by name: {@code host}, {@code pid}, {@code config.<key>}, ...
 */
public record Attempt(
    int number,
    String request,
    boolean started,
    Optional<String> from,
    Optional<String> to,
    int committed,
    End end,
    Optional<String> cause,
    OptionalLong step,
    Optional<Instant> startedAt,
    Optional<Instant> endedAt,
    OptionalLong lostSteps,
    Optional<Duration> lostAtMost,
    boolean live,
    List<String> skipped,
    Map<String, String> provenance) {

  /** How an attempt ended. */
  public enum End {
    /** It reached its goal. */
    COMPLETED,
    /** It was asked to end, and said so. */
    STOPPED,
    /** It let go of the run before the goal. */
    CLOSED,
    /** The training threw. */
    FAILED,
    /** It is gone and left no word: killed, or its machine died. */
    KILLED,
    /** Its process is there, on this machine. */
    RUNNING,
    /** It left no word and runs, or ran, on another machine. */
    UNKNOWN
  }

  public Attempt {
    skipped = List.copyOf(skipped);
    provenance = Map.copyOf(provenance);
  }
}
