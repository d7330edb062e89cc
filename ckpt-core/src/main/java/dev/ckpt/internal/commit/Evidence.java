package dev.ckpt.internal.commit;

import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What tells that an id was committed once whose manifest is missing: a <em>lost</em> id. It has
 * files, no decision, no mark, no decision in quarantine, and was committed by what others say:
 * FORMAT.md, "Lost manifests". Why, in one clause, for each.
 *
 * <p>Nothing of this makes an id a checkpoint. It only keeps what is there from being taken for the
 * left-over of a save that never was.
 *
 * @param proven an attempt began with it, something was saved after it, or committed behind its
 *     vote, a run was completed with it, somebody pinned it, or it alone can be what something
 *     older was deleted for
 * @param witnesses undecided ids whose votes tell of a proven one, by that: without them nothing
 *     would
 * @param likely the last that an attempt saved which ended in order, in a run that lost others
 * @param untold of which nobody can tell, because records of the run are missing that were written
 *     before their files, or beside them
 * @param behindMark those of them that nobody could tell from the left-overs of a crash once
 *     another one of them is committed
 * @param voted what else has a vote, if it is untold, or the run lost other manifests: whoever
 *     reads all votes may commit it, and who brings the others back must, or nothing tells of it
 */
public record Evidence(
    NavigableMap<CheckpointId, String> proven,
    NavigableMap<CheckpointId, String> likely,
    NavigableMap<CheckpointId, CheckpointId> witnesses,
    NavigableMap<CheckpointId, String> untold,
    NavigableSet<CheckpointId> behindMark,
    NavigableMap<CheckpointId, String> voted) {

  private static final String SAVED_AFTER = " was saved after it";
  private static final String OTHERS_ARE_GONE =
      "it has a vote, and other manifests of the run are gone";
  private static final Mended NOTHING_MENDED =
      new Mended(List.of(), List.of(), Map.of(), Collections.emptyNavigableSet());

  /** What is known of the ids above that one; of all without it. */
  public static Evidence above(Optional<CheckpointId> after, RunLog run) throws IOException {
    Keys keys = run.keys();
    NavigableSet<CheckpointId> all = run.idsUnder(keys.data());
    all.addAll(run.idsUnder(keys.votes()));
    if (!all.isEmpty()) {
      all.removeAll(run.idsUnder(keys.manifests()));
      all.removeAll(run.deleted());
      all.removeAll(run.quarantined());
    }
    NavigableSet<CheckpointId> asked =
        new TreeSet<>(after.map(id -> all.tailSet(id, false)).orElse(all));
    return of(asked, all, run, NOTHING_MENDED);
  }

  /** What is wrong with an id that is not decided, in one clause; empty if nothing is known. */
  public Optional<String> damage(CheckpointId id) {
    return Optional.ofNullable(all().get(id))
        .map(Evidence::lost)
        .or(
            () ->
                Optional.ofNullable(untold.get(id))
                    .map(why -> "nobody can tell whether it was committed: " + why));
  }

  private static String lost(String why) {
    return "its manifest is missing, and it was committed: " + why;
  }

  /**
   * What is wrong with one undecided id; the next one is asked first, so that many can be asked
   * about.
   */
  public static Optional<String> damage(CheckpointId id, RunLog run) throws IOException {
    Keys keys = run.keys();
    NavigableSet<CheckpointId> later = run.idsUnder(keys.manifests());
    for (String key : run.keysUnder(keys.votes(), keys.votes() + id + "0")) {
      keys.idOf(key).ifPresent(later::add);
    }
    CheckpointId next = later.higher(id);
    if (next != null
        && run.votes(next, keys.votes(next)).stream()
            .anyMatch(vote -> vote.parent().equals(Optional.of(id)))
        && settled(List.of(id), run).isEmpty()) {
      return Optional.of(lost(next + SAVED_AFTER));
    }
    return above(Optional.empty(), run).damage(id);
  }

  /**
   * Looks at these.
   *
   * @param undecided ids with files, which nothing decides, marks or holds in quarantine
   */
  public static Evidence of(NavigableSet<CheckpointId> undecided, RunLog run) throws IOException {
    return of(undecided, undecided, run, NOTHING_MENDED);
  }

  /**
   * Records that cannot be read, or not yet, and what they say: proven, and to be written again.
   *
   * @param unproven ids whose decision nothing that is left of it proves: they are as good as
   *     undecided
   */
  public record Mended(
      Collection<ResumeRecord> resumes,
      Collection<EndRecord> ends,
      Map<CheckpointId, Manifest> decisions,
      NavigableSet<CheckpointId> unproven) {}

  /** As {@link #of(NavigableSet, RunLog)}, for who will mend records. */
  public static Evidence of(NavigableSet<CheckpointId> undecided, RunLog run, Mended mended)
      throws IOException {
    return of(undecided, undecided, run, mended);
  }

  /**
   * @param all of the run: what others lack tells of the asked ones, too
   */
  private static Evidence of(
      NavigableSet<CheckpointId> asked, NavigableSet<CheckpointId> all, RunLog run, Mended mended)
      throws IOException {
    NavigableSet<CheckpointId> undecided = new TreeSet<>(asked);
    undecided.addAll(mended.unproven());
    NavigableMap<CheckpointId, String> proven = new TreeMap<>();
    NavigableMap<CheckpointId, String> likely = new TreeMap<>();
    NavigableMap<CheckpointId, CheckpointId> witnesses = new TreeMap<>();
    Silence silence = Silence.of(asked.isEmpty() ? asked : all, run);
    NavigableMap<CheckpointId, String> untold = new TreeMap<>();
    NavigableMap<CheckpointId, String> voted = new TreeMap<>();
    if (!undecided.isEmpty()) {
      Search search = new Search(undecided, silence.voted(), run);
      search.into(mended, proven, likely);
      silence.withoutDecision(search.named);
      silence.proven().forEach(proven::putIfAbsent);
      NavigableSet<CheckpointId> lost = new TreeSet<>(proven.keySet());
      if (!lost.isEmpty()) {
        lost.addAll(likely.keySet());
      }
      silence.behindMarks(lost, search.named);
      silence.proven().forEach(proven::putIfAbsent);
      proven.keySet().retainAll(undecided);
      likely.keySet().removeAll(proven.keySet());
      untold.putAll(silence.untold());
      untold.keySet().retainAll(asked);
      silence.voted().stream()
          .filter(asked::contains)
          .forEach(id -> voted.put(id, untold.getOrDefault(id, OTHERS_ARE_GONE)));
      // who was at work meanwhile has decided, or marked what it deletes, or left no file
      for (NavigableMap<CheckpointId, String> ids : List.of(proven, likely, untold, voted)) {
        List<CheckpointId> settled = settled(ids.keySet(), run);
        settled.removeAll(mended.unproven());
        ids.keySet().removeAll(settled);
      }
      likely.keySet().removeAll(mended.unproven());
      if (proven.isEmpty()) {
        likely.clear();
      }
      voted.keySet().removeAll(proven.keySet());
      voted.keySet().removeAll(likely.keySet());
      if (mended.unproven().containsAll(proven.keySet())) {
        voted.keySet().retainAll(untold.keySet());
      }
      search.parents.forEach(
          (id, parent) -> {
            if (undecided.contains(id) && proven.containsKey(parent)) {
              witnesses.put(id, parent);
            }
          });
    }
    NavigableSet<CheckpointId> behindMark = silence.behindMark();
    behindMark.retainAll(untold.keySet());
    return new Evidence(proven, likely, witnesses, untold, behindMark, voted);
  }

  /** As this, with other witnesses. */
  public Evidence witnessedBy(NavigableMap<CheckpointId, CheckpointId> others) {
    return new Evidence(proven, likely, others, untold, behindMark, voted);
  }

  /** Both together. */
  public NavigableMap<CheckpointId, String> all() {
    NavigableMap<CheckpointId, String> all = new TreeMap<>(likely);
    all.putAll(proven);
    return all;
  }

  /** Those that are decided, marked or gone since they were listed. */
  static List<CheckpointId> settled(Collection<CheckpointId> ids, RunLog run) throws IOException {
    List<CheckpointId> settled = new ArrayList<>();
    if (ids.isEmpty()) {
      return settled;
    }
    NavigableSet<CheckpointId> since = run.idsUnder(run.keys().manifests());
    since.addAll(run.quarantined());
    since.addAll(run.deleted());
    for (CheckpointId id : ids) {
      if (since.contains(id)
          || (run.keysUnder(run.keys().data(id), "").isEmpty()
              && run.keysUnder(run.keys().votes(id), "").isEmpty())) {
        settled.add(id);
      }
    }
    return settled;
  }

  /** One look through the records. */
  private static final class Search {
    private final NavigableSet<CheckpointId> undecided;
    private final NavigableSet<CheckpointId> voted;
    private final RunLog run;
    private final NavigableMap<CheckpointId, String> said = new TreeMap<>();
    private final Map<CheckpointId, Instant> savedAt = new HashMap<>();
    private final NavigableMap<CheckpointId, CheckpointId> parents = new TreeMap<>();

    /** What was committed, as records say that are not its own, whether it is decided or not. */
    private final NavigableSet<CheckpointId> named = new TreeSet<>();

    Search(NavigableSet<CheckpointId> undecided, NavigableSet<CheckpointId> voted, RunLog run) {
      this.undecided = undecided;
      this.voted = voted;
      this.run = run;
    }

    void into(
        Mended mended,
        NavigableMap<CheckpointId, String> proven,
        NavigableMap<CheckpointId, String> likely)
        throws IOException {
      run.resumed().forEach(this::applied);
      mended.resumes().forEach(this::applied);
      for (Manifest decision : mended.decisions().values()) {
        if (decision instanceof Manifest.Commit commit) {
          committed(commit);
        }
      }
      NavigableSet<CheckpointId> later =
          new TreeSet<>(run.idsUnder(run.keys().manifests()).tailSet(undecided.first(), false));
      NavigableSet<CheckpointId> unread = new TreeSet<>(undecided);
      NavigableSet<CheckpointId> saved = new TreeSet<>();
      for (RunLog.Decision each : run.decisions(later)) {
        Manifest decision = each.manifest().orElse(mended.decisions().get(each.id()));
        if (decision instanceof Manifest.Commit commit) {
          committed(commit);
          saved.add(commit.id());
        } else if (decision == null && each.unreadable().isPresent()) {
          unread.add(each.id());
          saved.add(each.id());
        } else if (Committer.isWithdrawn(decision)) {
          saved.add(each.id());
        }
      }
      for (CheckpointId id : unread) {
        for (Vote vote : run.votes(id, run.keys().votes(id))) {
          parent(id, vote.parent());
          if (vote.rank() == 0) {
            savedAt.put(id, vote.savedAt());
          }
        }
      }
      // what a repair moved aside since tells it, too
      for (CheckpointId id : run.quarantined().tailSet(undecided.first(), false)) {
        String votes = run.keys().quarantined(Optional.of(id), run.keys().votes(id));
        run.votes(id, votes).forEach(vote -> parent(id, vote.parent()));
        run.quarantined(id).forEach(commit -> parent(id, commit.parent()));
      }
      ends(saved, mended.ends(), likely);
      // last: a pin may be taken back
      run.pinned().forEach(id -> said.putIfAbsent(id, "it is pinned"));
      said.keySet().retainAll(undecided);
      proven.putAll(said);
      likely.keySet().removeAll(said.keySet());
    }

    private void applied(ResumeRecord resume) {
      resume
          .applied()
          .ifPresent(
              id -> {
                said.putIfAbsent(id, "attempt " + resume.attempt() + " began with it");
                named.add(id);
              });
      for (String why : resume.skipped()) {
        // its branch was left for that, and with it perhaps what tells of it
        CheckpointId.parse(why.substring(0, Math.max(0, why.indexOf(':'))))
            .ifPresent(
                id ->
                    said.putIfAbsent(
                        id,
                        "attempt " + resume.attempt() + " passed over it as a damaged checkpoint"));
      }
    }

    private void committed(Manifest.Commit commit) {
      parent(commit.id(), commit.parent());
      savedAt.put(commit.id(), commit.committedAt());
    }

    private void parent(CheckpointId id, Optional<CheckpointId> parent) {
      parent.ifPresent(
          of -> {
            said.putIfAbsent(of, id + SAVED_AFTER);
            parents.put(id, of);
            named.add(of);
          });
    }

    /** Whether an end does not tell at which step the run was completed. */
    private static boolean isSilent(EndRecord end) {
      return !end.how().equals(EndRecord.COMPLETED) || end.step().isEmpty();
    }

    /** Saves of another try at a completed run's last step have no file, or its id. */
    private static boolean isLastOf(EndRecord end, CheckpointId id) {
      return end.how().equals(EndRecord.COMPLETED) && end.step().equals(OptionalLong.of(id.step()));
    }

    /** Who says that it reached its goal has seen its last state committed; who closes has not. */
    private void ends(
        NavigableSet<CheckpointId> saved,
        Collection<EndRecord> mended,
        NavigableMap<CheckpointId, String> likely)
        throws IOException {
      NavigableMap<Integer, CheckpointId> last = new TreeMap<>();
      NavigableMap<Integer, EndRecord> ends = new TreeMap<>();
      mended.forEach(end -> ends.put(end.attempt(), end));
      NavigableSet<CheckpointId> all = new TreeSet<>(saved);
      all.addAll(undecided);
      for (CheckpointId id : all) {
        if (!ends.containsKey(id.attempt())) {
          run.end(id.attempt()).ifPresent(end -> ends.put(id.attempt(), end));
        }
        EndRecord end = ends.get(id.attempt());
        Instant at = savedAt.get(id);
        // what cannot be read may have been the last; a file without vote was none
        boolean before =
            at == null
                ? saved.contains(id) || voted.contains(id)
                : end != null && !at.isAfter(end.endedAt());
        if (end != null && (isSilent(end) ? before : isLastOf(end, id))) {
          last.put(id.attempt(), id);
        }
      }
      for (CheckpointId id : last.values()) {
        EndRecord end = ends.get(id.attempt());
        if (end == null || !undecided.contains(id)) {
          continue;
        }
        if (end.how().equals(EndRecord.COMPLETED)) {
          said.putIfAbsent(id, "attempt " + id.attempt() + " completed the run with it");
        } else if (!end.how().equals(EndRecord.FAILED)
            && end.step().equals(OptionalLong.of(id.step()))) {
          likely.put(
              id,
              "attempt "
                  + id.attempt()
                  + " ended in order at its step, and other manifests of the run are gone");
        }
      }
    }
  }
}
