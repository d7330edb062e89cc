package dev.ckpt;

import java.time.Instant;
import java.util.Map;
import java.util.Optional;

/**
 * A committed checkpoint.
 *
 * @param id attempt, step and phase; sorts by attempt, then time
 * @param parent the checkpoint that this attempt committed or applied before it
 * @param progress where the training stood
 * @param committedAt when, by the clock of the saving process
 * @param bytes length of all its shards
 * @param metrics as given to the save
 * @param finite whether no floating-point tensor holds a NaN or an infinity
 */
public record Checkpoint(
    String id,
    Optional<String> parent,
    Progress progress,
    Instant committedAt,
    long bytes,
    Map<String, Double> metrics,
    boolean finite) {

  public Checkpoint {
    metrics = Map.copyOf(metrics);
  }
}
