package dev.ckpt.internal.keep;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import java.io.IOException;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/**
 * What was decided about each id of a run, read once.
 *
 * @param whole decisions that read as they were written
 * @param unreadable damaged ones, and those of a newer version
 */
public record Decisions(
    NavigableMap<CheckpointId, Manifest> whole,
    NavigableMap<CheckpointId, CheckpointException> unreadable) {

  /** Reads the decisions about these ids; one that is gone by now is in neither map. */
  public static Decisions read(RunLog run, Collection<CheckpointId> ids) throws IOException {
    NavigableMap<CheckpointId, Manifest> whole = new TreeMap<>();
    NavigableMap<CheckpointId, CheckpointException> unreadable = new TreeMap<>();
    for (CheckpointId id : ids) {
      try {
        run.manifest(id).ifPresent(manifest -> whole.put(id, manifest));
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        unreadable.put(id, e);
      }
    }
    return new Decisions(whole, unreadable);
  }

  /** All that are committed. */
  public NavigableMap<CheckpointId, Manifest.Commit> commits() {
    NavigableMap<CheckpointId, Manifest.Commit> commits = new TreeMap<>();
    whole.forEach(
        (id, manifest) -> {
          if (manifest instanceof Manifest.Commit commit) {
            commits.put(id, commit);
          }
        });
    return commits;
  }

  /** Whether an id is given up, beyond doubt. */
  public boolean aborted(CheckpointId id) {
    return whole.get(id) instanceof Manifest.Abort;
  }

  /** Keys of all shards that the commits of these ids name. */
  public Set<String> named(Predicate<CheckpointId> ids) {
    return namedBy(commits().values().stream().filter(commit -> ids.test(commit.id())).toList());
  }

  /** Keys of all shards that these name. */
  public static Set<String> namedBy(Collection<Manifest.Commit> commits) {
    Set<String> named = new LinkedHashSet<>();
    for (Manifest.Commit commit : commits) {
      commit.shards().stream().map(ShardEntry::key).forEach(named::add);
    }
    return named;
  }
}
