package dev.ckpt.stores;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;
import dev.ckpt.testkit.CrashingStore;

/** A store that does not crash is as good as the one inside. */
class CrashingStoreContractTest extends CheckpointStoreContract {

  @Override
  protected CheckpointStore open() {
    return CrashingStore.inMemory();
  }

  @Override
  protected int rounds() {
    return 20;
  }
}
