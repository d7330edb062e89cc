package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.ResumeRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Where the branch has got to on which a reference was first applied: what the same reference means
 * when it is asked for again.
 *
 * <p>Where a resume record is damaged or lost, the request of its attempt tells as much: who asked
 * for the latest went on from the branch of the attempt before, who named an id from that id. Where
 * nobody can tell whether an attempt that has checkpoints belongs to the branch, there is no
 * answer: going back to the reference would lose what it did.
 *
 * @param head the newest attempt of that branch
 * @param ids newest first, down to what was applied first
 */
public record Repeated(int head, List<CheckpointId> ids) {

  public Repeated {
    ids = List.copyOf(ids);
  }

  /**
   * Finds it.
   *
   * @param ids that a manifest decides about
   * @param run tells which of them were given up
   * @return empty if the reference was never applied
   * @throws CheckpointException.Corrupt if records are damaged that would have to tell
   */
  public static Optional<Repeated> find(
      Lineage lineage, String reference, NavigableSet<CheckpointId> ids, RunLog run)
      throws IOException {
    return new Search(lineage, reference, ids, run).find();
  }

  private static final class Search {
    private final Lineage lineage;
    private final String reference;
    private final NavigableSet<CheckpointId> ids;
    private final RunLog run;

    /** Attempts that resumed, whether the record says from what, is damaged, or is lost. */
    private final NavigableSet<Integer> started;

    Search(Lineage lineage, String reference, NavigableSet<CheckpointId> ids, RunLog run)
        throws IOException {
      this.run = run;
      this.lineage = lineage;
      this.reference = reference;
      this.ids = ids;
      this.started = new TreeSet<>(lineage.resumes().keySet());
      started.addAll(lineage.damaged().keySet());
      for (CheckpointId id : ids) {
        // an attempt records what it starts from before it saves anything
        if (!started.contains(id.attempt()) && !run.isAborted(id)) {
          started.add(id.attempt());
        }
      }
    }

    private boolean isLost(int attempt) {
      return !lineage.resumes().containsKey(attempt);
    }

    Optional<Repeated> find() throws IOException {
      for (int attempt : started) {
        if (reference.equals(request(attempt)) && !isFresh(attempt)) {
          int head = newestDescendant(attempt);
          return Optional.of(new Repeated(head, since(head, attempt)));
        }
      }
      for (int attempt : started.descendingSet()) {
        if (mayHaveApplied(attempt)) {
          int head = newestDescendant(attempt);
          requireNoProgress(attempt, head);
        }
      }
      return Optional.empty();
    }

    private @Nullable String request(int attempt) {
      AttemptRecord record = lineage.attempts().get(attempt);
      return record == null ? null : record.request();
    }

    private boolean isFresh(int attempt) {
      ResumeRecord resume = lineage.resumes().get(attempt);
      return resume != null && resume.applied().isEmpty();
    }

    /** Whether an attempt whose request is lost may have been asked for the reference. */
    private boolean mayHaveApplied(int attempt) {
      if (request(attempt) != null || isFresh(attempt)) {
        return false;
      }
      ResumeRecord resume = lineage.resumes().get(attempt);
      Optional<CheckpointId> named = CheckpointId.parse(reference);
      return named.isEmpty()
          || (resume == null ? attempt > named.get().attempt() : resume.applied().equals(named));
    }

    private void requireNoProgress(int attempt, int head) throws IOException {
      for (CheckpointId id : since(head, attempt)) {
        if (id.attempt() >= attempt && !run.isAborted(id)) {
          throw undecided(attempt, "was asked for '" + reference + "'", id);
        }
      }
    }

    /** The newest attempt whose branch goes through the start of {@code ancestor}. */
    private int newestDescendant(int ancestor) throws IOException {
      for (int attempt : started.tailSet(ancestor, false).descendingSet()) {
        CheckpointId at = CheckpointId.last(attempt);
        while (at != null && at.attempt() > ancestor) {
          if (isUnknown(at.attempt())) {
            for (CheckpointId newest : of(CheckpointId.last(attempt))) {
              if (!run.isAborted(newest)) {
                throw undecided(at.attempt(), "went on from '" + reference + "'", newest);
              }
            }
            at = null;
          } else {
            at = before(at.attempt());
          }
        }
        if (at != null && at.attempt() == ancestor) {
          return attempt;
        }
      }
      return ancestor;
    }

    /** The ids of the branch, newest first, down to what {@code first} applied. */
    private List<CheckpointId> since(int head, int first) {
      List<CheckpointId> since = new ArrayList<>();
      CheckpointId upTo = CheckpointId.last(head);
      while (true) {
        since.addAll(of(upTo));
        CheckpointId before = isUnknown(upTo.attempt()) ? null : before(upTo.attempt());
        if (upTo.attempt() <= first) {
          if (before != null && ids.contains(before)) {
            since.add(before);
          }
          return since;
        }
        if (before == null) {
          return since;
        }
        upTo = before;
      }
    }

    /** The ids of an attempt up to that one, newest first. */
    private NavigableSet<CheckpointId> of(CheckpointId upTo) {
      CheckpointId lowest = new CheckpointId(upTo.attempt(), 0, 0);
      return ids.subSet(lowest, true, upTo, true).descendingSet();
    }

    /** Whether neither the record nor the request of an attempt tells what it went on from. */
    private boolean isUnknown(int attempt) {
      if (!isLost(attempt)) {
        return false;
      }
      String request = request(attempt);
      return request == null
          || !(request.equals(reference)
              || isPlain(request)
              || CheckpointId.parse(request).isPresent()
              || sameBefore(attempt, request) != 0);
    }

    /** What an attempt went on from, or the last that can be of it; null for a fresh start. */
    private @Nullable CheckpointId before(int attempt) {
      ResumeRecord resume = lineage.resumes().get(attempt);
      if (resume != null) {
        return resume.applied().filter(id -> id.attempt() < attempt).orElse(null);
      }
      String request = request(attempt);
      if (request == null || request.equals(new Resume.Never().text())) {
        return null;
      }
      if (isPlain(request)) {
        Integer head = started.lower(attempt);
        return head == null ? null : CheckpointId.last(head);
      }
      int same = sameBefore(attempt, request);
      return same == 0
          ? CheckpointId.parse(request).filter(id -> id.attempt() < attempt).orElse(null)
          : CheckpointId.last(same);
    }

    private static boolean isPlain(String request) {
      return request.equals(new Resume.Auto().text())
          || request.equals(new Resume.Required().text())
          || request.equals(new Resume.Never().text());
    }

    /** The newest attempt before one that was asked for the same; 0 if there is none. */
    private int sameBefore(int attempt, String request) {
      for (int earlier : started.headSet(attempt, false).descendingSet()) {
        if (request.equals(request(earlier)) && !isFresh(earlier)) {
          return earlier;
        }
      }
      return 0;
    }

    private CheckpointException.Corrupt undecided(int attempt, String what, CheckpointId newest)
        throws IOException {
      return new CheckpointException.Corrupt(
          "resume: '"
              + reference
              + "': the records of attempt "
              + attempt
              + " are damaged or missing, so nobody can tell whether it "
              + what
              + ", and going back would lose what it did. "
              + (run.readableCommit(newest).isPresent()
                  ? "To go on from there, resume from "
                      + newest
                      + "; `ckpt verify` names the record, `ckpt repair` writes it again if its bytes"
                      + " can be proven"
                  : "Of that, "
                      + run.keys().manifest(newest)
                      + " cannot be read: `ckpt repair` writes it again if its bytes can be proven,"
                      + " or else sets it aside; then start again")
              + "; to start over, resume with 'never'",
          lineage.damaged().get(attempt));
    }
  }
}
