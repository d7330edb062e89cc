package dev.ckpt.internal.keep;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What a run holds under each id, as its listings give it: files that bear no id of the run, or lie
 * deeper, are foreign and are not in it.
 *
 * @param manifests the decision about an id
 * @param data files in an id's folder of shards
 * @param votes files in an id's folder of votes
 * @param deleted marks
 * @param pinned ids that somebody wants kept
 * @param quarantined ids whose decision a repair has copied aside
 */
public record Inventory(
    Keys keys,
    NavigableMap<CheckpointId, Entry> manifests,
    NavigableMap<CheckpointId, List<Entry>> data,
    NavigableMap<CheckpointId, List<Entry>> votes,
    NavigableMap<CheckpointId, Entry> deleted,
    NavigableSet<CheckpointId> pinned,
    NavigableSet<CheckpointId> quarantined) {

  /**
   * Lists a run. Decisions come first: an id that looks undecided here may be committed by now, but
   * none that looks decided lost its decision to a listing in between.
   */
  public static Inventory of(CheckpointStore store, Keys keys) throws IOException {
    NavigableMap<CheckpointId, Entry> manifests = new TreeMap<>();
    each(store, keys, keys.manifests()).forEach((id, files) -> manifests.put(id, files.get(0)));
    NavigableMap<CheckpointId, List<Entry>> data = each(store, keys, keys.data());
    NavigableMap<CheckpointId, List<Entry>> votes = each(store, keys, keys.votes());
    NavigableMap<CheckpointId, Entry> deleted = new TreeMap<>();
    each(store, keys, keys.deleted()).forEach((id, files) -> deleted.put(id, files.get(0)));
    NavigableSet<CheckpointId> quarantined = new TreeSet<>();
    try (Stream<Entry> entries = store.list(keys.quarantine(), "")) {
      entries.forEach(entry -> keys.quarantinedManifest(entry.key()).ifPresent(quarantined::add));
    }
    return new Inventory(
        keys,
        manifests,
        data,
        votes,
        deleted,
        new TreeSet<>(each(store, keys, keys.pins()).keySet()),
        quarantined);
  }

  private static NavigableMap<CheckpointId, List<Entry>> each(
      CheckpointStore store, Keys keys, String folder) throws IOException {
    NavigableMap<CheckpointId, List<Entry>> all = new TreeMap<>();
    try (Stream<Entry> entries = store.list(folder, "")) {
      entries.forEach(
          entry ->
              keys.idOf(entry.key())
                  .ifPresent(id -> all.computeIfAbsent(id, x -> new ArrayList<>()).add(entry)));
    }
    return all;
  }

  /** All ids that have files, a decision or a mark. */
  public NavigableSet<CheckpointId> ids() {
    NavigableSet<CheckpointId> ids = new TreeSet<>(manifests.keySet());
    ids.addAll(data.keySet());
    ids.addAll(votes.keySet());
    ids.addAll(deleted.keySet());
    ids.addAll(quarantined);
    return ids;
  }

  /** Ids with files that nothing decides, marks, or holds in quarantine. */
  public NavigableSet<CheckpointId> undecided() {
    NavigableSet<CheckpointId> ids = new TreeSet<>(data.keySet());
    ids.addAll(votes.keySet());
    ids.removeAll(manifests.keySet());
    ids.removeAll(deleted.keySet());
    ids.removeAll(quarantined);
    return ids;
  }

  /**
   * Which lost id a commit tells of: its parent, if that has files and nothing that decides or
   * marks it. Without the commit nobody would know that it was committed.
   */
  public Optional<CheckpointId> toldBy(Manifest.Commit commit) {
    return commit
        .parent()
        .filter(id -> data.containsKey(id) || votes.containsKey(id))
        .filter(
            id ->
                !manifests.containsKey(id)
                    && !deleted.containsKey(id)
                    && !quarantined.contains(id));
  }

  /** Shards and votes of an id. */
  public List<Entry> files(CheckpointId id) {
    List<Entry> files = new ArrayList<>(data.getOrDefault(id, Collections.emptyList()));
    files.addAll(votes.getOrDefault(id, Collections.emptyList()));
    return files;
  }

  /** Whether an id has shards or votes, and all of them are older than that. */
  boolean old(CheckpointId id, Instant before) {
    List<Entry> files = files(id);
    return !files.isEmpty() && files.stream().allMatch(file -> file.modified().isBefore(before));
  }

  /** Bytes of all shards, whoever they belong to. */
  public long dataBytes() {
    return data.values().stream().flatMap(List::stream).mapToLong(Entry::length).sum();
  }

  /** The listed file under a key, if it is one of these. */
  public Optional<Entry> file(CheckpointId id, String key) {
    return files(id).stream().filter(file -> file.key().equals(key)).findFirst();
  }
}
