package dev.ckpt.testkit;

import dev.ckpt.CheckpointException;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.internal.shard.VerifiedInput;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.function.IntUnaryOperator;

/** A shard in memory, written and read through the core's own checksums. */
final class MemoryShard {

  private final byte[] bytes;
  private final ShardDigest digest;

  private MemoryShard(byte[] bytes, ShardDigest digest) {
    this.bytes = bytes;
    this.digest = digest;
  }

  /** What a test writes. */
  record State(
      Map<String, String> header, List<TensorSpec> tensors, List<byte[]> contents, String values) {}

  static MemoryShard write(ShardFormat format, State state, IntUnaryOperator window)
      throws IOException {
    Memory memory = new Memory();
    ChecksumOutput out = new ChecksumOutput(memory);
    format.write(new Windows(state, window), out);
    return new MemoryShard(memory.bytes.toByteArray(), out.digest());
  }

  /** The file itself. */
  byte[] bytes() {
    return bytes;
  }

  ShardDigest digest() {
    return digest;
  }

  /** Opens these bytes as a shard that was committed with this one's digest. */
  ShardFormat.Reader open(ShardFormat format, byte[] found) throws IOException {
    return format.reader(verified(format, found));
  }

  VerifiedInput verified(ShardFormat format, byte[] found) throws IOException {
    ShardFormat.Input raw = input(found);
    return new VerifiedInput(raw, format.chunks(raw, digest), digest);
  }

  /** Bytes as they are. */
  static ShardFormat.Input input(byte[] bytes) {
    return new ShardFormat.Input() {
      @Override
      public String name() {
        return "memory";
      }

      @Override
      public long length() {
        return bytes.length;
      }

      @Override
      public void read(long position, ByteBuffer into) {
        if (position < 0 || position > bytes.length - into.remaining()) {
          throw new CheckpointException.Corrupt("read behind the end of memory");
        }
        into.put(bytes, (int) position, into.remaining());
      }
    };
  }

  private static final class Memory implements CheckpointStore.Sink {
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public void write(ByteBuffer... sources) {
      for (ByteBuffer source : sources) {
        byte[] piece = new byte[source.remaining()];
        source.get(piece);
        bytes.writeBytes(piece);
      }
    }

    @Override
    public void complete() {}

    @Override
    public void abort() {}

    @Override
    public void close() {}
  }

  /**
   * Gives windows of the sizes it is told, out of one buffer that the next call overwrites, and
   * insists that each byte is asked for once and in order.
   */
  private static final class Windows implements ShardFormat.Contents {
    private final State state;
    private final IntUnaryOperator size;
    private final ByteBuffer window = ByteBuffer.allocateDirect(1 << 20);
    private int tensor;
    private long offset;

    Windows(State state, IntUnaryOperator size) {
      this.state = state;
      this.size = size;
    }

    @Override
    public Map<String, String> header() {
      return state.header();
    }

    @Override
    public List<TensorSpec> tensors() {
      return state.tensors();
    }

    @Override
    public ByteBuffer values() {
      return ByteBuffer.wrap(state.values().getBytes(StandardCharsets.UTF_8)).asReadOnlyBuffer();
    }

    @Override
    public ByteBuffer window(int index, long from, int max) {
      while (tensor < index && offset == state.contents().get(tensor).length) {
        tensor++;
        offset = 0;
      }
      if (index != tensor || from != offset || max < 1) {
        throw new AssertionError(
            "window(" + index + ", " + from + ", " + max + ") after " + tensor + ", " + offset);
      }
      byte[] contents = state.contents().get(index);
      int bytes = Math.min(max, Math.max(1, size.applyAsInt(max)));
      bytes = Math.min(bytes, window.capacity());
      window.clear().put(contents, (int) from, bytes).flip();
      offset += bytes;
      return window.asReadOnlyBuffer();
    }
  }
}
