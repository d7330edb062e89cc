package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.manifest.AttemptRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/**
 * Wrote the adapter's golden stores, once each. Its name ends so that no build runs it; {@code
 * -Dtest=GoldenTrainingsGenerator#...} does. A golden store is never written again: a new version
 * of the format gets a folder of its own.
 */
class GoldenTrainingsGenerator {

  @Test
  void writeItOnce() throws IOException {
    write(GoldenTrainings.FOLDER, GoldenTrainings.RUNS);
  }

  @Test
  void writeTheFormatsOnce() throws IOException {
    write(GoldenTrainings.FORMATS_FOLDER, GoldenTrainings.FORMATS);
  }

  private static void write(Path folder, List<String> runs) throws IOException {
    assertThat(folder).as("golden stores are never rewritten").doesNotExist();
    Map<String, byte[]> objects = GoldenTrainings.objects(GoldenTrainings.written(runs));
    for (Map.Entry<String, byte[]> object : objects.entrySet()) {
      Path file = folder.resolve(object.getKey());
      Files.createDirectories(file.getParent());
      Files.write(file, ofNoMachine(object.getKey(), object.getValue()));
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
            Map.of("host", "golden", "pid", "1", "djl", "0.35.1"))
        .encode();
  }
}
