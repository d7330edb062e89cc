package dev.ckpt.hdf5;

import dev.ckpt.spi.ShardFormat;
import dev.ckpt.testkit.ShardFormatContract;

class Hdf5FormatTest extends ShardFormatContract {

  @Override
  protected ShardFormat format() {
    return new Hdf5Format();
  }
}
