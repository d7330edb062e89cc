package dev.ckpt.hdf5;

import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.LayoutCache;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * Shards as HDF5 files, {@code format: hdf5} in a config: a group for each part, a dataset for each
 * tensor. Streamed like every other format, so it works on every store. Keeps the encoded metadata
 * of the last few layouts.
 */
public final class Hdf5Format implements ShardFormat {

  private final LayoutCache<Layout> layouts = new LayoutCache<>();

  /** A format with an empty cache. */
  public Hdf5Format() {}

  @Override
  public String name() {
    return "hdf5";
  }

  /**
   * @throws IllegalArgumentException if tensors share a name, or a name, shape or header key cannot
   *     be described; HDF5 has at most 32 dimensions
   */
  @Override
  public void write(Contents contents, Output out) throws IOException {
    Map<String, String> header = contents.header();
    List<TensorSpec> tensors = contents.tensors();
    Layout layout =
        layouts.take(kept -> kept.fits(header, tensors), () -> new Layout(header, tensors));
    try {
      ShardWriter.write(layout, contents, out);
    } finally {
      layouts.give(layout);
    }
  }

  @Override
  public ChunkTable chunks(Input raw, ShardDigest expected) throws IOException {
    return Checksums.read(raw, expected);
  }

  @Override
  public Reader reader(Input verified) throws IOException {
    return new ShardReader(verified);
  }
}
