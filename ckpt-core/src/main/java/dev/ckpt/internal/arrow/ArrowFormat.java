package dev.ckpt.internal.arrow;

import dev.ckpt.TensorSpec;
import dev.ckpt.internal.shard.LayoutCache;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * Shards as Arrow IPC files. Keeps the encoded metadata of the last few layouts: a save of what was
 * saved before makes no garbage to speak of.
 */
public final class ArrowFormat implements ShardFormat {

  /** A column's length is a 32-bit number of elements; this keeps clear of it for every type. */
  private static final long MAX_COLUMN_BYTES = 1L << 30;

  private final long maxColumnBytes;
  private final LayoutCache<Layout> layouts = new LayoutCache<>();

  /** A format with an empty cache. */
  public ArrowFormat() {
    this(MAX_COLUMN_BYTES);
  }

  ArrowFormat(long maxColumnBytes) {
    this.maxColumnBytes = maxColumnBytes;
  }

  @Override
  public String name() {
    return "arrow";
  }

  /**
   * @throws IllegalArgumentException if tensors share a name, or a name, shape or header key cannot
   *     be described
   */
  @Override
  public void write(Contents contents, Output out) throws IOException {
    Map<String, String> header = contents.header();
    List<TensorSpec> tensors = contents.tensors();
    Layout layout =
        layouts.take(
            kept -> kept.fits(header, tensors), () -> new Layout(header, tensors, maxColumnBytes));
    try {
      new ShardWriter(layout, out).write(contents);
    } finally {
      layouts.give(layout);
    }
  }

  @Override
  public ChunkTable chunks(Input raw, ShardDigest expected) throws IOException {
    return ShardFooter.chunks(raw, expected);
  }

  @Override
  public Reader reader(Input verified) throws IOException {
    return ShardReader.open(verified);
  }
}
