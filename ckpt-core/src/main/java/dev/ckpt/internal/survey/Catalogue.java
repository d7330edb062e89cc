package dev.ckpt.internal.survey;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.ListedCheckpoint.Standing;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeSet;

/** Every id that a run has a trace of, and what it is. */
public final class Catalogue {

  /** What an id is, and why. */
  private record Verdict(Standing standing, String reason) {}

  private final Lineage lineage;
  private final Evidence evidence;
  private final LiveBranch branch;

  private Catalogue(Lineage lineage, Evidence evidence) {
    this.lineage = lineage;
    this.evidence = evidence;
    this.branch = LiveBranch.of(lineage);
  }

  /** All of a run, oldest first. A damaged record of the run is said in the reasons. */
  public static List<ListedCheckpoint> of(CheckpointStore store, RunLog run) throws IOException {
    NavigableMap<CheckpointId, Trace> traces = Trace.all(store, run.keys());
    NavigableSet<CheckpointId> decided = new TreeSet<>();
    NavigableSet<CheckpointId> undecided = new TreeSet<>();
    traces.forEach(
        (id, trace) -> {
          if (trace.manifest()) {
            decided.add(id);
          } else if (trace.files() && !trace.marked() && !trace.quarantined()) {
            undecided.add(id);
          }
        });
    Catalogue catalogue = new Catalogue(run.lineage(decided), Evidence.of(undecided, run));
    Map<CheckpointId, RunLog.Decision> decisions = new HashMap<>();
    run.decisions(decided).forEach(each -> decisions.put(each.id(), each));
    List<ListedCheckpoint> all = new ArrayList<>();
    traces.forEach(
        (id, trace) ->
            all.add(
                catalogue.listed(
                    trace,
                    decisions.getOrDefault(
                        id, new RunLog.Decision(id, Optional.empty(), Optional.empty())))));
    return List.copyOf(all);
  }

  private ListedCheckpoint listed(Trace trace, RunLog.Decision decision) {
    Verdict verdict =
        decision
            .unreadable()
            .map(why -> instead(trace, unreadable(why)))
            .orElseGet(() -> verdict(decision.id(), trace, decision.manifest()));
    Optional<Checkpoint> checkpoint =
        decision.manifest().orElse(null) instanceof Manifest.Commit commit
            ? Optional.of(commit.checkpoint())
            : Optional.empty();
    return new ListedCheckpoint(
        decision.id().toString(),
        verdict.standing(),
        checkpoint,
        trace.pinned(),
        checkpoint.map(Checkpoint::bytes).orElse(trace.bytes()),
        verdict.reason());
  }

  private static Verdict unreadable(CheckpointException why) {
    return new Verdict(
        why instanceof CheckpointException.Incompatible ? Standing.NEWER : Standing.DAMAGED,
        String.valueOf(why.getMessage()));
  }

  private Verdict verdict(CheckpointId id, Trace trace, Optional<Manifest> manifest) {
    if (manifest.orElse(null) instanceof Manifest.Commit commit) {
      if (trace.marked()) {
        return new Verdict(Standing.DELETED, "marked deleted; its manifest and files go next");
      }
      if (branch.contains(id)) {
        return new Verdict(Standing.LIVE, "");
      }
      return new Verdict(
          branch.isUnknown(id.attempt()) ? Standing.UNKNOWN : Standing.DEAD_BRANCH,
          branch.whyNot(commit));
    }
    if (manifest.orElse(null) instanceof Manifest.Abort abort) {
      return instead(trace, new Verdict(Standing.ABORTED, "given up: " + abort.reason()));
    }
    return instead(trace, undecided(id, trace));
  }

  /** What was moved aside, or is being deleted, is that whatever else it looks like. */
  private static Verdict instead(Trace trace, Verdict verdict) {
    if (trace.quarantined()) {
      return new Verdict(Standing.QUARANTINED, "a repair found it damaged and moved it aside");
    }
    if (trace.marked()) {
      return new Verdict(
          Standing.DELETED,
          trace.files() || trace.manifest()
              ? "what is left of its files goes with a later clean-up"
              : "only its mark is left");
    }
    return verdict;
  }

  private Verdict undecided(CheckpointId id, Trace trace) {
    if (!trace.files()) {
      return new Verdict(
          Standing.DELETED, "nothing is left of it but a pin, which can be taken away");
    }
    Optional<String> damage = evidence.damage(id);
    if (damage.isPresent()) {
      return new Verdict(Standing.DAMAGED, damage.get());
    }
    return new Verdict(
        Standing.UNDECIDED,
        id.attempt() < lineage.newest()
            ? "nobody decided about it before attempt " + lineage.newest() + " took over"
            : "a save under way, or one that died");
  }
}
