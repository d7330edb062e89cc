package dev.ckpt.manager;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Collection;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/** The same medium as another process sees it: another address, another store object, no lock. */
class OtherUri implements CheckpointStore {
  private static final AtomicInteger MADE = new AtomicInteger();

  private final CheckpointStore medium;
  private final URI uri = URI.create("memory:other-" + MADE.incrementAndGet());

  OtherUri(CheckpointStore medium) {
    this.medium = medium;
  }

  @Override
  public URI uri() {
    return uri;
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    return medium.putIfAbsent(key, small);
  }

  @Override
  public Sink create(String key) throws IOException {
    return medium.create(key);
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    return medium.read(key, offset, into);
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    return medium.list(prefix, after);
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    medium.delete(keys);
  }

  @Override
  public Instant now() throws IOException {
    return medium.now();
  }

  @Override
  public void close() {}
}
