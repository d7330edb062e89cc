package dev.ckpt.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.util.NativeResource;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FiguresTest {

  @Test
  void theTableIsCompleteAndNothingIsLeftBehind(@TempDir Path dir) throws Exception {
    String text = figures(dir, Figures.Group.SAVES);
    assertThat(text).contains("in 150 tensors");
    assertThat(text.lines().filter(line -> line.startsWith("| ")).skip(2))
        .hasSize(14)
        .allMatch(
            line -> line.matches("\\| .+ \\| +\\S.* \\| .+ \\| +\\d+ \\| .*\\|"), "has a median");
    for (String figure :
        new String[] {
          "stall / memcpy",
          "durable save speed",
          "CPU of writing",
          "heap garbage per save",
          "off-heap peak",
          "restore speed / memcpy, one thread",
          "restore speed / memcpy, two threads",
          "verify speed / reading and CRC32C alone",
          "list of 1,000 in a fresh JVM"
        }) {
      assertThat(text.lines().filter(line -> line.contains(figure)))
          .as(figure)
          .anyMatch(line -> line.matches(".*\\| +[<>]= [0-9.]+ \\| +-?[0-9.]+.*(met|missed) +\\|"));
    }
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void trainingsAreMeasuredWithoutCheckpointsWithOursAndWithDjls(@TempDir Path dir)
      throws Exception {
    String text = figures(dir, Figures.Group.TRAINING);
    for (String workload : new String[] {"digits CNN", "small MLP"}) {
      // ours holds the optimizer's two slots for each weight as well
      Matcher sizes =
          Pattern.compile(workload + ".*ckpt writes ([0-9.]+) MB.*DJL ([0-9.]+) MB").matcher(text);
      assertThat(sizes.find()).as(text).isTrue();
      double ratio = Double.parseDouble(sizes.group(1)) / Double.parseDouble(sizes.group(2));
      assertThat(ratio).isBetween(2.5, 4.0);
      assertThat(rows(text, workload + ": ")).hasSize(14);
      assertThat(rows(text, workload + ": time with")).hasSize(5).allMatch(FiguresTest::positive);
      assertThat(rows(text, workload + ": blocked")).hasSize(3).allMatch(FiguresTest::positive);
      assertThat(rows(text, workload + ": durable")).hasSize(2).allMatch(FiguresTest::positive);
    }
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void dl4jsTrainingsAreMeasuredWithoutCheckpointsWithOursAndWithItsOwn(@TempDir Path dir)
      throws Exception {
    String text = figures(dir, Figures.Group.DL4J);
    // both hold the weights and two slots for each
    Matcher sizes = Pattern.compile("ckpt writes ([0-9.]+) MB, DL4J ([0-9.]+) MB").matcher(text);
    assertThat(sizes.find()).as(text).isTrue();
    double ratio = Double.parseDouble(sizes.group(1)) / Double.parseDouble(sizes.group(2));
    assertThat(ratio).isBetween(0.8, 1.3);
    assertThat(rows(text, "small MLP: ")).hasSize(11);
    assertThat(rows(text, "small MLP: blocked")).hasSize(5).allMatch(FiguresTest::positive);
    assertThat(rows(text, "small MLP: durable")).hasSize(2).allMatch(FiguresTest::positive);
    assertThat(rows(text, "ckpt  ")).hasSize(1).allMatch(row -> row.contains(" yes "));
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void whatATrainingDetachesIsFreedAtItsEnd(@TempDir Path dir) throws Exception {
    // a detached array belongs to no manager, as the slots of DJL's optimizers do
    List<NDArray> detached = new ArrayList<>();
    Workload digits = Workload.digits(true);
    Workload detaching =
        new Workload(
            "digits",
            digits.block(),
            digits.input(),
            manager -> {
              NDArray array = manager.zeros(new Shape(1));
              array.detach();
              detached.add(array);
              return digits.data().in(manager);
            },
            1,
            1);
    new TrainingFigures(dir, detaching).measure(1, new PrintStream(new ByteArrayOutputStream()));
    // a warm-up and a round of each way
    assertThat(detached)
        .hasSize(2 * TrainingSaves.Kind.values().length)
        .allMatch(array -> ((NativeResource<?>) array).isReleased());
  }

  @Test
  void peersAreMeasuredBesideUsAndOneThatCannotBeHadIsNamed(@TempDir Path dir) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    List<String> leftOut;
    try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      Figures.Options options =
          options(dir, Figures.Group.PEERS, List.of("pickle", "nobody"), Optional.of(PYTHON));
      leftOut = Figures.run(options, out);
    }
    assertThat(leftOut).singleElement().asString().contains("nobody is left out", "KeyError");
    String text = bytes.toString(StandardCharsets.UTF_8);
    assertThat(rows(text, "ckpt: ")).hasSize(4).allMatch(FiguresTest::positive);
    assertThat(rows(text, "pickle: ")).hasSize(7).allMatch(FiguresTest::positive);
    assertThat(rows(text, "pickle: durable / ckpt's")).hasSize(1);
    assertThat(text)
        .containsPattern("ckpt: committed by a manifest.*CRC32C")
        .containsPattern("pickle: python 3.*; written in place, not forced, no checksum")
        .doesNotContain("nobody");
    assertThat(dir).isEmptyDirectory();
  }

  /** With or without h5py in the Python that is there. */
  @Test
  void hdf5IsMeasuredWithOurShardsInIt(@TempDir Path dir) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    List<String> leftOut;
    try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      leftOut = Figures.run(options(dir, Figures.Group.HDF5, List.of(), Optional.of(PYTHON)), out);
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    assertThat(rows(text, "ckpt, hdf5: ")).hasSize(4).allMatch(FiguresTest::positive);
    assertThat(rows(text, "h5py: durable / ckpt's")).hasSize(leftOut.isEmpty() ? 1 : 0);
    assertThat(leftOut).allMatch(each -> each.contains("h5py is left out"));
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void withoutPythonTheRestIsMeasuredAndThePeersAreNamedAsLeftOut(@TempDir Path dir)
      throws Exception {
    Figures.Options options = options(dir, Figures.Group.PEERS, PeerFigures.ALL, Optional.empty());
    List<String> leftOut = Figures.run(options, new PrintStream(new ByteArrayOutputStream()));
    assertThat(leftOut).singleElement().asString().contains("no peers");
    assertThat(dir).isEmptyDirectory();
  }

  @Test
  void groupsAreChosenByNameAndAnotherNameIsRefusedWithTheList() {
    assertThat(Figures.Options.parse(List.of()).groups())
        .containsExactly(Figures.Group.SAVES, Figures.Group.TRAINING, Figures.Group.DL4J);
    assertThat(Figures.Options.parse(List.of("--peers")).groups()).hasSize(4);
    assertThat(Figures.Options.parse(List.of("--only", "peers,saves")).groups())
        .containsExactly(Figures.Group.SAVES, Figures.Group.PEERS);
    assertThatThrownBy(() -> Figures.Options.parse(List.of("--only", "peer")))
        .hasMessage("--only needs some of saves,training,dl4j,hdf5,peers, not 'peer'");
  }

  private static final Path PYTHON = Path.of("python3");

  private static Figures.Options options(
      Path dir, Figures.Group group, List<String> kinds, Optional<Path> python) {
    return new Figures.Options(dir, 4, 2, true, Set.of(group), kinds, python, python);
  }

  /** What one group prints, with nothing left out. */
  private static String figures(Path dir, Figures.Group group) throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (PrintStream out = new PrintStream(bytes, true, StandardCharsets.UTF_8)) {
      assertThat(Figures.run(options(dir, group, List.of(), Optional.empty()), out)).isEmpty();
    }
    return bytes.toString(StandardCharsets.UTF_8);
  }

  private static List<String> rows(String text, String figure) {
    return text.lines().filter(line -> line.startsWith("| " + figure)).toList();
  }

  private static boolean positive(String row) {
    return Double.parseDouble(row.split("\\|")[3].strip().split(" ")[0]) > 0;
  }

  @Test
  void theIntervalOfFifteenRunsFromTheFourthToTheTwelfth() {
    double[] shuffled = {9, 2, 15, 4, 7, 1, 12, 3, 10, 5, 14, 6, 13, 8, 11};
    assertThat(Interval.of(shuffled)).isEqualTo(new Interval(8, 4, 12));
  }

  @Test
  void fiveMeasurementsAreTooFewForAnIntervalAndSixAreEnough() {
    assertThat(Interval.of(1, 2, 3, 4, 5)).isEqualTo(new Interval(3, Double.NaN, Double.NaN));
    assertThat(Interval.of(DoubleStream.of(6, 5, 4, 3, 2, 1).toArray()))
        .isEqualTo(new Interval(3.5, 1, 6));
  }
}
