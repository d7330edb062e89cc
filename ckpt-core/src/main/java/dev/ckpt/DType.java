package dev.ckpt;

import java.util.Locale;

/** The element type of a tensor. All contents are little-endian. */
public enum DType {
  FLOAT64(8),
  FLOAT32(4),
  FLOAT16(2),
  /** The upper half of a {@link #FLOAT32}. */
  BFLOAT16(2),
  INT64(8),
  INT32(4),
  INT16(2),
  INT8(1),
  UINT64(8),
  UINT32(4),
  UINT16(2),
  UINT8(1),
  /** One byte per element, 0 or 1. */
  BOOL(1);

  private final int bytes;
  private final String id;

  DType(int bytes) {
    this.bytes = bytes;
    this.id = name().toLowerCase(Locale.ROOT);
  }

  /** Size of one element in bytes. */
  public int bytes() {
    return bytes;
  }

  /** The name used on disk: the constant in lower case, as NumPy writes it. */
  public String id() {
    return id;
  }

  /** Whether elements can be NaN or infinite. */
  public boolean isFloating() {
    return this == FLOAT64 || this == FLOAT32 || this == FLOAT16 || this == BFLOAT16;
  }

  /**
   * The type with this name on disk.
   *
   * @throws IllegalArgumentException if no type has it
   */
  public static DType of(String id) {
    for (DType type : values()) {
      if (type.id.equals(id)) {
        return type;
      }
    }
    throw new IllegalArgumentException("unknown dtype '" + id + "'");
  }
}
