package dev.ckpt.stores;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;

class InMemoryStoreTest extends CheckpointStoreContract {

  @Override
  protected CheckpointStore open() {
    return Stores.inMemory();
  }
}
