package dev.ckpt;

import java.util.Optional;

/**
 * Everything that is known of one id of a run, whether it can be used or not.
 *
 * @param id attempt, step and phase
 * @param standing what it is
 * @param checkpoint its facts, if its manifest is whole and commits it
 * @param pinned whether somebody wants it kept
 * @param bytes length of the shards that its manifest names; else of the files that bear the id
 * @param reason one sentence that a person reads: why it is not live, where the damage is; empty if
 *     it is live
 */
public record ListedCheckpoint(
    String id,
    Standing standing,
    Optional<Checkpoint> checkpoint,
    boolean pinned,
    long bytes,
    String reason) {

  /** What an id is. */
  public enum Standing {
    /** Committed, and on the branch that the next start goes on with. */
    LIVE,
    /** Committed, on a branch that was left: by going back, or by a process that woke up late. */
    DEAD_BRANCH,
    /** Committed; a damaged record of the run keeps anybody from telling whether it is live. */
    UNKNOWN,
    /** Given up for ever; nothing can be committed under it. */
    ABORTED,
    /** Has files, and nobody has decided about it: a save under way, or one that died. */
    UNDECIDED,
    /** Marked deleted; its files go, or would have gone had the process lived. */
    DELETED,
    /** Its manifest does not read as it was written, or is missing although it was committed. */
    DAMAGED,
    /** A newer version wrote it. */
    NEWER,
    /** Damaged, and moved aside by a repair. */
    QUARANTINED
  }
}
