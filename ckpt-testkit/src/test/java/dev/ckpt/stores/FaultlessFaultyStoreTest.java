package dev.ckpt.stores;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;
import dev.ckpt.testkit.FaultyStore;

/** Without a rule the faulty store is as good as the one inside. */
class FaultlessFaultyStoreTest extends CheckpointStoreContract {

  @Override
  protected CheckpointStore open() {
    return FaultyStore.around(Stores.inMemory());
  }

  @Override
  protected int rounds() {
    return 20;
  }
}
