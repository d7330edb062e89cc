package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.testkit.PowerLoss;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A crash at every call, and everything that it may leave: then the next process starts. The tables
 * are printed, and kept in {@code crash-matrix} under the module's build folder.
 */
@Tag("anyjdk")
class CrashMatrixTest {

  private static final List<CrashScenario> ALL = List.of(CrashScenario.values());

  private static void run(
      String title,
      Function<String, CrashMedium> media,
      List<PowerLoss> losses,
      String format,
      List<CrashScenario> scenarios,
      String file) {
    CrashMatrix matrix = new CrashMatrix(title + ", " + format, () -> media.apply(format), losses);
    matrix.table().each(scenarios, matrix::run);
    matrix.table().print(format + "-" + file);
    assertThat(matrix.table().violations()).isEmpty();
  }

  private static long seed() {
    long seed = System.nanoTime();
    System.out.println("seed of the damages: " + seed);
    return seed;
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  void afterALossOfPowerAtAnyCallTheLastCommittedOrTheNewOneComesBack(String format) {
    long seed = seed();
    List<PowerLoss> losses =
        List.of(
            new PowerLoss(Damage.KEPT, Survival.NONE, seed),
            new PowerLoss(Damage.EMPTIED, Survival.ALL, seed));
    run(
        "crash in a folder",
        CrashMedium.Disk::empty,
        losses,
        format,
        CrashScenario.of(format),
        "crash-folder.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  @Tag("full")
  void afterEveryDamageAtAnyCallTheLastCommittedOrTheNewOneComesBack(String format) {
    long seed = seed();
    List<PowerLoss> losses =
        List.of(
            new PowerLoss(Damage.DELETED, Survival.FIRST_HALF, seed),
            new PowerLoss(Damage.CUT, Survival.EVERY_OTHER, seed),
            new PowerLoss(Damage.ZEROED, Survival.LAST_HALF, seed),
            new PowerLoss(Damage.FLIPPED, Survival.ALL, seed));
    run(
        "crash in a folder, each damage",
        CrashMedium.Disk::empty,
        losses,
        format,
        CrashScenario.of(format),
        "crash-folder-full.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  @Tag("nightly")
  void afterEveryDamageInEveryOrderTheLastCommittedOrTheNewOneComesBack(String format) {
    long seed = seed();
    List<PowerLoss> losses = new ArrayList<>(PowerLoss.all(seed));
    losses.addAll(PowerLoss.all(seed + 1));
    run(
        "crash in a folder, all",
        CrashMedium.Disk::empty,
        losses,
        format,
        ALL,
        "crash-folder-all.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  void afterACrashOverAnObjectStoreAtAnyCallTheLastCommittedOrTheNewOneComesBack(String format) {
    run(
        "crash over objects",
        CrashMedium.Objects::empty,
        List.of(),
        format,
        CrashScenario.of(format),
        "crash-objects.txt");
  }
}
