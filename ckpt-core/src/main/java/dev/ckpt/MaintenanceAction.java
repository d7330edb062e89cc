package dev.ckpt;

/**
 * One thing that {@link Maintenance} did, or would do.
 *
 * @param kind what
 * @param run in which run; empty if it is about the whole store
 * @param subject the id or the key that it is about
 * @param bytes how many it frees, moves or restores; 0 if none, or if it was cut short
 * @param reason why, in one clause
 */
public record MaintenanceAction(Kind kind, String run, String subject, long bytes, String reason) {

  /** What can be done. */
  public enum Kind {
    /** A committed checkpoint is deleted, in the order that readers are safe with. */
    DELETE,
    /** An id that nobody decided about is given up for ever. */
    GIVE_UP,
    /** Left-over files or marks are removed. */
    REMOVE,
    /** A damaged object is moved below {@code quarantine/}, byte for byte. */
    QUARANTINE,
    /** A damaged record is written again; its digest proves that these are its bytes. */
    RESTORE,
    /**
     * Something else was begun, and failed where it cannot be taken back; the reason says what. A
     * checkpoint is gone then, not all of its files. The next maintenance goes on with it.
     */
    CUT_SHORT,
    /** Nothing is done; the reason says what a person can do. */
    LEAVE
  }
}
