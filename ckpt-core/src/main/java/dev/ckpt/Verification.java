package dev.ckpt;

import java.util.List;

/**
 * What a look at every byte of a checkpoint, or at the records of a run, found.
 *
 * @param id the checkpoint, or the run's name
 * @param bytes how many bytes of shards, or of records, were compared with their checksums
 * @param problems one sentence each, naming the file and the place; empty if it is whole
 */
public record Verification(String id, long bytes, List<String> problems) {
  public Verification {
    problems = List.copyOf(problems);
  }

  /** Whether every byte is as it was written. */
  public boolean ok() {
    return problems.isEmpty();
  }
}
