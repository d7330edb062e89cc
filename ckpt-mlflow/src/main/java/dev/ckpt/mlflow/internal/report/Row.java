package dev.ckpt.mlflow.internal.report;

import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is remembered of a checkpoint after it is gone, for tables and curves.
 *
 * @param stallMillis how long the training stood still for it; NaN if nobody knows any more
 * @param writeMillis how long it was written; NaN if nobody knows any more
 * @param norm of the weights; NaN if it was not computed
 * @param model its id in MLflow; empty if it has none
 * @param deleted whether it is gone from the store
 */
public record Row(
    String id,
    long step,
    int epoch,
    Instant at,
    long bytes,
    boolean finite,
    double stallMillis,
    double writeMillis,
    double norm,
    Map<String, Double> metrics,
    String model,
    boolean deleted) {

  public Row {
    metrics = new TreeMap<>(metrics);
  }

  /** The same with a model of MLflow's. */
  public Row withModel(String other) {
    return new Row(
        id,
        step,
        epoch,
        at,
        bytes,
        finite,
        stallMillis,
        writeMillis,
        norm,
        metrics,
        other,
        deleted);
  }

  /** The same, gone from the store. */
  public Row asDeleted() {
    return new Row(
        id, step, epoch, at, bytes, finite, stallMillis, writeMillis, norm, metrics, "", true);
  }
}
