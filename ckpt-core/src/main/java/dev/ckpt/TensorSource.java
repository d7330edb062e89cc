package dev.ckpt;

import java.nio.ByteBuffer;

/** Gives the contents of one tensor, window by window, so that no tensor is too large. */
@FunctionalInterface
public interface TensorSource {

  /**
   * Copies bytes {@code offset .. offset + into.remaining()} of the tensor's little-endian C-order
   * contents, filling {@code into}. Must not keep {@code into}. Called on the training thread
   * unless the tensor is {@link Stability#STABLE_UNTIL_UPDATE} and the capture is overlapped.
   *
   * @param offset bytes from the start of the tensor
   * @param into where to; its remaining bytes lie within the tensor
   */
  void copy(long offset, ByteBuffer into);
}
