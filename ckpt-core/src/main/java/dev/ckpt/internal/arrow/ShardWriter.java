package dev.ckpt.internal.arrow;

import dev.ckpt.internal.shard.BatchedOutput;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Writes one shard. */
final class ShardWriter {

  private final Layout layout;
  private final ShardFormat.Output out;
  private final BatchedOutput to;

  ShardWriter(Layout layout, ShardFormat.Output out) {
    this.layout = layout;
    this.out = out;
    this.to = new BatchedOutput(out, layout.batch);
  }

  void write(ShardFormat.Contents contents) throws IOException {
    ByteBuffer values = contents.values();
    int valuesBytes = values.remaining();
    to.append(layout.head(valuesBytes));
    List<Column> columns = layout.columns();
    for (int i = 0; i < columns.size(); i++) {
      Column column = columns.get(i);
      to.tensor(contents, column.tensor(), column.first(), column.bytes());
      align();
    }
    ByteBuffer offsets = ByteBuffer.allocate(2 * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    to.append(offsets.putInt(0).putInt(valuesBytes).flip());
    align();
    to.append(values.duplicate());
    align();
    to.append(ByteBuffer.wrap(Layout.endOfStream()));
    to.flush();
    if (out.position() != layout.tiledBytes(valuesBytes)) {
      throw new IllegalStateException(
          out.position() + " bytes were counted, not " + layout.tiledBytes(valuesBytes));
    }
    byte[] crcs = out.chunks().base64().getBytes(StandardCharsets.US_ASCII);
    to.append(layout.footer(valuesBytes, crcs.length));
    to.append(ByteBuffer.wrap(crcs));
    to.append(layout.trailer(crcs.length));
    to.flush();
  }

  /** The body begins at a multiple, too. */
  private void align() throws IOException {
    to.zerosUpTo(Keys.aligned(to.position()));
  }
}
