package dev.ckpt.benchmarks;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Collection;
import java.util.Optional;
import java.util.stream.Stream;

/** A store that reads the meter where the library passes by. */
final class MeteredStore implements CheckpointStore {

  private final CheckpointStore store;
  private final Meter meter;

  MeteredStore(CheckpointStore store, Meter meter) {
    this.store = store;
    this.meter = meter;
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    Decision decision = store.putIfAbsent(key, small);
    if (key.contains("/manifests/")) {
      meter.writerIsDone();
    }
    meter.sampleOffHeap();
    return decision;
  }

  @Override
  public Sink create(String key) throws IOException {
    Sink sink = store.create(key);
    return new Sink() {
      @Override
      public void write(ByteBuffer... sources) throws IOException {
        sink.write(sources);
        meter.sampleOffHeap();
      }

      @Override
      public void complete() throws IOException {
        sink.complete();
      }

      @Override
      public void abort() {
        sink.abort();
      }

      @Override
      public void close() {
        sink.close();
      }
    };
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    meter.sampleOffHeap();
    return store.read(key, offset, into);
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    Optional<ByteBuffer> mapped = store.map(key, offset, length);
    meter.sampleOffHeap();
    return mapped;
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    return store.list(prefix, after);
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    store.delete(keys);
  }

  @Override
  public Optional<Long> usableBytes() throws IOException {
    return store.usableBytes();
  }

  @Override
  public Instant now() throws IOException {
    return store.now();
  }

  @Override
  public int sweep(String prefix, Instant before) throws IOException {
    return store.sweep(prefix, before);
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    return store.lock(key, holder);
  }

  @Override
  public URI uri() {
    return store.uri();
  }

  @Override
  public void close() throws IOException {
    store.close();
  }
}
