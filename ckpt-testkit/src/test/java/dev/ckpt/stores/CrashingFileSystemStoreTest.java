package dev.ckpt.stores;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;
import dev.ckpt.testkit.CrashingFileSystem;
import java.io.IOException;

/** Without a rule the crashing file system is as good as a real one. */
class CrashingFileSystemStoreTest extends CheckpointStoreContract {

  private final CrashingFileSystem disk = CrashingFileSystem.create();

  @Override
  protected CheckpointStore open() throws IOException {
    return Stores.local(disk.getPath("/new/store"));
  }

  @Override
  protected CheckpointStore openAgain() throws IOException {
    return open();
  }

  @Override
  protected int rounds() {
    return 20;
  }
}
