package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlightRecordingTest {

  @Test
  void aFlightRecordingShowsEachSaveWithItsStall(@TempDir Path folder) throws Exception {
    Path file = folder.resolve("run.jfr");
    try (Recording recording = new Recording()) {
      recording.enable("dev.ckpt.Stage").withoutThreshold();
      recording.enable("dev.ckpt.Write").withoutThreshold();
      recording.start();
      ToyState state = ToyState.random(1, 2, 1_000);
      try (CheckpointManager ckpt =
          CheckpointManager.in(Stores.inMemory()).run("toy").part("toy", state).open()) {
        ckpt.resume();
        ckpt.save(Progress.step(7), Map.of()).join();
      }
      recording.dump(file);
    }
    List<RecordedEvent> events = RecordingFile.readAllEvents(file);
    assertThat(events)
        .extracting(event -> event.getEventType().getName() + " " + event.getString("id"))
        .containsExactlyInAnyOrder(
            "dev.ckpt.Stage 000001-000000000007-0", "dev.ckpt.Write 000001-000000000007-0");
    assertThat(events).allMatch(event -> event.getLong("bytes") >= 8_000);
    assertThat(events)
        .filteredOn(event -> event.hasField("outcome"))
        .allMatch(event -> event.getString("outcome").equals("committed"));
  }
}
