package dev.ckpt;

import java.time.Duration;

/**
 * A cut, as a trigger sees it.
 *
 * <p>A save that failed is none, but the next try does not follow at once: for a pause after it,
 * the last two still count from that save. It is a minute, and twice as long after each further
 * failure; a commit ends that. So a trigger by time tries again after the pause, or after its own
 * interval if that is shorter.
 *
 * @param kind what happened
 * @param progress where the training stands
 * @param stepsSinceSave updates since the last save that was started in this process and has not
 *     failed, or since the start
 * @param sinceSave time since then, by the manager's clock
 */
public record Moment(Kind kind, Progress progress, long stepsSinceSave, Duration sinceSave) {

  /** What happened at the cut. */
  public enum Kind {
    /** An update was done. A save due here is skipped while another is in flight. */
    STEP,
    /** An epoch ended. */
    EPOCH_END,
    /** The process was asked to end (SIGTERM), or a save was requested. */
    STOP,
    /** The training threw at a cut. */
    EXCEPTION,
    /** The training reached its goal. */
    COMPLETION
  }
}
