package dev.ckpt.manager;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Optional;

/** A medium as a process of its own sees it: another address, and all that the medium can do. */
class AnotherProcess extends OtherUri {
  private final CheckpointStore medium;

  AnotherProcess(CheckpointStore medium) {
    super(medium);
    this.medium = medium;
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    return medium.map(key, offset, length);
  }

  @Override
  public Optional<Long> usableBytes() throws IOException {
    return medium.usableBytes();
  }

  @Override
  public int sweep(String prefix, Instant before) throws IOException {
    return medium.sweep(prefix, before);
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    return medium.lock(key, holder);
  }

  @Override
  public void close() {}
}
