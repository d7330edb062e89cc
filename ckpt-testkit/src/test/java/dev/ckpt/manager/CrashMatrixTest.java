package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.testkit.PowerLoss;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A crash at every call, and everything that it may leave: then the next process starts. The tables
 * are printed, and kept in {@code crash-matrix} under the module's build folder.
 */
class CrashMatrixTest {

  private static void run(
      String title, Supplier<CrashMedium> media, List<PowerLoss> losses, String file) {
    CrashMatrix matrix = new CrashMatrix(title, media, losses);
    matrix.table().each(List.of(CrashScenario.values()), matrix::run);
    matrix.table().print(file);
    assertThat(matrix.table().violations()).isEmpty();
  }

  private static long seed() {
    long seed = System.nanoTime();
    System.out.println("seed of the damages: " + seed);
    return seed;
  }

  @Test
  void afterALossOfPowerAtAnyCallTheLastCommittedOrTheNewOneComesBack() {
    long seed = seed();
    List<PowerLoss> losses =
        List.of(
            new PowerLoss(Damage.KEPT, Survival.NONE, seed),
            new PowerLoss(Damage.EMPTIED, Survival.ALL, seed));
    run("crash in a folder", CrashMedium.Disk::empty, losses, "crash-folder.txt");
  }

  @Test
  @Tag("full")
  void afterEveryDamageAtAnyCallTheLastCommittedOrTheNewOneComesBack() {
    long seed = seed();
    List<PowerLoss> losses =
        List.of(
            new PowerLoss(Damage.DELETED, Survival.FIRST_HALF, seed),
            new PowerLoss(Damage.CUT, Survival.EVERY_OTHER, seed),
            new PowerLoss(Damage.ZEROED, Survival.LAST_HALF, seed),
            new PowerLoss(Damage.FLIPPED, Survival.ALL, seed));
    run("crash in a folder, each damage", CrashMedium.Disk::empty, losses, "crash-folder-full.txt");
  }

  @Test
  @Tag("nightly")
  void afterEveryDamageInEveryOrderTheLastCommittedOrTheNewOneComesBack() {
    long seed = seed();
    List<PowerLoss> losses = new ArrayList<>(PowerLoss.all(seed));
    losses.addAll(PowerLoss.all(seed + 1));
    run("crash in a folder, all", CrashMedium.Disk::empty, losses, "crash-folder-all.txt");
  }

  @Test
  void afterACrashOverAnObjectStoreAtAnyCallTheLastCommittedOrTheNewOneComesBack() {
    run("crash over objects", CrashMedium.Objects::empty, List.of(), "crash-objects.txt");
  }
}
