package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.testkit.PowerLoss;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A crash at every call, and everything that it may leave: then the next process starts. */
class CrashMatrixTest {

  @Test
  void afterAPowerLossAtAnyCallTheLastCommittedOrTheNewOneComesBack() throws IOException {
    long seed = System.nanoTime();
    System.out.println("seed of the damage: " + seed);
    CrashMatrix matrix =
        new CrashMatrix("crash of a folder", CrashMedium.Disk::empty, PowerLoss.all(seed));
    for (CrashScenario scenario : CrashScenario.all()) {
      long t = System.nanoTime();
      matrix.run(scenario);
      System.out.println(scenario + " " + (System.nanoTime() - t) / 1000000);
    }
    matrix.print("folder.txt");
    assertThat(matrix.violations()).isEmpty();
  }

  @Test
  void afterACrashOfAnObjectStoreAtAnyCallTheLastCommittedOrTheNewOneComesBack()
      throws IOException {
    CrashMatrix matrix =
        new CrashMatrix("crash over an object store", CrashMedium.Objects::empty, List.of());
    for (CrashScenario scenario : CrashScenario.all()) {
      matrix.run(scenario);
    }
    matrix.print("objects.txt");
    assertThat(matrix.violations()).isEmpty();
  }
}
