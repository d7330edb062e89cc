package dev.ckpt.samples;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** What a process was doing, as its journal and its store show. */
enum Phase {
  /** It has not taken its attempt yet. */
  START,
  /** It has, and has not trained yet: the state is looked for, verified, restored. */
  RESUME,
  /** It trains. */
  BATCH,
  /** It validates. */
  VALIDATION,
  /** A shard, or the rest of a checkpoint that is not committed, is being written. */
  WRITE,
  /** A checkpoint is half deleted. */
  RETENTION;

  /**
   * What earlier processes left in a store and nobody has swept yet.
   *
   * @param attempts how many were taken
   * @param uncommitted ids with data and without a decision
   * @param halfDeleted ids with a mark and with something left
   */
  record Traces(int attempts, Set<String> uncommitted, Set<String> halfDeleted) {

    static Traces in(Path store) {
      // data first: what is committed meanwhile is no trace
      Set<String> data = Commits.names(store, "data").collect(Collectors.toSet());
      Set<String> votes = Commits.names(store, "votes").collect(Collectors.toSet());
      Set<String> deleted = Commits.names(store, "deleted").collect(Collectors.toSet());
      Set<String> manifests =
          Commits.names(store, "manifests")
              .map(name -> name.replaceFirst("\\.json$", ""))
              .collect(Collectors.toSet());
      return new Traces(
          Commits.newestAttempt(store),
          data.stream()
              .filter(id -> !manifests.contains(id) && !deleted.contains(id))
              .collect(Collectors.toSet()),
          deleted.stream()
              .filter(
                  id ->
                      !id.startsWith(".")
                          && (manifests.contains(id) || votes.contains(id) || data.contains(id)))
              .collect(Collectors.toSet()));
    }
  }

  /** What it is doing now, or was when it ended. */
  static Phase of(SampleProcess process, Traces before, Path store) {
    Traces now = Traces.in(store);
    if (!before.halfDeleted().containsAll(now.halfDeleted())) {
      return RETENTION;
    }
    List<String> journal = process.journal();
    if (!journal.isEmpty() && journal.get(journal.size() - 1).startsWith("V ")) {
      return VALIDATION;
    }
    if (!before.uncommitted().containsAll(now.uncommitted())) {
      return WRITE;
    }
    if (!journal.isEmpty()) {
      return BATCH;
    }
    return now.attempts() == before.attempts() ? START : RESUME;
  }
}
