package dev.ckpt.internal.convert;

import dev.ckpt.CheckpointException;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;

/** What one shard holds, to be written as another: every byte of it is read verified. */
final class ReadContents implements ShardFormat.Contents {
  private static final String RUN = "run";
  private static final int WINDOW = 1 << 20;

  private final ShardFormat.Reader reader;
  private final Map<String, String> header;
  private final ByteBuffer values;
  private final LongConsumer onBytes;
  private final ByteBuffer window;
  private final ByteBuffer other;

  /**
   * @param run that the copy is to belong to
   * @param onBytes told of bytes of tensors as they are read
   */
  ReadContents(ShardFormat.Reader reader, String run, LongConsumer onBytes) throws IOException {
    this.reader = reader;
    this.header = new TreeMap<>(reader.header());
    header.replace(RUN, run);
    this.values = reader.values().asReadOnlyBuffer();
    this.onBytes = onBytes;
    long largest = reader.tensors().stream().mapToLong(TensorSpec::bytes).max().orElse(0);
    this.window = ByteBuffer.allocateDirect((int) Math.min(WINDOW, largest));
    this.other = ByteBuffer.allocateDirect(window.capacity());
  }

  @Override
  public Map<String, String> header() {
    return header;
  }

  @Override
  public List<TensorSpec> tensors() {
    return reader.tensors();
  }

  @Override
  public ByteBuffer values() {
    return values.duplicate();
  }

  @Override
  public ByteBuffer window(int tensor, long offset, int max) throws IOException {
    long left = tensors().get(tensor).bytes() - offset;
    window.clear().limit((int) Math.min(Math.min(max, window.capacity()), left));
    reader.read(tensor, offset, window);
    onBytes.accept(window.position());
    return window.flip().asReadOnlyBuffer();
  }

  /**
   * Compares all of it with what was made of it.
   *
   * @throws CheckpointException.SaveFailed naming the first difference
   */
  void requireSame(ShardFormat.Reader copy, String where) throws IOException {
    if (!copy.header().equals(header)) {
      throw differs(where, "its header");
    }
    if (!copy.tensors().equals(tensors())) {
      throw differs(where, "the list of its tensors");
    }
    if (!copy.values().equals(values)) {
      throw differs(where, "its small values");
    }
    for (int tensor = 0; tensor < tensors().size(); tensor++) {
      TensorSpec spec = tensors().get(tensor);
      for (long offset = 0; offset < spec.bytes(); ) {
        ByteBuffer ours = window(tensor, offset, WINDOW);
        copy.read(tensor, offset, other.clear().limit(ours.remaining()));
        int difference = ours.mismatch(other.flip());
        if (difference >= 0) {
          throw differs(where, "byte " + (offset + difference) + " of tensor " + spec.name());
        }
        offset += ours.remaining();
      }
    }
  }

  private static CheckpointException differs(String where, String what) {
    return new CheckpointException.SaveFailed(
        where + " does not read back as its source: " + what + " differs", null);
  }
}
