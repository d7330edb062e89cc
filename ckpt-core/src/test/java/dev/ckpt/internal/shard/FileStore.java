package dev.ckpt.internal.shard;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** Files in a folder, with or without mmap; counts the bytes that were read. */
public final class FileStore implements CheckpointStore {

  public final AtomicLong read = new AtomicLong();
  private final Path folder;
  private final boolean mmap;

  public FileStore(Path folder, boolean mmap) {
    this.folder = folder;
    this.mmap = mmap;
  }

  @Override
  public Sink create(String key) throws IOException {
    FileChannel channel =
        FileChannel.open(
            folder.resolve(key), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    return new Sink() {
      @Override
      public void write(ByteBuffer... sources) throws IOException {
        for (ByteBuffer source : sources) {
          while (source.hasRemaining()) {
            channel.write(sources);
          }
        }
      }

      @Override
      public void complete() throws IOException {
        channel.close();
      }

      @Override
      public void abort() {}

      @Override
      public void close() {}
    };
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    try (FileChannel channel = FileChannel.open(folder.resolve(key))) {
      int total = 0;
      while (into.hasRemaining()) {
        int n = channel.read(into, offset + total);
        if (n < 0) {
          break;
        }
        total += n;
      }
      read.addAndGet(total);
      return total;
    }
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    if (!mmap) {
      return Optional.empty();
    }
    try (FileChannel channel = FileChannel.open(folder.resolve(key))) {
      return Optional.of(
          channel
              .map(FileChannel.MapMode.READ_ONLY, offset, length)
              .order(ByteOrder.LITTLE_ENDIAN));
    }
  }

  @Override
  public URI uri() {
    return folder.toUri();
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Stream<Entry> list(String prefix, String after) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void delete(Collection<String> keys) {
    throw new UnsupportedOperationException();
  }

  @Override
  public Instant now() {
    throw new UnsupportedOperationException();
  }

  @Override
  public void close() {}
}
