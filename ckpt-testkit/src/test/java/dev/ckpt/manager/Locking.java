package dev.ckpt.manager;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;

/** The same medium as another process sees it, with its locks. */
class Locking extends OtherUri {
  private final CheckpointStore medium;

  Locking(CheckpointStore medium) {
    super(medium);
    this.medium = medium;
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    return medium.lock(key, holder);
  }
}
