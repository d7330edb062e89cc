package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SeedOfABranchTest {

  /**
   * The record of the older attempt is lost, so what it commits while another one starts is the
   * first to tell its seed.
   */
  @Test
  void aBranchWhoseFirstCommitComesDuringAStartKeepsItsSeed() throws IOException {
    MaintainedStore at = new MaintainedStore();
    try (CheckpointManager older = at.builder("toy", fresh()).seed(7).open()) {
      older.resume();
      at.put(KEYS.attempt(1), text("damaged"));
      OtherUri medium =
          new OtherUri(at.store) {
            @Override
            public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
              if (key.equals(KEYS.attempt(2))) {
                older.save(Progress.step(1), Map.of()).join();
              }
              return super.putIfAbsent(key, small);
            }
          };
      try (CheckpointManager started =
          CheckpointManager.in(medium).run("toy").part("toy", fresh()).seed(8).open()) {
        assertThat(started.seed()).isEqualTo(7);
        assertThat(started.attempt()).as("the first one it took says another seed").isEqualTo(3);
        assertThat(started.resume().orElseThrow().checkpoint().id()).isEqualTo(id(1, 1));
      }
    }
  }
}
