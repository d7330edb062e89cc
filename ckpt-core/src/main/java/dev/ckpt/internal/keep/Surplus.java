package dev.ckpt.internal.keep;

import dev.ckpt.Checkpoint;
import dev.ckpt.Retention;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** What of a branch may go. Pure functions. */
public final class Surplus {

  private Surplus() {}

  /**
   * What the policy lets go, oldest first; never the newest, nor the newest finite one, nor a
   * pinned one.
   *
   * @param live the commits of one branch
   */
  public static List<Manifest.Commit> of(
      NavigableMap<CheckpointId, Manifest.Commit> live,
      Retention policy,
      Set<CheckpointId> pinned) {
    if (live.isEmpty()) {
      return List.of();
    }
    Map<CheckpointId, Checkpoint> all = new LinkedHashMap<>();
    live.forEach((id, commit) -> all.put(id, commit.checkpoint()));
    Set<Checkpoint> kept = policy.keep(List.copyOf(all.values()));
    List<Manifest.Commit> surplus = new ArrayList<>();
    Optional<CheckpointId> newest = newestFinite(live);
    live.forEach(
        (id, commit) -> {
          boolean needed =
              kept.contains(all.get(id))
                  || pinned.contains(id)
                  || newest.filter(id::equals).isPresent()
                  || id.equals(live.lastKey());
          if (!needed) {
            surplus.add(commit);
          }
        });
    return surplus;
  }

  /** The metrics that at least one of them has. */
  public static Set<String> metrics(NavigableMap<CheckpointId, Manifest.Commit> live) {
    Set<String> metrics = new TreeSet<>();
    live.values().forEach(commit -> metrics.addAll(commit.checkpoint().metrics().keySet()));
    return metrics;
  }

  /** The newest without NaN or infinities. */
  public static Optional<CheckpointId> newestFinite(
      NavigableMap<CheckpointId, Manifest.Commit> live) {
    return live.descendingMap().values().stream()
        .filter(Manifest.Commit::finite)
        .findFirst()
        .map(Manifest.Commit::id);
  }
}
