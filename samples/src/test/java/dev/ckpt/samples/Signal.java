package dev.ckpt.samples;

/** How a process of a run is hit. */
enum Signal {
  /** {@code kill -9}. */
  KILL,
  /** {@code kill}. */
  TERM,
  /** {@code kill -STOP} for longer than the deadline, then {@code kill -CONT}. */
  STOP,
  /** The same, and meanwhile another process takes the run over. */
  STOP_TAKEN_OVER
}
