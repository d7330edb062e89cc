package dev.ckpt;

import java.nio.ByteBuffer;
import java.util.Set;

/**
 * The state of one part of one checkpoint. Every byte that it gives was verified. Usable from any
 * thread until its checkpoint is closed or the restore that handed it out returns.
 */
public interface StateView {

  /** Where the training stood. */
  Progress progress();

  /** Names of the tensors, in the order they were captured. */
  Set<String> names();

  /** Names of the values. */
  Set<String> values();

  /** Names of the opaque bytes. */
  Set<String> opaque();

  /**
   * What is known of a tensor, or of opaque bytes, which are one of {@code uint8}.
   *
   * @throws java.util.NoSuchElementException if there is none of that name
   */
  TensorSpec spec(String name);

  /**
   * Fills {@code into} with the tensor's little-endian bytes from {@code offset} on, or with the
   * opaque ones.
   *
   * @throws java.util.NoSuchElementException if there is none of that name
   * @throws IndexOutOfBoundsException if the window leaves the tensor
   * @throws CheckpointException.Corrupt if the bytes no longer match their checksum
   * @throws java.io.UncheckedIOException if they cannot be read
   */
  void read(String name, long offset, ByteBuffer into);

  /**
   * A small value, converted as Jackson would ({@code Map}, {@code List}, records and boxed types
   * work).
   *
   * @throws java.util.NoSuchElementException if there is none of that name
   * @throws CheckpointException.Incompatible if it is not of that type
   */
  <T> T value(String name, Class<T> type);

  /**
   * Opaque bytes, as a read-only buffer.
   *
   * @throws java.util.NoSuchElementException if there are none of that name
   */
  ByteBuffer bytes(String name);
}
