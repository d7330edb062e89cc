package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import java.io.IOException;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What it means that an id with files lacks words which an attempt writes before them, beside them
 * or after them. A run tells of each of its attempts in an order, whatever dies when: the resume
 * record is there before any file; a vote follows each shard, or ABORT does before the attempt's
 * next shard, so a crash leaves the shards of <em>one</em> save without a word; a mark is set only
 * when something newer on the same branch is committed, and that stays; it decides about what it
 * saved before it commits anything newer, unless the store does not answer for that one; and that
 * the run was completed is said behind the last commit. What breaks the order has lost records:
 * FORMAT.md, "Lost manifests".
 *
 * <p>It is asked about attempts and about commits, never about the run or about keys: an ABORT, an
 * end in quarantine, or what another attempt committed unsays nothing.
 */
final class Silence {
  private final RunLog run;
  private final Keys keys;
  private final NavigableSet<CheckpointId> undecided;
  private final NavigableMap<CheckpointId, String> proven = new TreeMap<>();
  private final NavigableMap<CheckpointId, String> untold = new TreeMap<>();
  private final NavigableSet<CheckpointId> behindMark = new TreeSet<>();
  private NavigableSet<CheckpointId> voted = new TreeSet<>();

  /** What was committed, and of which nothing is left, not even the mark of its deletion. */
  private final NavigableSet<CheckpointId> swept = new TreeSet<>();

  private Silence(RunLog run, NavigableSet<CheckpointId> undecided) {
    this.run = run;
    this.keys = run.keys();
    this.undecided = undecided;
  }

  /**
   * Looks at these. Records are looked at after the files were listed that follow them: an attempt
   * that begins meanwhile is not taken for one that lost its beginning.
   */
  static Silence of(NavigableSet<CheckpointId> undecided, RunLog run) throws IOException {
    Silence silence = new Silence(run, undecided);
    if (!undecided.isEmpty()) {
      silence.withoutBeginning();
      silence.withoutVote();
    }
    return silence;
  }

  /** All ids of the run that have a vote, whether that can be read or not. */
  NavigableSet<CheckpointId> voted() {
    return voted;
  }

  /** What was committed, by what its attempt did since or as it is all that can have been; why. */
  NavigableMap<CheckpointId, String> proven() {
    return proven;
  }

  /** Of which nobody can tell whether it was, and why. */
  NavigableMap<CheckpointId, String> untold() {
    return untold;
  }

  /** Those of the untold of which only a mark tells, and only until something newer is there. */
  NavigableSet<CheckpointId> behindMark() {
    return behindMark;
  }

  private void withoutBeginning() throws IOException {
    Set<Integer> begun = new HashSet<>();
    for (String folder :
        List.of(keys.resumes(), keys.quarantined(Optional.empty(), keys.resumes()))) {
      run.keysUnder(folder, "").forEach(key -> keys.attemptOf(key).ifPresent(begun::add));
    }
    for (CheckpointId id : undecided) {
      if (!begun.contains(id.attempt())) {
        untold.put(
            id,
            keys.resume(id.attempt())
                + " is missing, which is there before attempt "
                + id.attempt()
                + " saves anything");
      }
    }
  }

  private void withoutVote() throws IOException {
    voted = run.idsUnder(keys.votes());
    NavigableSet<CheckpointId> wordless = new TreeSet<>(undecided);
    wordless.removeAll(voted);
    // who is at work has decided by now about all but the last of those that were listed
    wordless.removeAll(Evidence.settled(wordless, run));
    for (CheckpointId id : wordless) {
      int attempt = id.attempt();
      int own = of(attempt, wordless).size();
      if (own > 1) {
        untold.putIfAbsent(
            id,
            "attempt "
                + attempt
                + " has shards of "
                + own
                + " checkpoints with neither vote nor manifest, and a crash leaves those of one");
      } else if (of(attempt, voted).isEmpty() && completedItsOwn(attempt)) {
        untold.putIfAbsent(
            id, "attempt " + attempt + " completed the run, and has not one vote or commit");
      }
    }
  }

  /**
   * An attempt decides about what has its vote before it commits anything newer.
   *
   * @param named what was committed, as records say that are not its own
   */
  void withoutDecision(NavigableSet<CheckpointId> named) throws IOException {
    NavigableSet<CheckpointId> passed = new TreeSet<>(undecided);
    passed.retainAll(voted);
    passed.removeAll(untold.keySet());
    for (CheckpointId id : List.copyOf(passed)) {
      // a vote that is another's, with no shard beside it, was put there by somebody
      if (run.votes(id, keys.votes(id)).isEmpty() && run.keysUnder(keys.data(id), "").isEmpty()) {
        passed.remove(id);
      }
    }
    if (passed.isEmpty()) {
      return;
    }
    NavigableSet<CheckpointId> told = run.deleted();
    told.addAll(run.quarantined());
    told.addAll(named);
    NavigableSet<CheckpointId> manifests = run.idsUnder(keys.manifests());
    for (CheckpointId id : passed) {
      NavigableSet<CheckpointId> newer =
          of(id.attempt(), manifests).tailSet(id, false).descendingSet();
      CheckpointId next = of(id.attempt(), told).higher(id);
      for (CheckpointId each : next == null ? newer : List.<CheckpointId>of()) {
        if (isAnyCommitted(List.of(each))) {
          next = each;
          break;
        }
      }
      if (next != null) {
        proven.put(id, "it has its vote, and its attempt has committed " + next + " since");
      }
    }
  }

  /** Who began with nothing, and completed the run, has committed; another may only have looked. */
  private boolean completedItsOwn(int attempt) throws IOException {
    return run.isCompleted(attempt)
        && run.resumed().stream()
            .noneMatch(each -> each.attempt() == attempt && each.applied().isPresent())
        && !isAnyCommitted(of(attempt, run.idsUnder(keys.manifests())));
  }

  /**
   * Looks at marks on the live branch: what is deleted of others proves nothing. A mark goes when
   * nothing else is left; what was committed and left nothing had one.
   *
   * @param lost what others prove to have been committed: a mark may have been set for that
   * @param named what was committed, as records say that are not its own
   */
  void behindMarks(NavigableSet<CheckpointId> lost, NavigableSet<CheckpointId> named)
      throws IOException {
    if (undecided.isEmpty()) {
      return;
    }
    swept.addAll(named);
    for (String folder : List.of(keys.data(), keys.votes(), keys.manifests())) {
      swept.removeAll(run.idsUnder(folder));
    }
    swept.removeAll(run.quarantined());
    NavigableSet<CheckpointId> marks = marks();
    if (marks.isEmpty()) {
      return;
    }
    Optional<Lineage.Way> way = way();
    if (way.isEmpty()) {
      if (lost.isEmpty()
          && run.quarantined().isEmpty()
          && !isAnyCommitted(run.idsUnder(keys.manifests()))) {
        undecided.forEach(id -> untold(id, marks.last()));
      }
      return;
    }
    Optional<CheckpointId> newest = newest(way.get(), marks);
    while (newest.isPresent()) {
      CheckpointId mark = newest.get();
      if (!after(mark, way.get(), lost).isEmpty()
          || isAnyCommitted(after(mark, way.get(), run.idsUnder(keys.manifests())))
          || !after(mark, way.get(), run.quarantined()).isEmpty()) {
        return;
      }
      newest = newest(way.get(), marks());
      if (newest.equals(Optional.of(mark))) {
        behind(mark, after(mark, way.get(), undecided));
        return;
      }
    }
  }

  private NavigableSet<CheckpointId> marks() throws IOException {
    NavigableSet<CheckpointId> marks = run.deleted();
    marks.addAll(swept);
    return marks;
  }

  private void behind(CheckpointId mark, List<CheckpointId> left) {
    if (left.size() == 1) {
      proven.put(left.get(0), tells(mark) + " but this");
    } else {
      left.forEach(id -> untold(id, mark));
    }
  }

  private void untold(CheckpointId id, CheckpointId mark) {
    if (untold.putIfAbsent(id, tells(mark)) == null) {
      behindMark.add(id);
    }
  }

  private String tells(CheckpointId mark) {
    return (swept.contains(mark)
            ? mark + " was committed, and deleted"
            : keys.deleted(mark) + " was set")
        + " behind a newer commit, and nothing newer is there";
  }

  private static Optional<CheckpointId> newest(Lineage.Way way, NavigableSet<CheckpointId> marks) {
    return way.of(marks).stream().findFirst();
  }

  private static List<CheckpointId> after(
      CheckpointId mark, Lineage.Way way, NavigableSet<CheckpointId> ids) {
    return way.of(ids).stream().filter(id -> id.compareTo(mark) > 0).toList();
  }

  /** The live branch; empty if a record of it is damaged or missing. */
  private Optional<Lineage.Way> way() throws IOException {
    try {
      Lineage lineage = run.lineage();
      return lineage.head().isPresent()
          ? Optional.of(lineage.way(lineage.head().getAsInt()))
              .filter(way -> way.damage().isEmpty())
          : Optional.empty();
    } catch (CheckpointException.Corrupt e) {
      return Optional.empty();
    }
  }

  /** What cannot be read, or was withdrawn, was committed, too; only an ABORT was not. */
  private boolean isAnyCommitted(Collection<CheckpointId> ids) throws IOException {
    return run.decisions(ids).stream()
        .anyMatch(
            each ->
                each.unreadable().isPresent()
                    || (each.manifest().isPresent()
                        && !(each.manifest().get() instanceof Manifest.Abort abort
                            && !Committer.isWithdrawn(abort))));
  }

  private static NavigableSet<CheckpointId> of(int attempt, NavigableSet<CheckpointId> ids) {
    return ids.subSet(new CheckpointId(attempt, 0, 0), true, CheckpointId.last(attempt), true);
  }
}
