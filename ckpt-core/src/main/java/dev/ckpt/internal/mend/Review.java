package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Cleaner;
import dev.ckpt.internal.keep.Decisions;
import dev.ckpt.internal.keep.Inventory;
import dev.ckpt.internal.keep.LeftOvers;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.internal.keep.Surplus;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What of one run may go: found out without a change. Nothing that is committed goes before the
 * newest finite checkpoint of the live branch was read back whole.
 *
 * <p>If the record of what an attempt went on from cannot be read, and it lies on the way back from
 * the head, that attempt went on from something older, or from nothing. So of it and of all younger
 * attempts it is known what is live: the way does not come back to them. What is older than it may
 * be live or dead, and stays. A policy is asked about the known part alone: the older ones that it
 * does not see could only take places from those that it keeps (latest, best, one of each
 * interval). A record off the way decides about no live checkpoint. That of the head itself decides
 * about all.
 */
final class Review {

  private static final Pattern SHARD =
      Pattern.compile("rank-\\d{5}-of-\\d{5}(-r\\d{1,9})?\\.[A-Za-z0-9]+");

  private final CheckpointStore store;
  private final RunLog run;
  private final Optional<ReadBack> reading;
  private final Instant before;
  private final Inventory held;
  private final Decisions decisions;
  private final NavigableMap<CheckpointId, Manifest.Commit> commits;
  private final NavigableMap<CheckpointId, Manifest.Commit> live = new TreeMap<>();
  private final @Nullable String unclear;
  private boolean allInDoubt = true;
  private int clearFrom;
  private final Set<CheckpointId> going = new HashSet<>();
  private final Set<CheckpointId> gone = new HashSet<>();
  private final Set<String> done = new HashSet<>();
  private @Nullable Optional<String> unsafe;

  private Review(CheckpointStore store, RunLog run, Optional<ReadBack> reading, Instant before)
      throws IOException {
    this.store = store;
    this.run = run;
    this.reading = reading;
    this.before = before;
    this.held = Inventory.of(store, run.keys());
    this.decisions = Decisions.read(run, held.manifests().keySet());
    this.commits = decisions.commits();
    commits.keySet().removeAll(held.deleted().keySet());
    this.unclear = branch();
  }

  /** Looks at a run. */
  static Review of(CheckpointStore store, RunLog run, ReadBack reading, Instant before)
      throws IOException {
    return new Review(store, run, Optional.of(reading), before);
  }

  /**
   * Looks at a run that may turn out to be in use, and takes its newest checkpoint for whole: what
   * this one plans must not be done.
   */
  static Review unread(CheckpointStore store, RunLog run, Instant before) throws IOException {
    return new Review(store, run, Optional.empty(), before);
  }

  /** Name of the run. */
  String run() {
    return held.keys().run();
  }

  /** How many bytes of shards a step of these removes. */
  long shardBytes(Step step) {
    List<String> keys = List.of();
    if (step instanceof Step.GiveUp giveUp) {
      keys = giveUp.files();
    } else if (step instanceof Step.Discard discard) {
      keys = discard.files();
    } else if (step instanceof Step.Finish finish) {
      keys = finish.files();
    } else if (step instanceof Step.Remove remove) {
      keys = remove.keys();
    }
    Set<String> removed = Set.copyOf(keys);
    return held.data().values().stream()
        .flatMap(List::stream)
        .filter(file -> removed.contains(file.key()))
        .mapToLong(Entry::length)
        .sum();
  }

  /** What was never committed, or is half deleted. */
  List<Step> leftOvers(Predicate<CheckpointId> mine) throws IOException {
    Evidence lost = Evidence.of(held.undecided(), run);
    List<Step> steps = new ArrayList<>(LeftOvers.plan(held, decisions, lost, before, mine));
    steps.addAll(triedBefore(mine));
    steps.removeIf(step -> done.contains(name(step.action())));
    return steps;
  }

  /**
   * Takes for done what another plan of this run will do.
   *
   * @return how many bytes of shards that frees
   */
  long after(List<MaintenanceAction> planned) throws IOException {
    Set<String> names = new HashSet<>();
    planned.stream()
        .filter(action -> action.run().equals(run()) && action.kind() != Kind.LEAVE)
        .forEach(action -> names.add(name(action)));
    long freed = 0;
    for (Step step : leftOvers(id -> true)) {
      freed += names.contains(name(step.action())) ? shardBytes(step) : 0;
    }
    for (Manifest.Commit commit : List.copyOf(commits.values())) {
      if (names.contains(name(Kind.DELETE, commit.id().toString()))) {
        gone.add(commit.id());
        freed += bytes(commit, decisions.named(id -> !gone.contains(id)));
        commits.remove(commit.id());
        live.remove(commit.id());
      }
    }
    done.addAll(names);
    return freed;
  }

  private static String name(MaintenanceAction action) {
    return name(action.kind(), action.subject());
  }

  private static String name(Kind kind, String subject) {
    return kind + " " + subject;
  }

  /** Shards of tries that failed, beside those that the commit names. */
  private List<Step> triedBefore(Predicate<CheckpointId> mine) {
    List<Step> steps = new ArrayList<>();
    Set<String> named = decisions.named(id -> true);
    for (CheckpointId id : commits.keySet()) {
      for (Entry file : held.data().getOrDefault(id, List.of())) {
        String name = file.key().substring(held.keys().data(id).length());
        if (mine.test(id)
            && SHARD.matcher(name).matches()
            && !named.contains(file.key())
            && file.modified().isBefore(before)) {
          steps.add(
              new Step.Remove(
                  action(Kind.REMOVE, file.key(), file.length(), "of a write that was tried again"),
                  List.of(file.key())));
        }
      }
    }
    return steps;
  }

  /** Commits of branches that were left, which nobody pinned, oldest first. */
  List<Manifest.Commit> dead() {
    if (allInDoubt) {
      return List.of();
    }
    return commits.values().stream()
        .filter(commit -> commit.id().attempt() >= clearFrom)
        .filter(commit -> !live.containsKey(commit.id()))
        .filter(commit -> !held.pinned().contains(commit.id()))
        .toList();
  }

  /** Whether a commit is older than what is spared for its age: whoever left it may come back. */
  boolean isOld(Manifest.Commit commit) {
    return isOld(held.manifests().get(commit.id()));
  }

  /** Says that some of these are spared for their age. */
  List<Step> young(List<Manifest.Commit> dead) {
    List<Manifest.Commit> young = dead.stream().filter(commit -> !isOld(commit)).toList();
    if (young.isEmpty()) {
      return List.of();
    }
    return List.of(
        new Step.Leave(
            Hold.leave(
                held.keys(),
                run(),
                young.size()
                    + " checkpoint(s) on a branch that was left were committed just now, and stay"
                    + " until they are older than the grace, or a limit of bytes needs their"
                    + " room")));
  }

  private boolean isOld(@Nullable Entry entry) {
    return entry != null && entry.modified().isBefore(before);
  }

  /** What the policy lets go of the live branch, oldest first. */
  List<Manifest.Commit> surplus(Retention policy) {
    return allInDoubt ? List.of() : Surplus.of(live, policy, held.pinned());
  }

  /** One for each metric that no live checkpoint has: what is best by it, nobody can tell. */
  List<Step> unknown(Set<String> metrics) {
    if (live.isEmpty()) {
      return List.of();
    }
    Set<String> known = Surplus.metrics(live);
    return new TreeSet<>(metrics)
        .stream()
            .filter(metric -> !known.contains(metric))
            .<Step>map(
                metric ->
                    new Step.Leave(
                        Hold.leave(
                            held.keys(),
                            metric,
                            "no checkpoint of run '"
                                + run()
                                + "' has the metric '"
                                + metric
                                + "', only "
                                + known
                                + ": nothing is let go that it might keep")))
            .toList();
  }

  /** Says so if nobody can tell what is best. */
  List<Step> untold(Best best) {
    return best.untold()
        .<List<Step>>map(
            why ->
                live.isEmpty()
                    ? List.of()
                    : List.of(new Step.Leave(Hold.leave(held.keys(), run(), why))))
        .orElseGet(() -> unknown(best.needed()));
  }

  /** Forgets what was planned to be deleted, before another plan. */
  void startOver() {
    going.clear();
  }

  /** Plans deletions, or says why there can be none. */
  List<Step> deletions(List<Manifest.Commit> doomed, String why) throws IOException {
    if (doomed.isEmpty()) {
      return List.of();
    }
    Optional<String> reason = unsafe();
    if (reason.isPresent()) {
      return List.of(
          new Step.Leave(Hold.leave(held.keys(), doomed.get(0).id().toString(), reason.get())));
    }
    List<Step> steps = new ArrayList<>();
    for (Manifest.Commit commit : doomed) {
      Optional<CheckpointId> told = held.toldBy(commit);
      if (told.isPresent()) {
        steps.add(
            new Step.Leave(
                Hold.leave(held.keys(), commit.id().toString(), Cleaner.tells(told.get()))));
        continue;
      }
      going.add(commit.id());
      Set<String> needed = decisions.named(id -> !going.contains(id) && !gone.contains(id));
      steps.add(
          new Step.Delete(
              action(Kind.DELETE, commit.id().toString(), bytes(commit, needed), why),
              commit,
              needed));
    }
    return steps;
  }

  private long bytes(Manifest.Commit commit, Set<String> needed) {
    return commit.shards().stream()
        .filter(shard -> !needed.contains(shard.key()))
        .mapToLong(shard -> shard.digest().length())
        .sum();
  }

  /** Says so if nobody can tell which checkpoints are live. */
  List<Step> unclear() {
    return unclear == null
        ? List.of()
        : List.of(new Step.Leave(Hold.leave(held.keys(), held.keys().resumes(), unclear)));
  }

  /** Learns what is live; returns what there is to say of what nobody can tell. */
  private @Nullable String branch() throws IOException {
    NavigableSet<CheckpointId> ids = new TreeSet<>(held.manifests().keySet());
    ids.removeAll(held.deleted().keySet());
    try {
      Lineage lineage = run.lineage();
      int head = lineage.head().orElse(0);
      String doubt = doubt(lineage, head);
      if (doubt != null || head == 0) {
        return doubt;
      }
      Lineage.Way way = lineage.way(head);
      for (CheckpointId id : way.of(ids)) {
        Manifest.Commit commit = commits.get(id);
        if (commit != null) {
          live.put(id, commit);
        }
      }
      allInDoubt = false;
      return older(lineage, way);
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return "no checkpoint is deleted: " + e.getMessage();
    }
  }

  /** A way that ends where a record cannot be read does not tell what is live beyond. */
  private @Nullable String older(Lineage lineage, Lineage.Way way) {
    int last = way.upTo().firstKey();
    if (way.damage().isEmpty() && lineage.resumes().containsKey(last)) {
      return null;
    }
    clearFrom = last;
    long older = commits.keySet().stream().filter(id -> id.attempt() < last).count();
    return older == 0
        ? null
        : older
            + " checkpoint(s) of attempts before "
            + last
            + " are not deleted: "
            + way.damage().map(CheckpointException::getMessage).orElse(missing(last));
  }

  private String missing(int attempt) {
    return held.keys().resume(attempt)
        + " is missing, although that attempt has checkpoints: nobody can tell what is live";
  }

  /**
   * A branch whose newest record is lost looks like one that was left; and one that a start is
   * about to go on with looks so until it has said from where.
   */
  private @Nullable String doubt(Lineage lineage, int head) throws IOException {
    CheckpointId newest = commits.isEmpty() ? null : commits.lastKey();
    if (newest != null && newest.attempt() > head) {
      return "no checkpoint is deleted: " + missing(newest.attempt());
    }
    return PendingStart.find(store, run, lineage, head, before)
        .map(pending -> "no checkpoint is deleted: " + pending)
        .orElse(null);
  }

  /** Why nothing that is committed may go; empty if the newest finite one was read back whole. */
  Optional<String> unsafe() throws IOException {
    Optional<String> known = unsafe;
    if (known == null) {
      known = readBack();
      unsafe = known;
    }
    return known;
  }

  private Optional<String> readBack() throws IOException {
    Optional<CheckpointId> newest = Surplus.newestFinite(live);
    Manifest.Commit commit = newest.map(live::get).orElse(null);
    if (commit == null) {
      return Optional.of("the live branch has no finite checkpoint yet: nothing older is deleted");
    }
    Optional<String> damage =
        reading.isEmpty() ? Optional.empty() : reading.get().damage(run(), commit);
    return damage.map(
        why ->
            "the newest checkpoint cannot be read back, so nothing older is deleted (repair the run"
                + " first): "
                + why);
  }

  private MaintenanceAction action(Kind kind, String subject, long bytes, String why) {
    return new MaintenanceAction(kind, held.keys().run(), subject, bytes, why);
  }
}
