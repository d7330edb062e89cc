package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.testkit.CrashingFileSystem;
import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.Gate;
import dev.ckpt.testkit.PowerLoss;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A fault at every call of a process that lives: it trains on, and nothing is lost. */
@Tag("anyjdk")
class FaultMatrixTest {

  private static final List<PowerLoss> LOSSES =
      List.of(
          new PowerLoss(Damage.KEPT, Survival.NONE, 1),
          new PowerLoss(Damage.DELETED, Survival.NONE, 1),
          new PowerLoss(Damage.ZEROED, Survival.ALL, 1));

  private static final List<Fault> OF_FILES =
      List.of(
          Fault.ofFiles("full", rule(CrashingFileSystem.Rule::isFull)),
          Fault.ofFiles("EIO, fsync", rule(CrashingFileSystem.Rule::fails)),
          Fault.ofFiles("short write", rule(CrashingFileSystem.Rule::isShort), Operation.WRITE),
          Fault.ofFiles("slow", rule(each -> each.takes(Duration.ofMillis(3)))));

  private static final List<Fault> OF_CALLS =
      List.of(
          Fault.ofCalls("fails", call(FaultyStore.Rule::fails)),
          Fault.ofCalls("ambiguous", call(FaultyStore.Rule::failsAfterwards)),
          Fault.ofCalls("full", call(FaultyStore.Rule::isFull)),
          Fault.ofCalls("slow", call(each -> each.takes(Duration.ofMillis(3)))));

  private static Function<CrashingFileSystem.Rule, @Nullable Gate> rule(
      Consumer<CrashingFileSystem.Rule> what) {
    return rule -> {
      what.accept(rule);
      return null;
    };
  }

  private static Function<FaultyStore.Rule, @Nullable Gate> call(Consumer<FaultyStore.Rule> what) {
    return rule -> {
      what.accept(rule);
      return null;
    };
  }

  private static final List<Fault> HANGS = List.of(Fault.ofCalls("hang", FaultyStore.Rule::hangs));

  private static final List<CrashScenario> ALL = List.of(CrashScenario.values());

  private static void ofFiles(List<CrashScenario> scenarios, String format, String file) {
    run("fault in a folder", CrashMedium.Disk::empty, LOSSES, OF_FILES, scenarios, format, file);
  }

  private static void ofCalls(
      List<Fault> faults, List<CrashScenario> scenarios, String format, String file) {
    run(
        "fault over objects",
        CrashMedium.Objects::empty,
        List.of(),
        faults,
        scenarios,
        format,
        file);
  }

  private static void run(
      String title,
      Function<String, CrashMedium> media,
      List<PowerLoss> losses,
      List<Fault> faults,
      List<CrashScenario> scenarios,
      String format,
      String file) {
    FaultMatrix matrix = new FaultMatrix(title + ", " + format, () -> media.apply(format), losses);
    matrix
        .table()
        .each(
            scenarios,
            scenario -> {
              for (Fault fault : faults) {
                matrix.run(scenario, fault);
              }
            });
    matrix.table().print(format + "-" + file);
    assertThat(matrix.table().violations()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  void aFaultOfFilesAtAnyCallLosesNothing(String format) {
    ofFiles(List.of(CrashScenario.SAVE_AFTER_SAVES), format, "fault-folder.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  @Tag("full")
  void aFaultOfFilesAtAnyCallOfAnyScenarioLosesNothing(String format) {
    ofFiles(CrashScenario.of(format), format, "fault-folder-all.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  void aFaultOfAnObjectStoreAtAnyCallLosesNothing(String format) {
    ofCalls(
        OF_CALLS,
        List.of(CrashScenario.SAVE_AFTER_SAVES, CrashScenario.RETENTION),
        format,
        "fault-objects.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  @Tag("full")
  void aFaultOfAnObjectStoreAtAnyCallOfAnyScenarioLosesNothing(String format) {
    ofCalls(OF_CALLS, CrashScenario.of(format), format, "fault-objects-all.txt");
  }

  @Test
  @Tag("nightly")
  void soItIsInEveryScenarioOfTheOtherFormat() {
    ofFiles(ALL, "hdf5", "fault-folder-nightly.txt");
    ofCalls(OF_CALLS, ALL, "hdf5", "fault-objects-nightly.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  void whateverHangsAtAnyCallLosesNothing(String format) {
    ofCalls(HANGS, List.of(CrashScenario.FIRST_SAVE), format, "hang-objects.txt");
  }

  @ParameterizedTest
  @ValueSource(strings = {"arrow", "hdf5"})
  @Tag("nightly")
  void whateverHangsAtAnyCallOfAnyScenarioLosesNothing(String format) {
    ofCalls(HANGS, ALL, format, "hang-objects-all.txt");
  }
}
