package dev.ckpt.internal.arrow;

import dev.ckpt.TensorSpec;
import dev.ckpt.manifest.ChunkTable;
import dev.ckpt.manifest.ShardDigest;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Map;

/**
 * Shards as Arrow IPC files. Keeps the encoded metadata of the last few layouts: a save of what was
 * saved before makes no garbage to speak of.
 */
public final class ArrowFormat implements ShardFormat {

  /** A column's length is a 32-bit number of elements; this keeps clear of it for every type. */
  private static final long MAX_COLUMN_BYTES = 1L << 30;

  private static final int KEPT = 4;

  private final long maxColumnBytes;
  private final Deque<Layout> kept = new ArrayDeque<>();

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
    Layout layout = take(contents.header(), contents.tensors());
    try {
      new ShardWriter(layout, out).write(contents);
    } finally {
      give(layout);
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

  /** A layout is patched by whoever uses it, so it leaves the cache meanwhile. */
  private Layout take(Map<String, String> header, List<TensorSpec> tensors) {
    synchronized (kept) {
      for (Iterator<Layout> all = kept.iterator(); all.hasNext(); ) {
        Layout layout = all.next();
        if (layout.fits(header, tensors)) {
          all.remove();
          return layout;
        }
      }
    }
    return new Layout(header, tensors, maxColumnBytes);
  }

  private void give(Layout layout) {
    synchronized (kept) {
      kept.addFirst(layout);
      if (kept.size() > KEPT) {
        kept.removeLast();
      }
    }
  }
}
