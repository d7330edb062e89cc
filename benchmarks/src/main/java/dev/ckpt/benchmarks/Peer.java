package dev.ckpt.benchmarks;

import java.io.IOException;
import java.util.OptionalDouble;

/** One that saves and restores the state: we, or another checkpoint system. */
interface Peer extends AutoCloseable {

  /**
   * One save, in nanoseconds since its begin.
   *
   * @param blocked when the training could go on
   * @param finished when the peer itself was done
   * @param durable when a force of all that it wrote had returned too
   */
  record Saved(double blocked, double finished, double durable) {}

  /** In the table. */
  String name();

  /** What is true of its files when it is done: how they get their names, forced, checksums. */
  String promises();

  /** Saves; afterwards only this checkpoint is left, and nothing goes on behind it. */
  Saved save() throws Exception;

  /**
   * Restores what was saved last, into the tensors that exist, in the way that is usual.
   *
   * @return nanoseconds
   * @throws IOException if it failed, or the bytes are others
   */
  double restore() throws Exception;

  /** Restores in the other way: see {@link #otherWay}. Empty if there is none. */
  OptionalDouble restoreOtherwise() throws Exception;

  /** What {@link #restoreOtherwise} does. */
  String otherWay();

  @Override
  void close() throws IOException;
}
