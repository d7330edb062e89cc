package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.InstantSource;
import org.junit.jupiter.api.Test;

class OpenFailureTest {

  @Test
  void anOpenThatFailsLateLetsGoOfTheRun() throws IOException {
    try (CheckpointStore store = Stores.inMemory()) {
      assertThatThrownBy(
              () ->
                  CheckpointManager.in(store)
                      .run("r")
                      .clock(
                          InstantSource.system(),
                          () -> {
                            throw new IllegalStateException("no ticks");
                          })
                      .open())
          .hasMessage("no ticks");
      try (CheckpointManager ckpt = CheckpointManager.in(store).run("r").open()) {
        assertThat(ckpt.resume()).isEmpty();
      }
    }
  }
}
