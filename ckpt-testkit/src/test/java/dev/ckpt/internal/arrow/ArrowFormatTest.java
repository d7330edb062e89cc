package dev.ckpt.internal.arrow;

import dev.ckpt.spi.ShardFormat;
import dev.ckpt.testkit.ShardFormatContract;

class ArrowFormatTest extends ShardFormatContract {

  @Override
  protected ShardFormat format() {
    return new ArrowFormat();
  }

  @Override
  protected ShardFormat cutting() {
    return new ArrowFormat(67);
  }
}
