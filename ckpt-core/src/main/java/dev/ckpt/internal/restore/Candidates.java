package dev.ckpt.internal.restore;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.Repeated;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointResolver;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;

/**
 * Which checkpoints a resume may start from, best first.
 *
 * @param ids in the order to try them; an empty list is a fresh start, unless
 * @param quarantined some of that branch are damaged and moved aside: then there is something to
 *     lose
 * @param gone what of that branch was committed, by what is known of it, and has no decision now
 * @param finite those of the gone ones that a repair may bring back, and that may be finite: files
 *     are left of them
 * @param untold the newest of which nobody can tell whether it was committed
 * @param elsewhere what other branches hold that nobody left by a 'never', decided or moved aside:
 *     if one of them is a commit, a fresh start loses it
 * @param lost why nobody can tell what lies further back, if a record on the way is damaged
 * @param branch the attempt whose branch they lie on, 0 for a new root
 * @param why one clause for the line at start
 */
public record Candidates(
    List<CheckpointId> ids,
    List<CheckpointId> quarantined,
    NavigableMap<CheckpointId, String> gone,
    NavigableSet<CheckpointId> finite,
    Optional<Untold> untold,
    List<CheckpointId> elsewhere,
    Optional<String> lost,
    int branch,
    String why) {

  /** A second, and as long as the store takes to answer. */
  private static final int MOST_LOOKS = 10;

  public Candidates {
    ids = List.copyOf(ids);
    quarantined = List.copyOf(quarantined);
    gone = new TreeMap<>(gone);
    finite = new TreeSet<>(finite);
    elsewhere = List.copyOf(elsewhere);
  }

  private static Candidates of(List<CheckpointId> ids, int branch, String why) {
    return new Candidates(
        ids,
        List.of(),
        new TreeMap<>(),
        new TreeSet<>(),
        Optional.empty(),
        List.of(),
        Optional.empty(),
        branch,
        why);
  }

  /**
   * Finds them. Manifests are read only where a reference needs their metrics.
   *
   * @param resolvers of references, besides those on the class path
   * @throws CheckpointException.NotFound if a reference means nothing, or something is required and
   *     nothing was ever committed
   */
  public static Candidates find(
      Resume how, List<CheckpointResolver> resolvers, Lineage lineage, RunLog run)
      throws IOException {
    if (how instanceof Resume.Never) {
      return of(List.of(), 0, "asked for");
    }
    if (how instanceof Resume.From from) {
      return from(from.reference(), resolvers, lineage, run);
    }
    NavigableSet<CheckpointId> ids = run.decided();
    int head = lineage.head().orElse(newest(lineage));
    NavigableSet<CheckpointId> aside = run.quarantined();
    requireNoneLost(lineage, ids, aside, run);
    Lineage.Way way =
        head == 0 ? new Lineage.Way(new TreeMap<>(), Optional.empty()) : lineage.way(head);
    List<CheckpointId> live = way.of(ids);
    if (live.isEmpty() && way.damage().isPresent()) {
      throw way.damage().get();
    }
    List<CheckpointId> quarantined = way.of(aside);
    // of all: what is newest, and finite, may turn out to be damaged
    Evidence evidence = Evidence.above(Optional.empty(), run);
    Optional<Untold> untold = Untold.newest(evidence, lineage, ids, run);
    if (untold.isPresent()) {
      untold.get().requireNotAbove(newestFinite(live, run));
    }
    NavigableMap<CheckpointId, String> lost = evidence.all();
    NavigableMap<CheckpointId, String> gone = gone(lineage, way, ids, aside);
    List<CheckpointId> lostOnWay = way.of(lost.navigableKeySet());
    if (!lostOnWay.isEmpty()) {
      gone.keySet().removeAll(run.deleted()); // what was deleted since is not what is missing
    }
    lostOnWay.forEach(id -> gone.putIfAbsent(id, lost.get(id)));
    if (live.isEmpty() && quarantined.isEmpty() && gone.isEmpty() && isCompleted(way, run)) {
      if (!way.of(run.decided()).isEmpty()) {
        return find(
            how, resolvers, lineage, run); // it was committed, and completed, since it was listed
      }
      throw lacksItsLastState(run);
    }
    NavigableSet<CheckpointId> elsewhere = elsewhere(lineage, ids, aside, lost.navigableKeySet());
    gone.keySet().forEach(elsewhere::remove);
    live.forEach(elsewhere::remove);
    quarantined.forEach(elsewhere::remove);
    if (quarantined.isEmpty() && gone.isEmpty() && isFreshUnasked(lineage, head)) {
      OptionalInt late = lateCommit(live, elsewhere, head, run);
      if (late.isPresent()) {
        return find(how, resolvers, lineage.upTo(late.getAsInt()), run)
            .because("the newest that verifies; attempt " + head + " had begun before it landed");
      }
    }
    if (live.isEmpty()
        && quarantined.isEmpty()
        && gone.isEmpty()
        && elsewhere.isEmpty()
        && how instanceof Resume.Required) {
      throw new CheckpointException.NotFound(
          "resume: required, but run '" + run.keys().run() + "' has committed nothing yet");
    }
    return new Candidates(
        live,
        quarantined,
        gone,
        mayBeFinite(lostOnWay, run),
        untold,
        List.copyOf(elsewhere.descendingSet()),
        way.damage().map(e -> String.valueOf(e.getMessage())),
        head,
        live.isEmpty() ? "nothing was committed yet" : "the newest that verifies");
  }

  /** Whether an attempt found nothing to go on from, and was not told to begin anew. */
  private static boolean isFreshUnasked(Lineage lineage, int attempt) {
    AttemptRecord began = lineage.attempts().get(attempt);
    ResumeRecord resume = lineage.resumes().get(attempt);
    return began != null
        && resume != null
        && resume.applied().isEmpty()
        && !began.request().equals(new Resume.Never().text());
  }

  /**
   * The attempt whose commit landed when a later one had looked already, and begun with nothing: if
   * that one has committed nothing, nobody has left what landed.
   */
  private static OptionalInt lateCommit(
      List<CheckpointId> live, NavigableSet<CheckpointId> elsewhere, int head, RunLog run)
      throws IOException {
    for (CheckpointId id : live) {
      if (!run.isAborted(id)) {
        return OptionalInt.empty();
      }
    }
    for (CheckpointId id : elsewhere.descendingSet()) {
      if (id.attempt() < head && run.readableCommit(id).isPresent()) {
        return OptionalInt.of(id.attempt());
      } else if (id.attempt() < head && !run.isAborted(id)) {
        return OptionalInt.empty(); // it may have been one: nobody goes back before it unasked
      }
    }
    return OptionalInt.empty();
  }

  private Candidates because(String reason) {
    return new Candidates(ids, quarantined, gone, finite, untold, elsewhere, lost, branch, reason);
  }

  /**
   * The seed of the branch, as the first of them says that can be read; empty if none does, because
   * nothing was committed. Records of attempts say it too, but may be lost.
   */
  Optional<Long> seed(RunLog run) throws IOException {
    for (CheckpointId id : ids) {
      try {
        if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit) {
          return Optional.of(commit.seed());
        }
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        // the resume says what is wrong with it
      }
    }
    return Optional.empty();
  }

  /** As far as its manifest tells: what is untold above it forbids to start without a look. */
  private static Optional<CheckpointId> newestFinite(List<CheckpointId> live, RunLog run)
      throws IOException {
    for (CheckpointId id : live) {
      try {
        if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit && commit.finite()) {
          return Optional.of(id);
        }
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        // the resume says what is wrong with it
        continue;
      }
    }
    return Optional.empty();
  }

  /** What the attempts of a branch started from, where nothing decides it now. */
  private static NavigableMap<CheckpointId, String> gone(
      Lineage lineage,
      Lineage.Way way,
      NavigableSet<CheckpointId> ids,
      NavigableSet<CheckpointId> aside) {
    NavigableMap<CheckpointId, String> gone = new TreeMap<>();
    for (int attempt : way.upTo().keySet()) {
      Optional.ofNullable(lineage.resumes().get(attempt))
          .flatMap(ResumeRecord::applied)
          .filter(id -> !ids.contains(id) && !aside.contains(id))
          .ifPresent(id -> gone.put(id, "attempt " + attempt + " began with it"));
    }
    return gone;
  }

  /** Without those whose votes say that they are not. */
  private static NavigableSet<CheckpointId> mayBeFinite(List<CheckpointId> lost, RunLog run)
      throws IOException {
    NavigableSet<CheckpointId> finite = new TreeSet<>();
    for (CheckpointId id : lost) {
      if (run.votes(id, run.keys().votes(id)).stream().allMatch(Vote::finite)) {
        finite.add(id);
      }
    }
    return finite;
  }

  /** What was saved since somebody asked for a fresh start, on whatever branch. */
  private static NavigableSet<CheckpointId> elsewhere(
      Lineage lineage,
      NavigableSet<CheckpointId> ids,
      NavigableSet<CheckpointId> aside,
      NavigableSet<CheckpointId> lost) {
    NavigableSet<CheckpointId> all = new TreeSet<>(ids);
    all.addAll(aside);
    all.addAll(lost);
    return new TreeSet<>(all.tailSet(new CheckpointId(lineage.lastNever(), 0, 0), true));
  }

  /**
   * An attempt records what it starts from before it saves anything. One that has commits and no
   * such record lost it, and with it the way to what it saved: nobody may go on without a word.
   */
  private static void requireNoneLost(
      Lineage lineage, NavigableSet<CheckpointId> ids, NavigableSet<CheckpointId> aside, RunLog run)
      throws IOException {
    CheckpointId head = CheckpointId.last(Math.max(1, lineage.head().orElse(0)));
    boolean none = lineage.head().isEmpty();
    NavigableSet<CheckpointId> lost = new TreeSet<>(none ? ids : ids.tailSet(head, false));
    for (CheckpointId id : List.copyOf(lost)) {
      if (run.isAborted(id)) {
        lost.remove(id); // it may bear any number
      }
    }
    lost.addAll(none ? aside : aside.tailSet(head, false));
    if (!lost.isEmpty()) {
      int attempt = lost.last().attempt();
      throw new CheckpointException.Corrupt(
          run.keys().resume(attempt)
              + " is missing, although attempt "
              + attempt
              + " has "
              + (aside.contains(lost.last())
                  ? lost.last() + ", which a repair moved aside"
                  : "checkpoints")
              + ". To go on, resume from one by its id"
              + newestCommit(ids, run).map(id -> ", the newest is " + id).orElse("")
              + "; to start over, resume with 'never'");
    }
  }

  /**
   * Fails if something is newer than that one of which nobody can tell whether it was committed.
   *
   * @throws CheckpointException.Corrupt saying what to do
   */
  void requireTold(CheckpointId taken) {
    untold.ifPresent(newest -> newest.requireNotAbove(Optional.of(taken)));
  }

  /** That a run reached its goal is recorded behind the commit of its last state. */
  private static boolean isCompleted(Lineage.Way way, RunLog run) throws IOException {
    for (int attempt : way.upTo().keySet()) {
      if (run.isCompleted(attempt)) {
        return true;
      }
    }
    return false;
  }

  private static CheckpointException.Corrupt lacksItsLastState(RunLog run) {
    return new CheckpointException.Corrupt(
        "run '"
            + run.keys().run()
            + "' lacks records: "
            + run.keys().ends()
            + " says that it was completed, and no checkpoint is there. Was the run copied in part?"
            + " Nothing was changed. Bring its records back; or to start over in the same run,"
            + " resume with 'never'");
  }

  /** The newest, if possible finite, that can be read: a stray copy of a manifest bears any id. */
  static Optional<CheckpointId> newestCommit(NavigableSet<CheckpointId> ids, RunLog run)
      throws IOException {
    Optional<CheckpointId> newest = Optional.empty();
    for (CheckpointId id : ids.descendingSet()) {
      Optional<Manifest.Commit> commit = run.readableCommit(id);
      if (commit.map(Manifest.Commit::finite).orElse(false)) {
        return Optional.of(id);
      }
      newest = newest.or(() -> commit.map(Manifest.Commit::id));
    }
    return newest;
  }

  /**
   * A maintenance that meets this start takes the mark of its deletion back; until then a
   * checkpoint that stays looks deleted. So where a mark makes a difference, and the manifest is
   * still there, this looks again. A deletion that goes on soon ends it, too; one that was cut
   * short does not.
   */
  private static Candidates from(
      String reference, List<CheckpointResolver> resolvers, Lineage lineage, RunLog run)
      throws IOException {
    for (int looks = 1; ; looks++) {
      NavigableSet<CheckpointId> all = run.idsUnder(run.keys().manifests());
      NavigableSet<CheckpointId> ids = new TreeSet<>(all);
      ids.removeAll(run.deleted());
      Optional<Candidates> unmarked =
          ids.size() == all.size()
              ? Optional.empty()
              : unmarked(reference, resolvers, lineage, run, all);
      if (unmarked.isEmpty()) {
        return from(reference, resolvers, lineage, run, ids);
      }
      try {
        Candidates found = from(reference, resolvers, lineage, run, ids);
        if (looks >= MOST_LOOKS || found.equals(unmarked.get())) {
          return found;
        }
      } catch (CheckpointException.NotFound e) {
        if (looks >= MOST_LOOKS) {
          throw new CheckpointException.NotFound(
              e.getMessage()
                  + ". "
                  + unmarked.get().ids().get(0)
                  + " is being deleted, or its deletion was cut short");
        }
      }
      Admission.pause();
    }
  }

  /** What it would be if nothing were marked deleted; empty if it would be nothing. */
  private static Optional<Candidates> unmarked(
      String reference,
      List<CheckpointResolver> resolvers,
      Lineage lineage,
      RunLog run,
      NavigableSet<CheckpointId> all)
      throws IOException {
    try {
      return Optional.of(from(reference, resolvers, lineage, run, all));
    } catch (CheckpointException e) {
      return Optional.empty();
    }
  }

  private static Candidates from(
      String reference,
      List<CheckpointResolver> resolvers,
      Lineage lineage,
      RunLog run,
      NavigableSet<CheckpointId> ids)
      throws IOException {
    Optional<Repeated> again = Repeated.find(lineage, reference, ids, run);
    if (again.isPresent() && !again.get().ids().isEmpty()) {
      return of(
          again.get().ids(),
          again.get().head(),
          "the newest since '" + reference + "' was first applied");
    }
    CheckpointId id =
        Reference.resolve(reference, "resume: auto, never, required", resolvers, lineage, run, ids);
    return of(List.of(id), id.attempt(), "'" + reference + "' was asked for");
  }

  /**
   * All whole commits among {@code ids}, oldest first.
   *
   * @param onUnreadable told of each that is damaged, or that a newer version wrote, which is left
   *     out unless this throws
   */
  public static List<Checkpoint> committed(
      RunLog run, NavigableSet<CheckpointId> ids, Consumer<CheckpointException> onUnreadable)
      throws IOException {
    List<Checkpoint> all = new ArrayList<>();
    for (RunLog.Decision each : run.decisions(ids)) {
      if (each.manifest().orElse(null) instanceof Manifest.Commit commit) {
        all.add(commit.checkpoint());
      }
      each.unreadable().ifPresent(onUnreadable);
    }
    return all;
  }

  private static int newest(Lineage lineage) {
    return lineage.attempts().isEmpty() ? 0 : lineage.attempts().lastKey();
  }
}
