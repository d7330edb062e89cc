package dev.ckpt.stores;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.jimfs.Configuration;
import com.google.common.jimfs.Feature;
import com.google.common.jimfs.Jimfs;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CheckpointStoreContract;
import java.io.IOException;
import java.nio.file.FileSystem;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A file system with neither hard links nor a way to force a folder. */
class NoHardLinksStoreTest extends CheckpointStoreContract {

  private final FileSystem disk =
      Jimfs.newFileSystem(
          Configuration.unix().toBuilder()
              .setSupportedFeatures(Feature.FILE_CHANNEL)
              .setMaxSize(1L << 30)
              .build());

  private Path folder() {
    return disk.getPath("/store");
  }

  @Override
  protected CheckpointStore open() throws IOException {
    return Stores.local(folder());
  }

  @Override
  protected CheckpointStore openAgain() throws IOException {
    return open();
  }

  @Test
  void hardLinksAreReallyMissingHere() throws IOException {
    Path file = Files.createFile(disk.getPath("/file"));
    assertThatThrownBy(() -> Files.createLink(disk.getPath("/link"), file))
        .isInstanceOf(UnsupportedOperationException.class);
  }

  @AfterEach
  void closeDisk() throws IOException {
    disk.close();
  }
}
