package dev.ckpt;

import java.util.List;
import java.util.Set;

/**
 * Says which checkpoints to keep. A pure function; the newest that verifies, pinned ones and those
 * that others need are kept whatever it says. Called on a thread of the manager's.
 */
@FunctionalInterface
public interface Retention {

  /**
   * @param committed those of the live branch, oldest first
   * @return the ones to keep, a subset
   */
  Set<Checkpoint> keep(List<Checkpoint> committed);
}
