package dev.ckpt;

import java.nio.ByteBuffer;

/** Takes the state of one part during a capture. Used on the capturing thread only. */
public interface StateSink {

  /**
   * Registers a tensor. With {@link Stability#COPY_NOW} the contents are copied before this
   * returns; otherwise the manager copies them at the latest in {@link
   * CheckpointManager#beforeUpdate()}.
   *
   * @throws IllegalArgumentException if the part already has a tensor, value or bytes of that name
   */
  void tensor(TensorSpec spec, TensorSource source, Stability stability);

  /**
   * Stores a small value: a {@code String}, {@code Boolean}, {@code Integer}, {@code Long}, {@code
   * Double}, {@code null}-free {@code List} or {@code Map<String, ?>} of those. Copied before this
   * returns. All values of all parts together, with the names of opaque bytes, are bounded by 1 MiB
   * of JSON; more fails the save.
   *
   * @throws IllegalArgumentException on any other type, or a name used twice
   */
  void value(String name, Object json);

  /**
   * Stores opaque bytes: the remaining ones of {@code contents}, copied before this returns.
   *
   * @throws IllegalArgumentException on a name used twice
   */
  void bytes(String name, ByteBuffer contents);
}
