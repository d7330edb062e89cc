package dev.ckpt.internal.convert;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.Optional;

/**
 * A run that a conversion may begin: nothing is there but what earlier conversions left, which
 * never was a training's.
 *
 * @param lineage its records
 * @param commit what an earlier conversion committed; its process may have died before it could say
 *     so
 */
record Landing(Lineage lineage, Optional<Manifest.Commit> commit) {

  /**
   * Looks.
   *
   * @throws IllegalArgumentException if anything else is there
   */
  static Landing look(RunLog run, CheckpointStore store) throws IOException {
    Keys keys = run.keys();
    List<String> all = run.keysUnder(keys.root(), "");
    Lineage lineage = run.lineage();
    for (String key : all) {
      if (!isOfAConversion(key, keys, lineage)) {
        throw taken(run, store, "which holds " + key);
      }
    }
    Optional<Manifest.Commit> commit = Optional.empty();
    for (CheckpointId id : run.idsUnder(keys.manifests())) {
      Manifest manifest;
      try {
        manifest = run.manifest(id).orElse(null);
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        throw taken(run, store, "whose " + id + " cannot be read");
      }
      if (manifest instanceof Manifest.Commit found) {
        if (commit.isPresent()) {
          throw taken(run, store, "which holds " + commit.get().id() + " and " + id);
        }
        commit = Optional.of(found);
      }
    }
    if (commit.isEmpty() && all.stream().anyMatch(key -> key.startsWith(keys.ends()))) {
      throw taken(run, store, "whose checkpoint is gone");
    }
    return new Landing(lineage, commit);
  }

  /** Whether an attempt that only converted wrote it. */
  private static boolean isOfAConversion(String key, Keys keys, Lineage lineage) {
    boolean plain =
        List.of(
                keys.attempts(),
                keys.resumes(),
                keys.ends(),
                keys.data(),
                keys.votes(),
                keys.manifests())
            .stream()
            .anyMatch(key::startsWith);
    int attempt = keys.attemptOf(key).or(() -> keys.idOf(key).map(CheckpointId::attempt)).orElse(0);
    return plain
        && Optional.ofNullable(lineage.attempts().get(attempt))
            .filter(record -> record.request().equals(Admission.CONVERSION))
            .isPresent();
  }

  static IllegalArgumentException taken(RunLog run, CheckpointStore store, String why) {
    return new IllegalArgumentException(
        "there is a run '"
            + run.keys().run()
            + "' in "
            + store.uri()
            + " already, "
            + why
            + ": give the converted one another name (ckpt: --to-run)");
  }
}
