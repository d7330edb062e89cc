package dev.ckpt.hdf5;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Stores;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Wrote the golden store, once. Its name ends so that no build runs it; {@code -Dtest=} does. A
 * golden store is never written again: a new version of the format gets a folder of its own.
 */
class GoldenGenerator {

  @Test
  void writeItOnce() throws IOException {
    assertThat(GoldenState.FOLDER).as("golden stores are never rewritten").doesNotExist();
    try (CheckpointStore store = Stores.inMemory()) {
      GoldenState.write(store);
      for (Map.Entry<String, byte[]> object : GoldenStoreTest.objects(store).entrySet()) {
        Path file = GoldenState.FOLDER.resolve(object.getKey());
        Files.createDirectories(file.getParent());
        Files.write(file, ofNoMachine(object.getKey(), object.getValue()));
      }
    }
  }

  private static byte[] ofNoMachine(String key, byte[] bytes) {
    if (!key.contains("/attempts/")) {
      return bytes;
    }
    AttemptRecord record = AttemptRecord.decode(key, bytes);
    return new AttemptRecord(
            record.attempt(),
            record.world(),
            List.of("0123456789abcdef"),
            record.request(),
            record.seed(),
            record.startedAt(),
            Map.of("host", "golden", "pid", "1"))
        .encode();
  }
}
