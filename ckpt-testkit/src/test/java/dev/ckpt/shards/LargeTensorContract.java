package dev.ckpt.shards;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.internal.shard.StoreInput;
import dev.ckpt.internal.shard.VerifiedInput;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A tensor beyond every 32-bit length, with the limits of the product. */
public abstract class LargeTensorContract {

  private static final long GIB = 1L << 30;

  /** What is written; the first is large. */
  protected static final List<TensorSpec> TENSORS =
      List.of(
          TensorSpec.of("m/large", DType.BFLOAT16, Shape.of(1100, 1_000_003)),
          TensorSpec.of("m/small", DType.INT8, Shape.of(3)));

  private static final long LARGE = TENSORS.get(0).bytes();

  @TempDir Path folder;

  /** A new instance, as users get it. */
  protected abstract ShardFormat format();

  /** Where the first tensor begins, with {@link Shards#HEADER} and values of that length. */
  protected abstract int bodyStart(int valuesBytes);

  /** How many pieces the large one is cut into. */
  protected abstract int pieces();

  @Test
  void isWrittenInItsPiecesAndReadAsOne() throws IOException {
    assertThat(LARGE).isGreaterThan(2 * GIB);
    TestContents contents = Shards.contents(TENSORS);
    Remembered shard = new Remembered(bodyStart(contents.values().remaining()));
    ChecksumOutput out = new ChecksumOutput(shard);
    format().write(contents, out);
    assertThat(shard.length()).isEqualTo(out.digest().length()).isGreaterThan(LARGE);
    check(shard, out.digest(), contents);
  }

  @Test
  @Tag("nightly")
  void isWrittenToAFileAndReadByMapAndWithout() throws Exception {
    TestContents contents = Shards.contents(TENSORS);
    ShardDigest digest = Shards.write(format(), contents, folder, "shard");
    try (CheckpointStore store = Stores.local(folder)) {
      StoreInput mapped = StoreInput.open(store, "shard", digest.length());
      check(mapped, digest, contents);
      check(mapped.unmapped(), digest, contents);
    }
  }

  private void check(ShardFormat.Input raw, ShardDigest digest, TestContents contents)
      throws IOException {
    ShardFormat format = format();
    VerifiedInput in = new VerifiedInput(raw, format.chunks(raw, digest), digest);
    in.verifyAll(2);
    try (ShardFormat.Reader reader = format.reader(in)) {
      assertThat(reader.tensors()).isEqualTo(TENSORS);
      assertThat(reader.ranges(0)).hasSize(2 * pieces());
      long[] ends = {0, GIB, 2 * GIB, LARGE};
      for (long end : ends) {
        for (int bytes : new int[] {1, 2, 100_000, 1 << 20}) {
          long from = Math.max(0, Math.min(LARGE - bytes, end - bytes / 2));
          ByteBuffer into = ByteBuffer.allocate(bytes);
          reader.read(0, from, into);
          assertThat(into.flip()).isEqualTo(contents.window(0, from, bytes));
        }
      }
    }
  }

  /**
   * A shard that holds the large tensor's bytes by knowing them: compares each that is written with
   * what it must be, keeps the others, and gives all of them back.
   */
  private static final class Remembered implements CheckpointStore.Sink, ShardFormat.Input {
    private final int bodyStart;
    private final TestContents known = Shards.contents(TENSORS);
    private final ByteArrayOutputStream others = new ByteArrayOutputStream();
    private long length;

    Remembered(int bodyStart) {
      this.bodyStart = bodyStart;
    }

    @Override
    public void write(ByteBuffer... sources) {
      for (ByteBuffer source : sources) {
        while (source.hasRemaining()) {
          int bytes = piece(length, source.remaining());
          ByteBuffer piece = source.slice(source.position(), bytes);
          if (isKnown(length)) {
            if (piece.mismatch(known.window(0, length - bodyStart, bytes)) >= 0) {
              throw new AssertionError("other bytes at " + length);
            }
          } else {
            byte[] kept = new byte[bytes];
            piece.get(kept);
            others.writeBytes(kept);
          }
          source.position(source.position() + bytes);
          length += bytes;
        }
      }
    }

    private boolean isKnown(long position) {
      return position >= bodyStart && position < bodyStart + LARGE;
    }

    /** How much of a range lies on the same side of the tensor's ends. */
    private int piece(long position, int max) {
      long end =
          position < bodyStart ? bodyStart : isKnown(position) ? bodyStart + LARGE : Long.MAX_VALUE;
      return (int) Math.min(Math.min(max, 1 << 20), end - position);
    }

    @Override
    public String name() {
      return "remembered";
    }

    @Override
    public long length() {
      return length;
    }

    @Override
    public void read(long position, ByteBuffer into) {
      if (position > length - into.remaining()) {
        throw new CheckpointException.Corrupt("read behind the end");
      }
      TestContents own = Shards.contents(TENSORS);
      byte[] kept = others.toByteArray();
      while (into.hasRemaining()) {
        int bytes = piece(position, into.remaining());
        if (isKnown(position)) {
          into.put(own.window(0, position - bodyStart, bytes));
        } else {
          long at = position < bodyStart ? position : position - LARGE;
          into.put(kept, (int) at, bytes);
        }
        position += bytes;
      }
    }

    @Override
    public void complete() {}

    @Override
    public void abort() {}

    @Override
    public void close() {}
  }
}
