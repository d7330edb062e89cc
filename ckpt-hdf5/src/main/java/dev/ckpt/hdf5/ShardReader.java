package dev.ckpt.hdf5;

import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.Ranges;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.SortedMap;

/** An open shard. */
final class ShardReader implements ShardFormat.Reader {

  private final ShardFormat.Input in;
  private final MetadataReader.Decoded decoded;

  ShardReader(ShardFormat.Input in) throws IOException {
    this.in = in;
    this.decoded = MetadataReader.read(in);
  }

  @Override
  public SortedMap<String, String> header() {
    return decoded.header();
  }

  @Override
  public List<TensorSpec> tensors() {
    return decoded.tensors();
  }

  @Override
  public ByteBuffer values() throws IOException {
    ByteBuffer values = ByteBuffer.allocate(decoded.valuesBytes());
    in.read(decoded.valuesStart(), values);
    return values.flip();
  }

  @Override
  public void read(int tensor, long offset, ByteBuffer into) throws IOException {
    Ranges.check(decoded.tensors().get(tensor), offset, into.remaining());
    in.read(decoded.starts()[tensor] + offset, into);
  }

  @Override
  public long[] ranges(int tensor) {
    long bytes = decoded.tensors().get(tensor).bytes();
    long start = decoded.starts()[tensor];
    return bytes == 0 ? new long[0] : new long[] {start, start + bytes};
  }

  @Override
  public void close() {}
}
