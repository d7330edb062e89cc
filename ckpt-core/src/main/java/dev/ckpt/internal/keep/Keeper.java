package dev.ckpt.internal.keep;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Decision;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Deletes what the policy does not keep, and what dead processes left behind.
 *
 * <p>Nothing is deleted before a newer checkpoint was read back and verified, and nothing that the
 * run does not own is touched: only committed checkpoints of its live branch, and data of ids that
 * are aborted. The order of a deletion makes every crash harmless: the mark under {@code deleted/},
 * which readers honour; the pins once more; the manifest; then the files that no manifest names. A
 * crash in between leaves a mark, and the next clean-up goes on from it.
 *
 * <p>Runs on the housekeeping thread only.
 */
public final class Keeper {
  private static final Logger log = LoggerFactory.getLogger(Keeper.class);

  private final CheckpointStore store;
  private final RunLog run;
  private final Committer committer;
  private final Function<String, ShardFormat> formats;
  private final Retention policy;
  private final Housekeeper house;
  private final int attempt;
  private final Duration grace;

  private final TreeMap<CheckpointId, Manifest.Commit> live = new TreeMap<>();
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
    this.committer = committer;
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
    for (CheckpointId id : decided) {
      try {
        if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit) {
          committed.add(commit.checkpoint());
          if (branch.contains(id)) {
            live.put(id, commit);
          }
        }
      } catch (CheckpointException e) {
        log.debug("{} is left alone", id, e);
      }
    }
    house.tell(listener -> listener.reconcile(List.copyOf(committed)));
  }

  /** A checkpoint was committed. */
  public void committed(Checkpoint checkpoint) throws IOException {
    house.tell(listener -> listener.committed(checkpoint));
    CheckpointId id = CheckpointId.parse(checkpoint.id()).orElseThrow();
    if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit) {
      live.put(id, commit);
    }
    warnOfUnknownMetrics(checkpoint);
    apply();
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
    List<CheckpointId> doomed = doomed(run.pinned());
    if (doomed.isEmpty() || !verifyNewest()) {
      return;
    }
    run.checkNotFenced(attempt);
    for (CheckpointId id : doomed(run.pinned())) {
      delete(id);
    }
  }

  /** What the policy lets go, oldest first. */
  private List<CheckpointId> doomed(Set<CheckpointId> pinned) {
    Map<CheckpointId, Checkpoint> all = new LinkedHashMap<>();
    live.forEach((id, commit) -> all.put(id, commit.checkpoint()));
    Set<Checkpoint> kept = policy.keep(List.copyOf(all.values()));
    List<CheckpointId> doomed = new ArrayList<>();
    Optional<CheckpointId> newest = newestFinite();
    all.forEach(
        (id, checkpoint) -> {
          boolean needed =
              kept.contains(checkpoint)
                  || pinned.contains(id)
                  || newest.filter(id::equals).isPresent()
                  || id.equals(live.lastKey());
          if (!needed) {
            doomed.add(id);
          }
        });
    return doomed;
  }

  private Optional<CheckpointId> newestFinite() {
    return live.descendingMap().values().stream()
        .filter(Manifest.Commit::finite)
        .findFirst()
        .map(Manifest.Commit::id);
  }

  /** Reads the newest checkpoint back; only then may an older one go. */
  private boolean verifyNewest() throws IOException {
    Optional<CheckpointId> newest = newestFinite();
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

  private void delete(CheckpointId id) throws IOException {
    Manifest.Commit commit = live.get(id);
    if (commit == null) {
      return;
    }
    Keys keys = run.keys();
    byte[] why = "retention".getBytes(java.nio.charset.StandardCharsets.UTF_8);
    if (store.putIfAbsent(keys.deleted(id), ByteBuffer.wrap(why)) == Decision.EXISTS) {
      log.debug("{} was marked deleted before", id);
    }
    if (run.pinned().contains(id)) {
      store.delete(List.of(keys.deleted(id)));
      return;
    }
    store.delete(List.of(keys.manifest(id)));
    live.remove(id);
    removeFiles(commit);
    log.debug("deleted {}: the retention policy does not keep it", id);
    Checkpoint gone = commit.checkpoint();
    house.tell(listener -> listener.deleted(gone));
  }

  private void removeFiles(Manifest.Commit commit) throws IOException {
    Set<String> named = new HashSet<>();
    for (Manifest.Commit other : live.values()) {
      other.shards().forEach(shard -> named.add(shard.key()));
    }
    List<String> files =
        commit.shards().stream().map(ShardEntry::key).filter(key -> !named.contains(key)).toList();
    store.delete(files);
    store.delete(run.keysUnder(run.keys().votes(commit.id()), ""));
  }

  /**
   * Removes what earlier attempts left: unfinished uploads, data that were never committed, and
   * deletions that a crash cut short. Each undecided id is aborted before its data go, because its
   * writer may only be asleep.
   */
  public void sweep() throws IOException {
    Instant before = store.now().minus(grace);
    int files = store.sweep(run.keys().root(), before);
    NavigableSet<CheckpointId> decided = run.idsUnder(run.keys().manifests());
    Set<CheckpointId> deleted = run.deleted();
    NavigableSet<CheckpointId> found = new TreeSet<>(old(run.keys().data(), before));
    found.addAll(old(run.keys().votes(), before));
    int ids = 0;
    for (CheckpointId id : found) {
      if (id.attempt() >= attempt) {
        continue;
      }
      if (deleted.contains(id)) {
        finishDeletion(id, decided);
        ids++;
      } else if (!decided.contains(id) || isAbort(id)) {
        if (committer.abort(id, "orphan of attempt " + id.attempt()) instanceof Manifest.Abort) {
          committer.discard(id);
          ids++;
        }
      }
    }
    removeMarks(before);
    if (files > 0 || ids > 0) {
      log.info(
          "cleaned up after earlier attempts: {} unfinished file(s), {} uncommitted checkpoint(s)",
          files,
          ids);
    }
  }

  /** A mark hides a manifest or keeps files apart; when both are gone it says nothing more. */
  private void removeMarks(Instant before) throws IOException {
    Set<CheckpointId> marked = old(run.keys().deleted(), before);
    marked.removeIf(id -> id.attempt() >= attempt);
    if (marked.isEmpty()) {
      return;
    }
    marked.removeAll(run.idsUnder(run.keys().manifests()));
    marked.removeAll(run.idsUnder(run.keys().data()));
    marked.removeAll(run.idsUnder(run.keys().votes()));
    store.delete(marked.stream().map(run.keys()::deleted).toList());
  }

  private void finishDeletion(CheckpointId id, Collection<CheckpointId> decided)
      throws IOException {
    if (run.pinned().contains(id)) {
      if (decided.contains(id)) {
        store.delete(List.of(run.keys().deleted(id)));
      }
      return;
    }
    if (decided.contains(id)) {
      store.delete(List.of(run.keys().manifest(id)));
    }
    committer.erase(id);
  }

  private boolean isAbort(CheckpointId id) throws IOException {
    try {
      return run.manifest(id).orElse(null) instanceof Manifest.Abort;
    } catch (CheckpointException e) {
      return false;
    }
  }

  /** Ids whose files under a folder are all older than that. */
  private Set<CheckpointId> old(String folder, Instant before) throws IOException {
    Set<CheckpointId> old = new TreeSet<>();
    Set<CheckpointId> young = new TreeSet<>();
    try (Stream<CheckpointStore.Entry> entries = store.list(folder, "")) {
      entries.forEach(
          entry ->
              Keys.idOf(entry.key())
                  .ifPresent(id -> (entry.modified().isBefore(before) ? old : young).add(id)));
    }
    old.removeAll(young);
    return old;
  }
}
