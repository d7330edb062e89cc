package dev.ckpt.internal.arrow;

import dev.ckpt.Shape;
import dev.ckpt.internal.shard.EscapedName;
import dev.ckpt.internal.shard.ShardVersion;

/** The words of the format: metadata keys, limits, and how shapes are spelled. */
final class Keys {

  /** Every key of ours begins so; header facts are {@code ckpt.<key>}. */
  static final String PREFIX = "ckpt.";

  // schema
  static final String FORMAT = "ckpt.format";
  static final String FORMAT_NAME = "ckpt-arrow";
  static final int MAJOR = 1;
  static final String REQUIRED_FEATURES = "ckpt.requiredFeatures";
  static final String EMPTY = "ckpt.empty";

  // footer
  static final String CHUNK_BYTES = "ckpt.chunkBytes";
  static final String CRC32C = "ckpt.crc32c";

  // field
  static final String EXTENSION_NAME = "ARROW:extension:name";
  static final String EXTENSION_METADATA = "ARROW:extension:metadata";
  static final String FIXED_SHAPE_TENSOR = "arrow.fixed_shape_tensor";
  static final String DTYPE = "ckpt.dtype";
  static final String SHAPE = "ckpt.shape";
  static final String OFFSET = "ckpt.offset";
  static final String PLACEMENT = "ckpt.placement";
  static final String GLOBAL = "ckpt.global";
  static final String START = "ckpt.start";
  static final String REPLICATED = "replicated";
  static final String SLICE = "slice";

  /** The column of small values. */
  static final String VALUES = "ckpt.values";

  /** Of columns: {@code #} is for slices. */
  static final EscapedName COLUMN_NAME = new EscapedName("#");

  static final int ALIGNMENT = 64;
  static final int MAX_RANK = 64;
  static final int MAX_NAME_BYTES = 1 << 16;

  private Keys() {}

  /** The next multiple of {@link #ALIGNMENT}. */
  static long aligned(long bytes) {
    return Math.addExact(bytes, ALIGNMENT - 1) & -ALIGNMENT;
  }

  /** {@code [2,3]} */
  static String dims(Shape shape) {
    StringBuilder dims = new StringBuilder("[");
    for (int i = 0; i < shape.rank(); i++) {
      dims.append(i == 0 ? "" : ",").append(shape.dim(i));
    }
    return dims.append(']').toString();
  }

  /**
   * The shape that {@link #dims} makes this of.
   *
   * @throws IllegalArgumentException if there is none
   */
  static Shape shape(String dims) {
    if (!dims.startsWith("[") || !dims.endsWith("]")) {
      throw new IllegalArgumentException("no shape: " + dims);
    }
    String inner = dims.substring(1, dims.length() - 1);
    if (inner.isEmpty()) {
      return Shape.of();
    }
    String[] parts = inner.split(",", MAX_RANK + 1);
    if (parts.length > MAX_RANK) {
      throw new IllegalArgumentException("more than " + MAX_RANK + " dimensions");
    }
    long[] sizes = new long[parts.length];
    for (int i = 0; i < parts.length; i++) {
      sizes[i] = ShardVersion.number(parts[i]);
    }
    return Shape.of(sizes);
  }

  /** {@code {"shape":[2,3]}}, as Arrow's extension type wants it. */
  static String extension(Shape shape) {
    return "{\"shape\":" + dims(shape) + "}";
  }

  /**
   * The shape that {@link #extension} makes this of.
   *
   * @throws IllegalArgumentException if there is none
   */
  static Shape extensionShape(String metadata) {
    if (!metadata.startsWith("{\"shape\":") || !metadata.endsWith("}")) {
      throw new IllegalArgumentException("no extension metadata: " + metadata);
    }
    return shape(metadata.substring("{\"shape\":".length(), metadata.length() - 1));
  }
}
