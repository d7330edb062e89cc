package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.ResumeRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Attempts that failed one after the other at the same step, of the same cause: another one would
 * burn the night for the same end.
 *
 * <p>Looked at are the attempts on the way to the checkpoint to go on from, and those that began on
 * that way and brought nothing, newest first. Those that left no word say nothing: a machine that
 * dies is no reason to stop, nor to start counting anew. Neither do those that ended by what this
 * library said itself, or the store, or that do not know their step: a full disk goes by, and who
 * starts again with the model that fits, after a few that did not, must not be refused for those.
 * Each of them ends by itself, before anything was trained. Any other end, another step or cause,
 * or a checkpoint beyond the step ends the chain, and so does a start that was asked to be fresh.
 * Two causes are the same if they differ in numbers only: ids, addresses and times do each time.
 *
 * <p>An attempt that failed in its resume, before it recorded what it applies, is of the chain if
 * it was asked for the same as this one, and failed at the step of a checkpoint that this one may
 * take.
 *
 * @param step at which they failed
 * @param cause of the newest
 * @param attempts newest first
 */
public record CrashLoop(long step, String cause, List<Integer> attempts) {

  private static final Pattern NUMBER =
      Pattern.compile("(?<![A-Za-z])(0x)?[0-9a-f]*[0-9][0-9a-f]*(?![A-Za-z])");

  /** How the cause of an end begins that is no failure of the training: this library's own word. */
  private static final String OWN = CheckpointException.class.getName() + "$";

  public CrashLoop {
    attempts = List.copyOf(attempts);
  }

  /**
   * Finds it.
   *
   * @param ends how attempts ended, of those that said so
   * @param ids committed checkpoints, of all branches
   * @param request how the start is asked to resume
   * @param candidates what it may go on from, best first; empty for a start that finds none
   * @return empty if the newest attempt that left a word did not fail
   */
  public static Optional<CrashLoop> find(
      Lineage lineage,
      Map<Integer, EndRecord> ends,
      NavigableSet<CheckpointId> ids,
      String request,
      List<CheckpointId> candidates) {
    Optional<CheckpointId> start = candidates.stream().findFirst();
    List<Integer> chain = new ArrayList<>();
    OptionalLong step = OptionalLong.empty();
    String cause = "";
    List<CheckpointId> way = way(lineage, start);
    int root = way.isEmpty() ? Integer.MAX_VALUE : way.get(way.size() - 1).attempt();
    NavigableSet<Integer> attempts = new TreeSet<>(lineage.resumes().keySet());
    attempts.addAll(ends.keySet());
    for (int attempt : attempts.descendingSet()) {
      ResumeRecord resume = lineage.resumes().get(attempt);
      EndRecord end = word(ends.get(attempt));
      boolean triedTheSame =
          resume == null && end != null && tried(lineage, end, request, candidates);
      if (resume == null ? !triedTheSame : !on(way, root, resume)) {
        continue;
      }
      if (end != null) {
        if (!end.how().equals(EndRecord.FAILED)) {
          break;
        }
        String its = end.cause().orElse("");
        if (chain.isEmpty()) {
          step = end.step();
          cause = its;
        } else if (!step.equals(end.step()) || !same(cause, its)) {
          break;
        }
      }
      if (step.isPresent()
          && (triedTheSame
              ? passedSince(step.getAsLong(), attempt, ids)
              : beyond(step.getAsLong(), attempt, ids, start))) {
        break;
      }
      if (end != null) {
        chain.add(attempt);
      }
      if (startedOver(lineage, attempt)) {
        break;
      }
    }
    return chain.isEmpty()
        ? Optional.empty()
        : Optional.of(new CrashLoop(step.orElseThrow(), cause, chain));
  }

  /** An end that says something of the training, else null. */
  private static @Nullable EndRecord word(@Nullable EndRecord end) {
    return end == null
            || (end.how().equals(EndRecord.FAILED) && end.step().isEmpty())
            || end.cause().filter(its -> its.startsWith(OWN)).isPresent()
        ? null
        : end;
  }

  /** Whether an attempt that applied nothing failed on what this start may go on from. */
  private static boolean tried(
      Lineage lineage, EndRecord end, String request, List<CheckpointId> candidates) {
    AttemptRecord attempt = lineage.attempts().get(end.attempt());
    return attempt != null
        && attempt.request().equals(request)
        && !lineage.damaged().containsKey(end.attempt())
        && end.how().equals(EndRecord.FAILED)
        && (candidates.isEmpty()
            ? end.step().equals(OptionalLong.of(0))
            : candidates.stream().anyMatch(id -> end.step().equals(OptionalLong.of(id.step()))));
  }

  /**
   * The way from the start back to a root: of each attempt on it, the checkpoint that the next one
   * began with, the newest first.
   */
  private static List<CheckpointId> way(Lineage lineage, Optional<CheckpointId> start) {
    List<CheckpointId> way = new ArrayList<>();
    Optional<CheckpointId> at = start;
    while (at.isPresent()) {
      CheckpointId upTo = at.get();
      way.add(upTo);
      ResumeRecord before = lineage.resumes().get(upTo.attempt());
      at =
          before == null
              ? Optional.empty()
              : before.applied().filter(id -> id.attempt() < upTo.attempt());
    }
    return way;
  }

  /** Whether it is an attempt of the way, or began on it. */
  private static boolean on(List<CheckpointId> way, int root, ResumeRecord resume) {
    if (resume.applied().isEmpty()) {
      return resume.attempt() <= root;
    }
    CheckpointId from = resume.applied().get();
    return way.stream()
        .anyMatch(
            upTo ->
                upTo.attempt() == resume.attempt()
                    || (upTo.attempt() == from.attempt() && from.compareTo(upTo) <= 0));
  }

  /** Whether it was asked to leave everything behind. */
  private static boolean startedOver(Lineage lineage, int attempt) {
    AttemptRecord record = lineage.attempts().get(attempt);
    return record != null && record.request().equals(new Resume.Never().text());
  }

  /** Whether the attempt, or the checkpoint to go on from, got further than the step. */
  private static boolean beyond(
      long step, int attempt, NavigableSet<CheckpointId> ids, Optional<CheckpointId> start) {
    CheckpointId last = ids.floor(CheckpointId.last(attempt));
    return (last != null && last.attempt() == attempt && last.step() > step)
        || start.filter(id -> id.step() > step).isPresent();
  }

  /**
   * Whether a later attempt got further than the step: of one that failed in its resume, the
   * checkpoint to go on from says nothing, because it may be a newer one that was passed over.
   */
  private static boolean passedSince(long step, int attempt, NavigableSet<CheckpointId> ids) {
    return ids.tailSet(CheckpointId.last(attempt), false).stream().anyMatch(id -> id.step() > step);
  }

  private static boolean same(String cause, String other) {
    return NUMBER.matcher(cause).replaceAll("#").equals(NUMBER.matcher(other).replaceAll("#"));
  }

  /** What to throw. */
  CheckpointException.CrashLoop exception(String run) {
    return new CheckpointException.CrashLoop(
        "run '"
            + run
            + "' failed at step "
            + step
            + " in "
            + (attempts.size() == 1 ? "the last attempt" : attempts.size() + " attempts in a row")
            + " ("
            + String.join(", ", attempts.stream().sorted().map(String::valueOf).toList())
            + ") and got no further: "
            + cause
            + "\nNothing was started. Mend the program or its data, then start once with"
            + " CKPT_CRASH_LOOP=0; or resume an older checkpoint by its id; or start over with"
            + " 'resume: never'.");
  }
}
