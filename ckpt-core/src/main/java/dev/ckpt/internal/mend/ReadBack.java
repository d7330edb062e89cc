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
 * Reads checkpoints back, and remembers of each run the last one, by all that its manifest says:
 * who looks after each save reads the same bytes once. For one thread.
 */
final class ReadBack {

  /** What became of it. */
  private record Found(Manifest.Commit commit, Optional<String> damage) {}

  private final CheckpointStore store;
  private final Function<String, ShardFormat> formats;
  private final Map<String, Found> last = new HashMap<>();

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
    Found known = last.get(run);
    if (known == null || !known.commit().equals(commit)) {
      known = new Found(commit, read(commit));
      last.put(run, known);
    }
    return known.damage();
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
