package dev.ckpt.mlflow.internal.report;

/**
 * Which run of which store.
 *
 * @param store its URI, without credentials
 */
public record Subject(String store, String run) {

  /** What tells a checkpoint from every other. */
  public String uri(String id) {
    return store + (store.endsWith("/") ? "" : "/") + "runs/" + run + "#" + id;
  }
}
