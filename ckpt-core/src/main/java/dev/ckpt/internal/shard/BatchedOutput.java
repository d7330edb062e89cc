package dev.ckpt.internal.shard;

import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes the parts of one shard. Large windows go to the output as they are, together with whatever
 * small things wait before them; small ones are copied into a batch, because a window is valid only
 * until the next and because a call of the output for each of 100,000 tensors would cost more than
 * the copy.
 */
public final class BatchedOutput {

  /**
   * Windows end where the file's next multiple of this begins: the kernel takes large pages only
   * for writes that are aligned in the file. Small enough for the second-level cache, which scan,
   * checksum and write then share.
   */
  private static final int WINDOW = 256 << 10;

  private static final int SMALL = 32 << 10;

  private final ShardFormat.Output out;
  private final ByteBuffer batch;
  private final ByteBuffer[] single = new ByteBuffer[1];
  private final ByteBuffer[] pair = new ByteBuffer[2];

  /**
   * @param out at its byte 0
   * @param batch gathers what is small; its contents are lost
   */
  public BatchedOutput(ShardFormat.Output out, ByteBuffer batch) {
    if (out.position() != 0) {
      throw new IllegalArgumentException("a shard begins at byte 0, not at " + out.position());
    }
    this.out = out;
    this.batch = batch.clear();
  }

  /** A new buffer for the constructor; who writes often keeps one. */
  public static ByteBuffer newBatch() {
    return ByteBuffer.allocateDirect(1 << 20);
  }

  /** Bytes written so far, those in the batch included. */
  public long position() {
    return out.position() + batch.position();
  }

  /**
   * Writes a part of a tensor.
   *
   * @param first its first byte within the tensor
   */
  public void tensor(ShardFormat.Contents contents, int tensor, long first, long length)
      throws IOException {
    long end = first + length;
    for (long at = first; at < end; ) {
      int max = (int) Math.min(WINDOW - position() % WINDOW, end - at);
      ByteBuffer window = contents.window(tensor, at, max);
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
  public void append(ByteBuffer source) throws IOException {
    while (source.hasRemaining()) {
      room(1);
      int bytes = Math.min(batch.remaining(), source.remaining());
      batch.put(batch.position(), source, source.position(), bytes);
      batch.position(batch.position() + bytes);
      source.position(source.position() + bytes);
    }
  }

  /** Zeros up to a position in the file, less than 1 MiB away. */
  public void zerosUpTo(long position) throws IOException {
    int count = Math.toIntExact(position - position());
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

  /** Writes what waits; to be called before the output is asked for its checksums, and last. */
  public void flush() throws IOException {
    if (batch.position() > 0) {
      single[0] = batch.flip();
      out.write(single);
      batch.clear();
    }
  }
}
