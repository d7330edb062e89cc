package dev.ckpt.internal.keep;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.SaveCost;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.time.Duration;
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
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Deletes what the policy does not keep, and what dead processes left behind.
 *
 * <p>Nothing is deleted before a newer checkpoint was read back and verified, and nothing that the
 * run does not own is touched: only committed checkpoints of its live branch, and data of ids that
 * are aborted. What may go say {@link Surplus} and {@link LeftOvers}; in which order, {@link
 * Cleaner}.
 *
 * <p>Runs on the housekeeping thread only.
 */
public final class Keeper {
  private static final Logger log = LoggerFactory.getLogger(Keeper.class);

  private final CheckpointStore store;
  private final RunLog run;
  private final Cleaner cleaner;
  private final Function<String, ShardFormat> formats;
  private final Retention policy;
  private final Housekeeper house;
  private final int attempt;
  private final Duration grace;

  private final TreeMap<CheckpointId, Manifest.Commit> live = new TreeMap<>();
  private final NavigableSet<CheckpointId> unread = new TreeSet<>();
  private final Set<CheckpointId> spared = new HashSet<>();
  private Optional<CheckpointId> verified = Optional.empty();
  private boolean metricsWarned;

  /**
   * @param attempt the one that deletes; a newer one stops it
   * @param grace how old a left-over must be, by the store's clock
   */
  public Keeper(
      CheckpointStore store,
      RunLog run,
      Committer committer,
      Function<String, ShardFormat> formats,
      Retention policy,
      Housekeeper house,
      int attempt,
      Duration grace) {
    this.store = store;
    this.run = run;
    // a suspended process may wake up between any two steps, and another one train from what goes
    this.cleaner = new Cleaner(store, run, committer, () -> run.checkNotFenced(attempt));
    this.formats = formats;
    this.policy = policy;
    this.house = house;
    this.attempt = attempt;
    this.grace = grace;
  }

  /** Learns the branch that a resume made live, and tells the listeners what is committed. */
  public void start(Lineage lineage, Optional<CheckpointId> applied) throws IOException {
    verified = applied;
    NavigableSet<CheckpointId> decided = run.decided();
    Set<CheckpointId> branch = new HashSet<>(lineage.live(decided));
    List<Checkpoint> committed = new ArrayList<>();
    Decisions.read(run, decided)
        .commits()
        .forEach(
            (id, commit) -> {
              committed.add(commit.checkpoint());
              if (branch.contains(id)) {
                live.put(id, commit);
              }
            });
    house.tell(listener -> listener.reconcile(List.copyOf(committed)));
  }

  /** A save failed. */
  public void failed(String id, Progress progress, CheckpointException failure) {
    house.tell(listener -> listener.failed(id, progress, failure));
  }

  /** Nothing is told any more. */
  public void closed() {
    house.tell(CheckpointListener::closed);
  }

  /** A checkpoint was committed. */
  public void committed(Checkpoint checkpoint, SaveCost cost) throws IOException {
    house.tell(listener -> listener.committed(checkpoint, cost));
    keep(checkpoint);
  }

  /** The same, long ago: it was said to have failed. */
  public void committedLate(Checkpoint checkpoint) throws IOException {
    house.tell(listener -> listener.committed(checkpoint));
    keep(checkpoint);
  }

  private void keep(Checkpoint checkpoint) throws IOException {
    unread.add(CheckpointId.parse(checkpoint.id()).orElseThrow());
    warnOfUnknownMetrics(checkpoint);
    learn();
    apply();
  }

  /** What the store did not give at its commit, it may give at the next. */
  private void learn() throws IOException {
    for (CheckpointId id : List.copyOf(unread)) {
      try {
        if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit) {
          live.put(id, commit);
        }
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        log.error("{} was committed, and is left alone: {}", id, e.getMessage());
      }
      unread.remove(id);
    }
  }

  /** The end of an epoch has all metrics that there will be. */
  private void warnOfUnknownMetrics(Checkpoint checkpoint) {
    Set<String> unknown = new TreeSet<>(policy.metrics());
    unknown.removeAll(checkpoint.metrics().keySet());
    if (!unknown.isEmpty()
        && !metricsWarned
        && !checkpoint.metrics().isEmpty()
        && checkpoint.progress().phase() == Progress.Phase.AFTER_EPOCH) {
      metricsWarned = true;
      log.warn(
          "the retention policy looks at {}, which {} does not have; it has {}",
          unknown,
          checkpoint.id(),
          new TreeSet<>(checkpoint.metrics().keySet()));
    }
  }

  /** Applies the policy. */
  private void apply() throws IOException {
    if (Surplus.of(live, policy, run.pinned()).isEmpty() || !verifyNewest()) {
      return;
    }
    for (Manifest.Commit commit : Surplus.of(live, policy, run.pinned())) {
      run.checkNotFenced(attempt);
      NavigableMap<CheckpointId, Manifest.Commit> others = new TreeMap<>(live);
      others.remove(commit.id());
      delete(commit, Decisions.namedBy(others.values()), "retention");
    }
  }

  /** Reads the newest checkpoint back; only then may an older one go. */
  private boolean verifyNewest() throws IOException {
    Optional<CheckpointId> newest = Surplus.newestFinite(live);
    if (newest.isEmpty()) {
      return false;
    }
    if (newest.equals(verified)) {
      return true;
    }
    Manifest.Commit commit = live.get(newest.get());
    if (commit == null) {
      return false;
    }
    try {
      OpenCheckpoint.readBack(store, commit, formats);
      verified = newest;
      return true;
    } catch (CheckpointException.Corrupt e) {
      live.remove(newest.get());
      log.error(
          "{} was committed and cannot be read back; nothing older is deleted: {}",
          newest.get(),
          e.getMessage());
      return false;
    }
  }

  private Optional<String> delete(Manifest.Commit commit, Set<String> needed, String why)
      throws IOException {
    Optional<String> stays = cleaner.delete(commit, needed, why);
    if (stays.isPresent()) {
      if (spared.add(commit.id())) {
        log.warn("{} is not deleted ({}): {}", commit.id(), why, stays.get());
      }
      return stays;
    }
    live.remove(commit.id());
    log.debug("deleted {}: {}", commit.id(), why);
    Checkpoint gone = commit.checkpoint();
    house.tell(listener -> listener.deleted(gone));
    return Optional.empty();
  }

  /**
   * Does a step that somebody else planned for this run.
   *
   * @throws CheckpointException.Fenced if this is no longer its newest attempt
   */
  public MaintenanceAction does(Step step) throws IOException {
    run.checkNotFenced(attempt);
    if (step instanceof Step.Delete delete) {
      return delete(delete.commit(), delete.needed(), delete.action().reason())
          .map(why -> Cleaner.left(step.action(), why))
          .orElse(step.action());
    }
    return cleaner.does(step);
  }

  /**
   * Removes what earlier attempts left: unfinished uploads, data that were never committed, and
   * deletions that a crash cut short.
   */
  public void sweep() throws IOException {
    Instant before = store.now().minus(grace);
    int files = store.sweep(run.keys().root(), before);
    Inventory held = Inventory.of(store, run.keys());
    Decisions decisions = Decisions.read(run, held.manifests().keySet());
    Evidence lost = Evidence.of(held.undecided(), run);
    int ids = 0;
    for (Step step : LeftOvers.plan(held, decisions, lost, before, id -> id.attempt() < attempt)) {
      run.checkNotFenced(attempt);
      MaintenanceAction done = cleaner.does(step);
      log.debug("clean-up: {}", done);
      boolean mark = step instanceof Step.Unmark;
      ids += done.kind() == MaintenanceAction.Kind.LEAVE || mark ? 0 : 1;
    }
    if (files > 0 || ids > 0) {
      log.info(
          "cleaned up after earlier attempts: {} unfinished file(s), {} uncommitted checkpoint(s)",
          files,
          ids);
    }
  }
}
