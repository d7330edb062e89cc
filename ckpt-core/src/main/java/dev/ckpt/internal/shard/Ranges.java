package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.ShardFormat;

/** Bounds of reads. */
public final class Ranges {

  private Ranges() {}

  /**
   * @throws CheckpointException.Corrupt if the range does not lie in the file
   */
  static void check(ShardFormat.Input input, long position, long bytes) {
    if (position < 0 || bytes < 0 || position > input.length() - bytes) {
      throw new CheckpointException.Corrupt(
          input.name()
              + ": bytes "
              + position
              + " to "
              + (position + bytes)
              + " were asked for, but it has "
              + input.length());
    }
  }

  /**
   * @throws IndexOutOfBoundsException if the range does not lie in the tensor
   */
  public static void check(TensorSpec tensor, long offset, int bytes) {
    if (offset < 0 || offset > tensor.bytes() - bytes) {
      throw new IndexOutOfBoundsException(
          tensor.name()
              + " has "
              + tensor.bytes()
              + " bytes; "
              + bytes
              + " from "
              + offset
              + " on were asked for");
    }
  }
}
