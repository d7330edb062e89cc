package dev.ckpt.internal.arrow;

import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes one shard. Large windows go to the output as they are, together with whatever small things
 * wait before them; small ones are copied into a batch, because a window is valid only until the
 * next and because a call of the output for each of 100,000 tensors would cost more than the copy.
 */
final class ShardWriter {

  /**
   * Windows end where the file's next multiple of this begins: the kernel takes large pages only
   * for writes that are aligned in the file. Small enough for the second-level cache, which scan,
   * checksum and write then share.
   */
  private static final int WINDOW = 256 << 10;

  private static final int SMALL = 32 << 10;

  private final Layout layout;
  private final ShardFormat.Output out;
  private final ByteBuffer batch;
  private final ByteBuffer[] single = new ByteBuffer[1];
  private final ByteBuffer[] pair = new ByteBuffer[2];

  ShardWriter(Layout layout, ShardFormat.Output out) {
    this.layout = layout;
    this.out = out;
    this.batch = layout.batch.clear().order(ByteOrder.LITTLE_ENDIAN);
  }

  void write(ShardFormat.Contents contents) throws IOException {
    if (out.position() != 0) {
      throw new IllegalArgumentException("a shard begins at byte 0, not at " + out.position());
    }
    ByteBuffer values = contents.values();
    int valuesBytes = values.remaining();
    append(layout.head(valuesBytes));
    List<Column> columns = layout.columns();
    for (int i = 0; i < columns.size(); i++) {
      column(contents, columns.get(i));
    }
    room(Keys.ALIGNMENT);
    batch.putInt(0).putInt(valuesBytes);
    zeros(Keys.ALIGNMENT - 2 * Integer.BYTES);
    append(values.duplicate());
    zeros((int) (Keys.aligned(valuesBytes) - valuesBytes));
    append(ByteBuffer.wrap(Layout.endOfStream()));
    flush();
    if (out.position() != layout.tiledBytes(valuesBytes)) {
      throw new IllegalStateException(
          out.position() + " bytes were counted, not " + layout.tiledBytes(valuesBytes));
    }
    byte[] crcs = out.chunks().base64().getBytes(StandardCharsets.US_ASCII);
    append(layout.footer(valuesBytes, crcs.length));
    append(ByteBuffer.wrap(crcs));
    append(layout.trailer(crcs.length));
    flush();
  }

  private void column(ShardFormat.Contents contents, Column column) throws IOException {
    long end = column.first() + column.bytes();
    for (long at = column.first(); at < end; ) {
      long position = out.position() + batch.position();
      int max = (int) Math.min(WINDOW - position % WINDOW, end - at);
      ByteBuffer window = contents.window(column.tensor(), at, max);
      int bytes = window.remaining();
      if (bytes < 1 || bytes > max) {
        throw new IllegalStateException(
            "a window of " + bytes + " bytes, where 1 to " + max + " were asked for");
      }
      if (bytes < SMALL) {
        append(window);
      } else {
        past(window);
      }
      at += bytes;
    }
    zeros((int) (Keys.aligned(column.bytes()) - column.bytes()));
  }

  /** Hands a large window on, after what waits in the batch. */
  private void past(ByteBuffer window) throws IOException {
    if (batch.position() == 0) {
      single[0] = window;
      out.write(single);
      return;
    }
    pair[0] = batch.flip();
    pair[1] = window;
    out.write(pair);
    batch.clear();
  }

  /** Copies into the batch. */
  private void append(ByteBuffer source) throws IOException {
    while (source.hasRemaining()) {
      room(1);
      int bytes = Math.min(batch.remaining(), source.remaining());
      batch.put(batch.position(), source, source.position(), bytes);
      batch.position(batch.position() + bytes);
      source.position(source.position() + bytes);
    }
  }

  /** Less than {@link Keys#ALIGNMENT} of them. */
  private void zeros(int count) throws IOException {
    room(count);
    for (int i = 0; i < count; i++) {
      batch.put((byte) 0);
    }
  }

  private void room(int bytes) throws IOException {
    if (batch.remaining() < bytes) {
      flush();
    }
  }

  private void flush() throws IOException {
    if (batch.position() > 0) {
      single[0] = batch.flip();
      out.write(single);
      batch.clear();
    }
  }
}
