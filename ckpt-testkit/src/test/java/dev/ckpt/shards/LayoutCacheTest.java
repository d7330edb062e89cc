package dev.ckpt.shards;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.ckpt.TensorSpec;
import dev.ckpt.hdf5.Hdf5Format;
import dev.ckpt.internal.arrow.ArrowFormat;
import dev.ckpt.internal.shard.ChecksumOutput;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LayoutCacheTest {

  /** The goal for a save as a whole is 1 MiB; the format must leave room for the rest. */
  private static final long GARBAGE = 128 << 10;

  @ParameterizedTest
  @ValueSource(ints = {148, 10_000, 100_000})
  void theSecondWriteMakesNextToNoGarbage(int count) throws IOException {
    secondWrite(new ArrowFormat(), count);
    secondWrite(new Hdf5Format(), count);
  }

  private static void secondWrite(ShardFormat format, int count) throws IOException {
    List<TensorSpec> specs = Shards.small(count);
    TestContents contents = Shards.contents(specs);
    format.write(contents, new ChecksumOutput(new Nowhere()));
    // equal, not the same: a save describes its tensors anew
    TestContents again = Shards.contents(Shards.small(count));
    // by then the loops are compiled, as they are in any training
    for (int i = 0; i < 20; i++) {
      format.write(contents, new ChecksumOutput(new Nowhere()));
    }
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    long started = System.nanoTime();
    format.write(again, new ChecksumOutput(new Nowhere()));
    long nanos = System.nanoTime() - started;
    long garbage = threads.getCurrentThreadAllocatedBytes() - before;
    System.out.printf(
        "%s, %,d tensors: a repeated write makes %,d bytes of garbage, takes %.1f ms%n",
        format.name(), count, garbage, nanos / 1e6);
    assertThat(garbage).isLessThan(GARBAGE);
  }

  private static final class Nowhere implements CheckpointStore.Sink {
    @Override
    public void write(ByteBuffer... sources) {
      for (ByteBuffer source : sources) {
        source.position(source.limit());
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
