package dev.ckpt.stores;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

class PosixStoreTest extends CheckpointStoreContract {

  @TempDir Path folder;

  @Override
  protected CheckpointStore open() throws IOException {
    return Stores.local(folder.resolve("new/store"));
  }

  @Override
  protected CheckpointStore openAgain() throws IOException {
    return open();
  }
}
