package dev.ckpt.hdf5;

import dev.ckpt.shards.LargeTensorContract;
import dev.ckpt.shards.Shards;
import dev.ckpt.spi.ShardFormat;

class Hdf5LargeTensorTest extends LargeTensorContract {

  @Override
  protected ShardFormat format() {
    return new Hdf5Format();
  }

  @Override
  protected int bodyStart(int valuesBytes) {
    return new Layout(Shards.HEADER, TENSORS).head(valuesBytes).remaining();
  }

  @Override
  protected int pieces() {
    return 1;
  }
}
