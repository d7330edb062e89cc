package dev.ckpt.internal.survey;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Which objects of a run bear an id, from one listing. */
final class Trace {
  private boolean manifest;
  private boolean files;
  private boolean marked;
  private boolean pinned;
  private boolean quarantined;
  private long bytes;

  private Trace() {}

  /** All ids of a run. */
  static NavigableMap<CheckpointId, Trace> all(CheckpointStore store, Keys keys)
      throws IOException {
    NavigableMap<CheckpointId, Trace> all = new TreeMap<>();
    try (Stream<CheckpointStore.Entry> entries = store.list(keys.root(), "")) {
      entries.forEach(entry -> add(all, keys, entry));
    }
    return all;
  }

  private static void add(
      NavigableMap<CheckpointId, Trace> all, Keys keys, CheckpointStore.Entry entry) {
    String key = entry.key();
    int folderEnd = key.indexOf('/', keys.root().length()) + 1;
    if (folderEnd == 0) {
      return;
    }
    String folder = key.substring(0, folderEnd);
    int end = key.indexOf('/', folderEnd);
    Optional<CheckpointId> id =
        end < 0 ? keys.idOf(key) : CheckpointId.parse(key.substring(folderEnd, end));
    if (id.isEmpty()) {
      return;
    }
    Trace trace = new Trace();
    trace.manifest = key.equals(keys.manifest(id.get()));
    trace.marked = key.equals(keys.deleted(id.get()));
    trace.pinned = key.equals(keys.pin(id.get()));
    trace.files = end > 0 && (folder.equals(keys.data()) || folder.equals(keys.votes()));
    trace.quarantined = end > 0 && folder.equals(keys.quarantine());
    if (trace.manifest || trace.files || trace.quarantined) {
      trace.bytes = entry.length();
    } else if (!trace.marked && !trace.pinned) {
      return;
    }
    all.merge(id.get(), trace, Trace::with);
  }

  private Trace with(Trace other) {
    manifest |= other.manifest;
    files |= other.files;
    marked |= other.marked;
    pinned |= other.pinned;
    quarantined |= other.quarantined;
    bytes += other.bytes;
    return this;
  }

  /** Whether somebody decided about it. */
  boolean manifest() {
    return manifest;
  }

  /** Whether it has shards or votes. */
  boolean files() {
    return files;
  }

  /** Whether it is marked deleted. */
  boolean marked() {
    return marked;
  }

  /** Whether somebody wants it kept. */
  boolean pinned() {
    return pinned;
  }

  /** Whether something of it was moved aside. */
  boolean quarantined() {
    return quarantined;
  }

  /** Length of all its files: manifest, votes, shards, and what was moved aside. */
  long bytes() {
    return bytes;
  }
}
