package dev.ckpt.internal.shard;

import dev.ckpt.CheckpointException;
import dev.ckpt.spi.ShardFormat;

/** Bounds of reads. */
final class Ranges {

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
}
