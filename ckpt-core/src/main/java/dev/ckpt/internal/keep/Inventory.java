package dev.ckpt.internal.keep;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.CheckpointId;
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
    each(store, keys.manifests()).forEach((id, files) -> only(files, keys.manifest(id), manifests));
    NavigableMap<CheckpointId, List<Entry>> data = each(store, keys.data());
    data.forEach((id, files) -> files.removeIf(file -> !file.key().startsWith(keys.data(id))));
    NavigableMap<CheckpointId, List<Entry>> votes = each(store, keys.votes());
    votes.forEach((id, files) -> files.removeIf(file -> !file.key().startsWith(keys.votes(id))));
    data.values().removeIf(List::isEmpty);
    votes.values().removeIf(List::isEmpty);
    NavigableMap<CheckpointId, Entry> deleted = new TreeMap<>();
    each(store, keys.deleted()).forEach((id, files) -> only(files, keys.deleted(id), deleted));
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
        new TreeSet<>(each(store, keys.pins()).keySet()),
        quarantined);
  }

  private static void only(List<Entry> files, String key, NavigableMap<CheckpointId, Entry> into) {
    for (Entry file : files) {
      if (file.key().equals(key)) {
        Keys.idOf(key).ifPresent(id -> into.put(id, file));
      }
    }
  }

  private static NavigableMap<CheckpointId, List<Entry>> each(CheckpointStore store, String folder)
      throws IOException {
    NavigableMap<CheckpointId, List<Entry>> all = new TreeMap<>();
    try (Stream<Entry> entries = store.list(folder, "")) {
      entries.forEach(
          entry ->
              Keys.idOf(entry.key())
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
