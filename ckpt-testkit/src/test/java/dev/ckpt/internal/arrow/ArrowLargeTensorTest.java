package dev.ckpt.internal.arrow;

import dev.ckpt.shards.LargeTensorContract;
import dev.ckpt.shards.Shards;
import dev.ckpt.spi.ShardFormat;

class ArrowLargeTensorTest extends LargeTensorContract {

  @Override
  protected ShardFormat format() {
    return new ArrowFormat();
  }

  @Override
  protected int bodyStart(int valuesBytes) {
    return new Layout(Shards.HEADER, TENSORS, 1L << 30).head(valuesBytes).remaining();
  }

  @Override
  protected int pieces() {
    return 3;
  }
}
