package dev.ckpt.hdf5;

import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.BatchedOutput;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Writes one shard. */
final class ShardWriter {

  private ShardWriter() {}

  static void write(Layout layout, ShardFormat.Contents contents, ShardFormat.Output out)
      throws IOException {
    BatchedOutput to = new BatchedOutput(out, layout.batch);
    ByteBuffer values = contents.values();
    long tail = layout.tailStart(values.remaining());
    to.append(layout.head(values.remaining()));
    List<TensorSpec> tensors = layout.tensors();
    for (int i = 0; i < tensors.size(); i++) {
      to.tensor(contents, i, 0, tensors.get(i).bytes());
      to.zerosUpTo(Words.aligned(to.position()));
    }
    to.append(values.duplicate());
    to.zerosUpTo(Words.aligned(to.position()));
    to.flush();
    if (out.position() != tail) {
      throw new IllegalStateException(out.position() + " bytes were counted, not " + tail);
    }
    to.append(Checksums.encode(out.chunks()));
    to.flush();
  }
}
