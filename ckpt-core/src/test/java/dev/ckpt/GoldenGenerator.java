package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Wrote the golden store, once. Its name ends so that no build runs it; {@code -Dtest=} does. A
 * golden store is never written again: a new version of the format gets a folder of its own.
 */
class GoldenGenerator {

  @Test
  void writeItOnce() throws IOException {
    assertThat(GoldenRuns.FOLDER).as("golden stores are never rewritten").doesNotExist();
    try (CheckpointStore store = Stores.inMemory()) {
      GoldenRuns.write(store);
      TreeMap<String, byte[]> objects = GoldenRuns.objects(store);
      objects.replaceAll(GoldenGenerator::ofNoMachine);
      GoldenRuns.dump(objects, GoldenRuns.FOLDER);
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
            List.of("0123456789abcde" + record.attempt()),
            record.request(),
            record.seed(),
            record.startedAt(),
            Map.of("host", "golden", "pid", "1"))
        .encode();
  }
}
