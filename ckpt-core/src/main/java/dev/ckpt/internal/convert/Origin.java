package dev.ckpt.internal.convert;

import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.run.Parameters;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What the run of a checkpoint knows of it besides.
 *
 * @param goal that the run reached with it; empty if it reached none
 * @param facts where a copy comes from, and the parameters of the run, for people
 */
public record Origin(Optional<Map<String, Long>> goal, Map<String, String> facts) {

  /** Reads the run's records; damaged ones cost only what they would have told. */
  public static Origin of(CheckpointStore store, RunLog run, CheckpointId id) throws IOException {
    Lineage lineage = run.lineage();
    Map<String, String> facts = new TreeMap<>();
    AttemptRecord saved = lineage.attempts().get(id.attempt());
    if (saved != null) {
      facts.putAll(saved.provenance());
      facts.keySet().removeIf(name -> !Parameters.isFact(name));
    }
    facts.put("from", run.keys().run() + "/" + id);
    facts.put("fromStore", store.uri().toString());
    return new Origin(goal(run, lineage, id), facts);
  }

  /** Also an attempt that began with it and had nothing left to do may have reached the goal. */
  private static Optional<Map<String, Long>> goal(RunLog run, Lineage lineage, CheckpointId id)
      throws IOException {
    int newest = lineage.resumes().isEmpty() ? id.attempt() : lineage.resumes().lastKey();
    Set<CheckpointId> lost = Evidence.above(Optional.of(id), run).all().keySet();
    for (int head : List.of(newest, id.attempt())) {
      Optional<RunLog.Completion> completion = run.completed(lineage, head, lost);
      if (completion.flatMap(RunLog.Completion::last).equals(Optional.of(id))) {
        return completion.map(reached -> reached.end().goal());
      }
    }
    return Optional.empty();
  }
}
