package dev.ckpt.internal.arrow;

import dev.ckpt.spi.ShardFormat;

/** Opens the one setting of the Arrow format that its users have no business with. */
public final class SmallColumns {

  private SmallColumns() {}

  /** The format as always, but tensors are sliced at {@code maxColumnBytes} already. */
  public static ShardFormat format(long maxColumnBytes) {
    return new ArrowFormat(maxColumnBytes);
  }
}
