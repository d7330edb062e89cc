package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

  @Test
  void aStoreIsNotBegunInsideAnother(@TempDir Path folder) throws IOException {
    // names that only look like it
    for (Path store : List.of(folder.resolve("runs"), folder.resolve("runs/trial"))) {
      for (int i = 0; i < 2; i++) {
        CheckpointManager.in(store).run("small").open().close();
      }
    }
    Path store = folder.resolve("runs/trial");
    for (String inside : List.of("runs", "runs/small")) {
      assertThatThrownBy(() -> CheckpointManager.in(store.resolve(inside)).run("other").open())
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("belongs to the store " + store.toRealPath() + ": give that folder")
          .hasMessageContaining("such as small");
    }
    assertThat(store.resolve("runs/runs")).doesNotExist();
  }
}
