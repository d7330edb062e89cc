package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.keep.Decisions;
import dev.ckpt.internal.keep.Inventory;
import dev.ckpt.internal.keep.LeftOvers;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.internal.mend.Examination.Examined;
import dev.ckpt.internal.mend.Examination.Found;
import dev.ckpt.internal.mend.Examination.Shards;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * What a repair will do, as a pure function of what was found: write again what is proven, withdraw
 * checkpoints that cannot be used, set aside records that nothing needs, and clean up left-overs.
 * Where only a person can decide, nothing but a word.
 */
final class RepairPlan {

  private static final String WAYS_OUT =
      "; it stays where it is. To go on, resume from a checkpoint by its id; to start over, resume"
          + " with 'never'";

  private static final String ALL_WHOLE = "all votes are there, and every shard is whole";

  private final Inventory held;
  private final Evidence evidence;
  private final Map<CheckpointId, String> lost;
  private final List<Mending> plan = new ArrayList<>();
  private final NavigableMap<CheckpointId, Mending.CommitAgain> first = new TreeMap<>();
  private final NavigableMap<CheckpointId, Examined> withdrawn = new TreeMap<>();

  /** Lost ones that another version, or another class path, may read. */
  private final NavigableMap<CheckpointId, String> unread = new TreeMap<>();

  private final NavigableMap<CheckpointId, Manifest> whole;
  private final NavigableMap<CheckpointId, CheckpointException> unreadable;

  private RepairPlan(Inventory held, Decisions decisions, Evidence lost) {
    this.held = held;
    this.evidence = lost;
    this.lost = lost.all();
    this.whole = new TreeMap<>(decisions.whole());
    this.unreadable = new TreeMap<>(decisions.unreadable());
  }

  /** Ids to examine: all that have a decision which counts, or had one. */
  static NavigableSet<CheckpointId> ids(Inventory held) {
    NavigableSet<CheckpointId> ids = new TreeSet<>(held.manifests().keySet());
    ids.addAll(held.quarantined());
    ids.removeIf(id -> held.deleted().containsKey(id) && !held.pinned().contains(id));
    return ids;
  }

  static List<Mending> of(
      Inventory held,
      Decisions decisions,
      List<Examined> checkpoints,
      NavigableMap<Integer, Found<AttemptRecord>> attempts,
      NavigableMap<Integer, Found<ResumeRecord>> resumes,
      NavigableMap<Integer, Found<EndRecord>> ends,
      Evidence lost,
      Instant before) {
    RepairPlan repair = new RepairPlan(held, decisions, lost);
    checkpoints.forEach(repair::decide);
    Set<CheckpointId> secured = repair.secure(checkpoints);
    repair.withdraw();
    repair.lookAtAttempts(attempts);
    repair.lookAtResumes(resumes, checkpoints);
    repair.lookAtEnds(ends);
    Decisions then = new Decisions(repair.whole, repair.unreadable);
    NavigableMap<CheckpointId, CheckpointId> witnesses = new TreeMap<>(lost.witnesses());
    // who is committed again, or goes aside with a record of it, needs nobody to tell of it
    witnesses
        .values()
        .removeIf(
            id ->
                then.whole().containsKey(id)
                    || repair.withdrawn.containsKey(id)
                    || secured.contains(id));
    LeftOvers.plan(
            held,
            then,
            lost.witnessedBy(witnesses),
            before,
            id -> !repair.withdrawn.containsKey(id) && !secured.contains(id))
        .forEach(step -> repair.plan.add(new Mending.Clean(step)));
    return List.copyOf(repair.plan);
  }

  private void decide(Examined found) {
    CheckpointId id = found.id();
    Found<Manifest> decision = found.decision();
    boolean decided = ids(held).contains(id);
    if (lost.containsKey(id) && !decided) {
      commitAgain(found, "was committed (" + lost.get(id) + ")");
    } else if (evidence.voted().containsKey(id) && !decided) {
      commitAgain(found, "may have been committed (" + evidence.voted().get(id) + ")");
    } else if (decision.reading() instanceof Reading.Newer<Manifest> newer) {
      leave(decision.key(), newer.why());
    } else if (found.shards() == Shards.DAMAGED) {
      withdrawn.put(id, found);
    } else if (decision.reading() instanceof Reading.Whole<Manifest> there) {
      if (there.value() instanceof Manifest.Commit commit) {
        if (found.shards() == Shards.NEWER) {
          leave(decision.key(), found.why());
        } else {
          lookAtVotes(commit, found.votes());
        }
        forgetCopies(decision);
      }
    } else if (found.proven().isPresent()) {
      byte[] bytes = found.proven().get();
      String why =
          why(decision)
              + (lost.containsKey(id)
                  ? ", and it was committed (" + lost.get(id) + "): " + ALL_WHOLE
                  : "; its digest proves what it was");
      restore(Optional.of(id), decision, bytes, why);
      unreadable.remove(id);
      whole.put(id, Manifest.decode(decision.key(), bytes));
      found.commit().ifPresent(commit -> lookAtVotes(commit, found.votes()));
    } else {
      withdrawn.put(id, found);
    }
  }

  /**
   * What is not whole is left: to give it up would shut out a manifest from a backup. The newest
   * comes first, and each tells of the one before it: a repair that is cut short must not leave one
   * that looks like a left-over.
   */
  private void commitAgain(Examined found, String why) {
    if (found.shards() == Shards.NEWER) {
      unread.put(found.id(), found.why());
    } else if (found.proven().isPresent()
        && found.commit().filter(commit -> !commit.shards().isEmpty()).isPresent()) {
      byte[] bytes = found.proven().get();
      found.commit().ifPresent(commit -> whole.put(found.id(), commit));
      first.put(
          found.id(),
          new Mending.CommitAgain(
              action(
                  Kind.RESTORE,
                  found.decision().key(),
                  bytes.length,
                  "it is gone, and " + why + ": " + ALL_WHOLE),
              found.id(),
              bytes,
              Map.of()));
    }
  }

  /**
   * What is whole is committed again before anything else is done. What cannot be, and of which
   * nothing tells once others are back, goes aside: copied before, because it looks like a
   * left-over from then on; withdrawn behind, because its ABORT would make the whole ones look like
   * some.
   *
   * @return whose files go aside
   */
  private Set<CheckpointId> secure(List<Examined> checkpoints) {
    if (!unread.isEmpty()) {
      return leaveLost();
    }
    NavigableMap<CheckpointId, String> unsaid = new TreeMap<>();
    if (whole.keySet().containsAll(evidence.proven().keySet())) {
      unsaid.putAll(evidence.likely());
    }
    evidence
        .voted()
        .forEach(
            (id, why) -> {
              CheckpointId told = evidence.witnesses().get(id);
              if (told == null || whole.containsKey(told)) {
                unsaid.put(id, why);
              }
            });
    unsaid.keySet().removeAll(evidence.untold().keySet());
    if (evidence.behindMark().stream().anyMatch(whole::containsKey)) {
      evidence
          .behindMark()
          .forEach(id -> unsaid.put(id, String.valueOf(evidence.untold().get(id))));
    }
    unsaid.keySet().removeAll(whole.keySet());
    Map<CheckpointId, Manifest.Commit> known = new HashMap<>();
    checkpoints.forEach(each -> each.commit().ifPresent(commit -> known.put(each.id(), commit)));
    List<Mending.Withdraw> behind = new ArrayList<>();
    unsaid.forEach(
        (id, why) ->
            behind.add(
                withdrawal(
                    id,
                    Optional.ofNullable(known.get(id)),
                    "its manifest is gone, it may have been committed ("
                        + why
                        + "), and it is not whole",
                    Set.of())));
    Map<CheckpointId, List<String>> aside = new TreeMap<>();
    behind.forEach(withdraw -> aside.put(withdraw.id(), withdraw.files()));
    List<Mending> before = new ArrayList<>();
    for (Mending.CommitAgain each : first.descendingMap().values()) {
      before.add(before.isEmpty() ? each.behind(aside) : each);
    }
    before.addAll(behind);
    plan.addAll(0, before);
    return unsaid.keySet();
  }

  /** Once some are back, those that cannot be read would look like left-overs: all are left. */
  private Set<CheckpointId> leaveLost() {
    String cause =
        unread.firstEntry().getKey() + " cannot be read: " + unread.firstEntry().getValue();
    whole.keySet().removeAll(first.keySet());
    first.keySet().forEach(id -> unread.put(id, cause));
    unread.forEach(
        (id, why) ->
            leave(
                held.keys().manifest(id),
                "it is gone, and a repair that can read all that is lost brings it back: " + why));
    Set<CheckpointId> left = new TreeSet<>(evidence.voted().keySet());
    left.addAll(unread.keySet());
    return left;
  }

  private void forgetCopies(Found<Manifest> decision) {
    if (!decision.copies().isEmpty()) {
      plan.add(
          new Mending.Forget(
              action(Kind.REMOVE, decision.copies().get(0), 0, "what it is a copy of is restored"),
              decision.copies()));
    }
  }

  // ---- checkpoints that cannot be used

  private void withdraw() {
    Set<CheckpointId> gone = new HashSet<>();
    for (CheckpointId id : withdrawn.keySet()) {
      whole.remove(id);
    }
    withdrawn.forEach(
        (id, found) -> {
          gone.add(id);
          Set<String> needed =
              new HashSet<>(new Decisions(whole, new TreeMap<>()).named(each -> true));
          withdrawn.tailMap(id, false).values().stream()
              .flatMap(later -> later.commit().stream())
              .forEach(later -> needed.addAll(Decisions.namedBy(List.of(later))));
          String why = found.shards() == Shards.DAMAGED ? found.why() : why(found.decision());
          plan.add(withdrawal(id, found.commit(), why, needed));
        });
  }

  private Mending.Withdraw withdrawal(
      CheckpointId id, Optional<Manifest.Commit> known, String why, Set<String> needed) {
    Set<String> files = new LinkedHashSet<>();
    held.files(id).stream().map(Entry::key).forEach(files::add);
    known.ifPresent(commit -> files.addAll(Decisions.namedBy(List.of(commit))));
    Set<String> shared = new HashSet<>(files);
    shared.retainAll(needed);
    long bytes = Optional.ofNullable(held.manifests().get(id)).map(Entry::length).orElse(0L);
    for (String file : files) {
      bytes +=
          held.keys().idOf(file).flatMap(of -> held.file(of, file)).map(Entry::length).orElse(0L);
    }
    return new Mending.Withdraw(
        action(Kind.QUARANTINE, id.toString(), bytes, why),
        id,
        List.copyOf(files),
        Set.copyOf(shared));
  }

  // ---- records

  private void lookAtVotes(Manifest.Commit commit, NavigableMap<Integer, Found<Vote>> votes) {
    Optional<CheckpointId> id = Optional.of(commit.id());
    votes.forEach(
        (rank, found) -> {
          if (found.reading() instanceof Reading.Newer<Vote> newer) {
            leave(found.key(), newer.why());
          } else if (!agrees(commit, found)) {
            List<byte[]> candidates = new ArrayList<>(Proof.votes(commit, rank));
            candidates.addAll(
                Examination.readable(
                    found.key(),
                    Proof.cut(found.remains()),
                    (key, bytes) -> Examination.vote(commit.id(), rank, key, bytes)));
            mend(id, found, Proof.first(found.remains(), candidates));
          }
        });
  }

  /** Whether a vote is whole and says what the decision says. */
  private static boolean agrees(Manifest.Commit commit, Found<Vote> found) {
    if (!(found.reading() instanceof Reading.Whole<Vote> read)) {
      return false;
    }
    Vote vote = read.value();
    return vote.world() == commit.world()
        && vote.rank() < commit.world()
        && vote.parent().equals(commit.parent())
        && vote.seed() == commit.seed()
        && vote.progress().equals(commit.progress())
        && commit.shards().containsAll(vote.shards());
  }

  /** What records say that will be written again. */
  static Evidence.Mended mended(
      Inventory held,
      List<Examined> checkpoints,
      NavigableMap<Integer, Found<ResumeRecord>> resumes,
      NavigableMap<Integer, Found<EndRecord>> ends) {
    NavigableMap<CheckpointId, Manifest.Commit> commits = commits(checkpoints);
    List<ResumeRecord> mended = new ArrayList<>();
    resumes.forEach(
        (attempt, found) -> {
          if (!(found.reading() instanceof Reading.Whole<ResumeRecord>)
              && !(found.reading() instanceof Reading.Newer<ResumeRecord>)) {
            proven(held, attempt, found, commits)
                .map(bytes -> ResumeRecord.decode(found.key(), bytes))
                .ifPresent(mended::add);
          }
        });
    List<EndRecord> endings = new ArrayList<>();
    ends.forEach(
        (attempt, found) ->
            proven(attempt, found)
                .map(bytes -> EndRecord.decode(found.key(), bytes))
                .ifPresent(endings::add));
    Map<CheckpointId, Manifest> decisions = new TreeMap<>(commits);
    for (Examined each : checkpoints) {
      each.proven()
          .ifPresent(
              bytes -> decisions.put(each.id(), Manifest.decode(each.decision().key(), bytes)));
    }
    return new Evidence.Mended(mended, endings, decisions, unproven(checkpoints));
  }

  /** Whose decision nothing proves that is left of it. */
  static NavigableSet<CheckpointId> unproven(List<Examined> checkpoints) {
    NavigableSet<CheckpointId> unproven = new TreeSet<>();
    checkpoints.stream().filter(Examined::unproven).map(Examined::id).forEach(unproven::add);
    return unproven;
  }

  private static NavigableMap<CheckpointId, Manifest.Commit> commits(List<Examined> checkpoints) {
    NavigableMap<CheckpointId, Manifest.Commit> commits = new TreeMap<>();
    checkpoints.forEach(each -> each.commit().ifPresent(commit -> commits.put(each.id(), commit)));
    return commits;
  }

  private void lookAtAttempts(NavigableMap<Integer, Found<AttemptRecord>> attempts) {
    for (Found<AttemptRecord> found : attempts.values()) {
      if (found.reading() instanceof Reading.Damaged<AttemptRecord> damaged) {
        leave(
            found.key(),
            damaged.why()
                + "; it stays, so that its number is not taken again: nothing is lost but"
                + " what people would like to know");
      } else if (found.reading() instanceof Reading.Newer<AttemptRecord> newer) {
        leave(found.key(), newer.why());
      }
    }
  }

  private void lookAtResumes(
      NavigableMap<Integer, Found<ResumeRecord>> resumes, List<Examined> checkpoints) {
    NavigableMap<CheckpointId, Manifest.Commit> commits = commits(checkpoints);
    resumes.forEach(
        (attempt, found) -> {
          if (found.reading() instanceof Reading.Newer<ResumeRecord> newer) {
            leave(found.key(), newer.why());
          } else if (!(found.reading() instanceof Reading.Whole<ResumeRecord>)) {
            lookAtResume(attempt, found, commits);
          }
        });
    for (CheckpointId id : commits.keySet()) {
      if (!resumes.containsKey(id.attempt())
          && id.equals(commits.ceilingKey(new CheckpointId(id.attempt(), 0, 0)))) {
        leave(
            held.keys().resume(id.attempt()),
            "it is missing, although attempt "
                + id.attempt()
                + " has checkpoints: where they"
                + " belong is lost. To go on, resume from one by its id; to start over, resume with"
                + " 'never'");
      }
    }
  }

  private static Optional<byte[]> proven(
      Inventory held,
      int attempt,
      Found<ResumeRecord> found,
      NavigableMap<CheckpointId, Manifest.Commit> commits) {
    Set<CheckpointId> applied = new LinkedHashSet<>();
    Map.Entry<CheckpointId, Manifest.Commit> first =
        commits.ceilingEntry(new CheckpointId(attempt, 0, 0));
    if (first != null && first.getKey().attempt() == attempt) {
      first.getValue().parent().ifPresent(applied::add);
    }
    applied.addAll(held.ids());
    commits.values().forEach(commit -> commit.parent().ifPresent(applied::add));
    List<byte[]> candidates = new ArrayList<>(Proof.resumes(attempt, applied));
    candidates.addAll(
        Examination.readable(found.key(), Proof.cut(found.remains()), Examination.resume(attempt)));
    return Proof.first(found.remains(), candidates);
  }

  private void lookAtResume(
      int attempt, Found<ResumeRecord> found, NavigableMap<CheckpointId, Manifest.Commit> commits) {
    Optional<byte[]> proven = proven(held, attempt, found, commits);
    if (proven.isPresent()) {
      restore(
          Optional.empty(), found, proven.get(), why(found) + "; its digest proves what it was");
    } else {
      leave(found.key(), why(found) + WAYS_OUT);
    }
  }

  private void lookAtEnds(NavigableMap<Integer, Found<EndRecord>> ends) {
    ends.forEach(
        (attempt, found) -> {
          if (found.reading() instanceof Reading.Newer<EndRecord> newer) {
            leave(found.key(), newer.why());
          } else if (!(found.reading() instanceof Reading.Whole<EndRecord>)) {
            mend(Optional.empty(), found, proven(attempt, found));
          }
        });
  }

  private static Optional<byte[]> proven(int attempt, Found<EndRecord> found) {
    return Proof.first(
        found.remains(),
        Examination.readable(found.key(), Proof.cut(found.remains()), Examination.end(attempt)));
  }

  /** Restores what is proven; sets the rest aside, if it is there. */
  private void mend(Optional<CheckpointId> id, Found<?> found, Optional<byte[]> proven) {
    if (proven.isPresent()) {
      restore(id, found, proven.get(), why(found) + "; its digest proves what it was");
    } else if (!(found.reading() instanceof Reading.Gone<?>)) {
      long bytes =
          id.flatMap(of -> held.file(of, found.key()))
              .map(Entry::length)
              .orElse(found.remains().isEmpty() ? 0L : found.remains().get(0).length);
      plan.add(
          new Mending.SetAside(
              action(Kind.QUARANTINE, found.key(), bytes, why(found)), id, found.key()));
    }
  }

  private void restore(Optional<CheckpointId> id, Found<?> found, byte[] bytes, String why) {
    plan.add(
        new Mending.Restore(
            action(Kind.RESTORE, found.key(), bytes.length, why), id, found.key(), bytes));
  }

  private void leave(String subject, String why) {
    plan.add(new Mending.Clean(new Step.Leave(action(Kind.LEAVE, subject, 0, why))));
  }

  private static String why(Found<?> found) {
    if (found.reading() instanceof Reading.Damaged<?> damaged) {
      return damaged.why();
    }
    return found.reading() instanceof Reading.Whole<?>
        ? "it says something else than the manifest"
        : "it was being mended when the repair was cut short";
  }

  private MaintenanceAction action(Kind kind, String subject, long bytes, String why) {
    return new MaintenanceAction(kind, held.keys().run(), subject, bytes, why);
  }
}
