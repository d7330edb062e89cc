package dev.ckpt.internal.keep;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Stream;

/**
 * What dead processes left of saves that never committed, and of deletions that were cut short. A
 * pure function of what a run holds.
 *
 * <p>Files that a commit names are nobody's left-over, wherever they lie. An id whose decision a
 * repair has copied aside is the repair's: it looks undecided if that was cut short. A pinned id
 * was committed once: without its decision it is left to a person.
 */
public final class LeftOvers {

  private final Inventory held;
  private final Decisions decisions;
  private final Map<CheckpointId, String> lost;
  private final Evidence evidence;
  private final Instant before;
  private final Predicate<CheckpointId> mine;
  private final Set<String> needed;
  private final List<Step> steps = new ArrayList<>();
  private final NavigableSet<CheckpointId> emptied = new TreeSet<>();

  private LeftOvers(
      Inventory held,
      Decisions decisions,
      Evidence evidence,
      Instant before,
      Predicate<CheckpointId> mine) {
    this.mine = mine;
    this.held = held;
    this.lost = evidence.all();
    this.evidence = evidence;
    this.decisions = decisions;
    this.before = before;
    this.needed =
        new HashSet<>(
            decisions.named(id -> !held.deleted().containsKey(id) || held.pinned().contains(id)));
  }

  /**
   * Plans their removal.
   *
   * @param evidence what was committed once and lost its manifest, or may have been
   * @param before only what is older by the store's clock
   * @param mine of which ids the writers are known to be gone
   */
  public static List<Step> plan(
      Inventory held,
      Decisions decisions,
      Evidence evidence,
      Instant before,
      Predicate<CheckpointId> mine) {
    LeftOvers plan = new LeftOvers(held, decisions, evidence, before, mine);
    for (CheckpointId id : held.ids()) {
      if (mine.test(id)) {
        plan.look(id);
      }
    }
    for (CheckpointId id : held.deleted().keySet()) {
      if (mine.test(id)) {
        plan.lookAtMark(id);
      }
    }
    return List.copyOf(plan.steps);
  }

  private void look(CheckpointId id) {
    Entry mark = held.deleted().get(id);
    boolean hidden = mark != null && mark.modified().isBefore(before) && held.files(id).isEmpty();
    if (!held.old(id, before) && !hidden) {
      return;
    }
    boolean decided = held.manifests().containsKey(id) || decisions.whole().containsKey(id);
    boolean pinned = held.pinned().contains(id);
    if (decisions.aborted(id)) {
      List<Entry> files = files(id);
      if (!files.isEmpty()) {
        steps.add(
            new Step.Discard(action(Kind.REMOVE, id, files, "it was given up"), id, keys(files)));
      }
      emptied.add(id);
    } else if (mark != null) {
      // who put a young one may still be at work, and take it back for a start that goes on from it
      if (mark.modified().isBefore(before)) {
        lookAtDeletion(id, decided, pinned);
      }
    } else if (!decided && pinned) {
      steps.add(
          new Step.Leave(
              action(
                  Kind.LEAVE,
                  id,
                  List.of(),
                  "it is pinned, and its manifest is gone; unpin it to let its files go")));
    } else if (!decided && lost.containsKey(id)) {
      steps.add(
          new Step.Leave(
              action(
                  Kind.LEAVE,
                  id,
                  List.of(),
                  "it was committed ("
                      + lost.get(id)
                      + "), and its manifest is gone: its files stay until a repair commits it"
                      + " again, which needs its votes and shards whole, or somebody brings "
                      + held.keys().manifest(id)
                      + " back, or deletes them")));
    } else if (!decided && evidence.witnesses().get(id) != null) {
      steps.add(
          new Step.Leave(
              action(Kind.LEAVE, id, List.of(), Cleaner.tells(evidence.witnesses().get(id)))));
    } else if (!decided && evidence.untold().containsKey(id)) {
      steps.add(
          new Step.Leave(
              action(
                  Kind.LEAVE,
                  id,
                  List.of(),
                  "nobody can tell whether it was committed: "
                      + evidence.untold().get(id)
                      + ". Its files stay until a repair commits it again, which needs its votes"
                      + " and shards whole, or somebody brings the records of the run back, or"
                      + " deletes them")));
    } else if (!decided && !held.quarantined().contains(id)) {
      List<Entry> files = files(id);
      String why = "orphan of attempt " + id.attempt();
      steps.add(new Step.GiveUp(action(Kind.GIVE_UP, id, files, why), id, keys(files)));
    }
  }

  private void lookAtDeletion(CheckpointId id, boolean decided, boolean pinned) {
    if (pinned) {
      if (decided && !held.files(id).isEmpty()) {
        steps.add(new Step.Unmark(mark(id, "the checkpoint is pinned"), id));
      }
    } else if (told(id).isPresent()) {
      steps.add(new Step.Leave(action(Kind.LEAVE, id, List.of(), Cleaner.tells(told(id).get()))));
    } else if (!(decisions.unreadable().get(id) instanceof CheckpointException.Incompatible)) {
      List<Entry> files = files(id);
      String why = "its deletion was cut short";
      Kind kind = decided ? Kind.DELETE : Kind.REMOVE;
      Set<String> keys = new LinkedHashSet<>(keys(files));
      if (decisions.whole().get(id) instanceof Manifest.Commit commit) {
        commit.shards().stream().map(ShardEntry::key).forEach(keys::add);
        keys.removeAll(needed);
      }
      if (decided || !keys.isEmpty()) {
        steps.add(new Step.Finish(action(kind, id, files, why), id, List.copyOf(keys)));
      }
      emptied.add(id);
    }
  }

  private Optional<CheckpointId> told(CheckpointId id) {
    return decisions.whole().get(id) instanceof Manifest.Commit commit
        ? held.toldBy(commit).filter(lostOne -> !decisions.whole().containsKey(lostOne))
        : Optional.empty();
  }

  /** A mark hides a manifest or keeps files apart; when both are gone it says nothing more. */
  private void lookAtMark(CheckpointId id) {
    if (tellsOfLoss(id)) {
      return;
    }
    Entry mark = held.deleted().get(id);
    boolean hides =
        (held.manifests().containsKey(id) && !emptied.contains(id) && !decisions.aborted(id))
            || (!held.files(id).isEmpty() && !emptied.contains(id));
    if (mark != null && !hides && mark.modified().isBefore(before)) {
      steps.add(new Step.Unmark(mark(id, "nothing of the checkpoint is left"), id));
    }
  }

  /**
   * The newest mark that its attempt has below an id may be what tells that something was
   * committed, unless that id is decided, or going to be.
   */
  private boolean tellsOfLoss(CheckpointId mark) {
    CheckpointId next = held.deleted().higherKey(mark);
    return Stream.concat(lost.keySet().stream(), evidence.untold().keySet().stream())
        .filter(id -> id.compareTo(mark) > 0 && mine.test(id))
        .filter(id -> !held.manifests().containsKey(id) && !decisions.whole().containsKey(id))
        .anyMatch(id -> next == null || next.attempt() != mark.attempt() || id.compareTo(next) < 0);
  }

  private List<Entry> files(CheckpointId id) {
    return held.files(id).stream().filter(file -> !needed.contains(file.key())).toList();
  }

  private MaintenanceAction mark(CheckpointId id, String why) {
    return new MaintenanceAction(Kind.REMOVE, run(), held.keys().deleted(id), 0, why);
  }

  private MaintenanceAction action(Kind kind, CheckpointId id, List<Entry> files, String why) {
    long bytes = files.stream().mapToLong(Entry::length).sum();
    return new MaintenanceAction(kind, run(), id.toString(), bytes, why);
  }

  private String run() {
    return held.keys().run();
  }

  private static List<String> keys(List<Entry> files) {
    return files.stream().map(Entry::key).toList();
  }
}
