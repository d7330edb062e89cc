package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Reads checkpoints back, and remembers of each run one that is damaged, by all that its manifest
 * says: who looks after each save reads it once. That one was whole is never remembered, because
 * older ones are deleted on the strength of it. For one thread.
 */
final class ReadBack {

  /** What is wrong with it. */
  private record Damaged(Manifest.Commit commit, String why) {}

  private final CheckpointStore store;
  private final Function<String, ShardFormat> formats;
  private final Map<String, Damaged> damaged = new HashMap<>();

  ReadBack(CheckpointStore store, Function<String, ShardFormat> formats) {
    this.store = store;
    this.formats = formats;
  }

  /**
   * What is wrong with a checkpoint; empty if every byte is as it was written.
   *
   * @throws IOException if the store fails; then nothing is remembered
   */
  Optional<String> damage(String run, Manifest.Commit commit) throws IOException {
    Damaged known = damaged.get(run);
    if (known != null && known.commit().equals(commit)) {
      return Optional.of(known.why());
    }
    Optional<String> damage = read(commit);
    damage.ifPresent(why -> damaged.put(run, new Damaged(commit, why)));
    return damage;
  }

  private Optional<String> read(Manifest.Commit commit) throws IOException {
    try {
      OpenCheckpoint.readBack(store, commit, formats);
      return Optional.empty();
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return Optional.of(String.valueOf(e.getMessage()));
    }
  }
}
