package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command as a newcomer meets it. */
class CommandLineTest {

  @TempDir Path folder;

  @Test
  void aWrongOptionIsNamedAndTheUsageFollows() throws IOException, InterruptedException {
    SampleProcess process = run("--epoch", "3");
    assertThat(process.exitCode()).isEqualTo(2);
    assertThat(process.err()).startsWith("digits-djl: unknown option --epoch\n\nUsage: ");
    assertThat(process.out()).isEmpty();
  }

  @Test
  void helpIsNoError() throws IOException, InterruptedException {
    SampleProcess process = run("--help");
    assertThat(process.exitCode()).isZero();
    assertThat(process.out()).isEqualTo(DigitsOptions.USAGE);
  }

  @Test
  void aMistakeInTheConfigurationIsShownWithItsPlace() throws IOException, InterruptedException {
    Path config = Files.writeString(folder.resolve("ckpt.yaml"), "store: here\nrum: mine\n");
    SampleProcess process = run("--config", config.toString());
    assertThat(process.exitCode()).isEqualTo(2);
    assertThat(process.err()).contains("ckpt.yaml:2:1").contains("rum").contains("run");
    assertThat(process.err()).as("no stack trace").doesNotContain("\tat ");
    assertThat(process.out()).isEmpty();
  }

  @Test
  void aFormatThatIsNotThereIsNamed() throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(small(folder.resolve("store"), 1));
    arguments.addAll(List.of("--format", "parquet"));
    SampleProcess process = run(arguments);
    assertThat(process.exitCode()).isEqualTo(2);
    assertThat(process.err())
        .contains("digits-djl: shard format 'parquet' is not on the class path", "arrow")
        .doesNotContain("\tat ");
    assertThat(process.out()).isEmpty();
    assertThat(process.trained()).isEmpty();
  }

  @Test
  void aConfigurationThatIsNotThereIsNamed() throws IOException, InterruptedException {
    SampleProcess process = run("--config", folder.resolve("no.yaml").toString());
    assertThat(process.exitCode()).isEqualTo(2);
    assertThat(process.err()).contains("no.yaml").doesNotContain("\tat ");
  }

  @Test
  void aFolderThatCannotBeUsedIsNamed() throws IOException, InterruptedException {
    // A file where the folder should be: refused whoever asks, root too.
    Path file = Files.writeString(folder.resolve("occupied"), "foreign");
    SampleProcess process = run(small(file, 1));
    assertThat(process.exitCode()).as(process.toString()).isEqualTo(2);
    assertThat(process.err()).contains(file.toString()).doesNotContain("\tat ");
    assertThat(file).hasContent("foreign");
  }

  @Test
  void missingRightsAreNamed() throws IOException, InterruptedException {
    Path locked = Files.createDirectory(folder.resolve("locked"));
    Files.setPosixFilePermissions(locked, PosixFilePermissions.fromString("r-x------"));
    // Rights do not stop root; nobody creates folders in /proc.
    Path store = (Files.isWritable(locked) ? Path.of("/proc") : locked).resolve("store");
    SampleProcess process = run(small(store, 1));
    assertThat(process.exitCode()).as(process.toString()).isEqualTo(2);
    assertThat(process.err()).contains(store.toString()).doesNotContain("\tat ");
    assertThat(process.trained()).isEmpty();
  }

  @Test
  void aTrainingWhoseSavesFailGoesOnAndSaysSo() throws IOException, InterruptedException {
    Path store = folder.resolve("store");
    List<String> arguments = new Training(Combination.PLAIN, 2).arguments(store);
    try (SampleProcess process = start("run", arguments)) {
      Path data = store.resolve("runs/digits-djl/data");
      assertThat(process.await(() -> !Commits.manifests(store).isEmpty())).isTrue();
      Files.move(data, store.resolve("moved-away"));
      Files.writeString(data, "a file where the folder was");
      assertThat(process.exitCode()).as(process.toString()).isEqualTo(4);
      assertThat(process.sha()).isEqualTo(new Training(Combination.PLAIN, 2).uninterrupted().sha());
      assertThat(process.err()).contains("a save failed").doesNotContain("\tat ");
    }
  }

  @Test
  void itLearnsTheDigits() throws IOException, InterruptedException {
    SampleProcess process = run("--dir", folder.resolve("store").toString(), "--epochs", "8");
    assertThat(process.exitCode()).as(process.toString()).isZero();
    assertThat(validationAccuracy(process)).as(process.toString()).isGreaterThan(0.97);
  }

  @Tag("full")
  @Test
  void theDefaultsLearnTheDigits() throws IOException, InterruptedException {
    SampleProcess process = run("--dir", folder.resolve("store").toString());
    assertThat(process.exitCode()).as(process.toString()).isZero();
    assertThat(validationAccuracy(process)).as(process.toString()).isGreaterThan(0.97);
  }

  private static double validationAccuracy(SampleProcess process) {
    List<String> lines = process.epochLines();
    String last = lines.get(lines.size() - 1);
    return Double.parseDouble(last.substring(last.lastIndexOf(' ') + 1));
  }

  @Test
  void aFinishedRunSaysSoAndTrainsOnIfAskedForMore() throws IOException, InterruptedException {
    Path store = folder.resolve("store");
    SampleProcess first = run(small(store, 1));
    assertThat(first.exitCode()).as(first.toString()).isZero();

    SampleProcess again = run(small(store, 1));
    assertThat(again.exitCode()).as(again.toString()).isZero();
    assertThat(again.out())
        .isEqualTo(
            "already finished: --epochs 1 is reached; a larger one trains on, --fresh begins anew\n"
                + first.sha()
                + "\n");
    assertThat(again.trained()).isEmpty();

    SampleProcess more = run(small(store, 2));
    SampleProcess atOnce = run(small(folder.resolve("other"), 2));
    assertThat(more.exitCode()).as(more.toString()).isZero();
    assertThat(more.trained())
        .isEqualTo(atOnce.trained().subList(first.trained().size(), atOnce.trained().size()));
    assertThat(more.sha()).isEqualTo(atOnce.sha());

    SampleProcess fresh = run(with(small(store, 1), "--fresh"));
    assertThat(fresh.exitCode()).as(fresh.toString()).isZero();
    assertThat(fresh.trained()).isEqualTo(first.trained());
    assertThat(fresh.sha()).isEqualTo(first.sha());
  }

  @Test
  void aRunWithNothingButDamagedCheckpointsIsNotStartedAnew()
      throws IOException, InterruptedException {
    Path store = folder.resolve("store");
    assertThat(run(small(store, 1)).exitCode()).isZero();
    List<Path> manifests = Commits.manifests(store);
    assertThat(manifests).isNotEmpty();
    for (Path manifest : manifests) {
      byte[] bytes = Files.readAllBytes(manifest);
      Files.write(manifest, Arrays.copyOf(bytes, bytes.length / 2));
    }
    SampleProcess process = run(small(store, 1));
    assertThat(process.exitCode()).as(process.toString()).isEqualTo(3);
    assertThat(process.trained()).isEmpty();
    assertThat(process.err()).contains("--fresh").doesNotContain("\tat ");
    assertThat(manifests).allMatch(Files::exists);
  }

  @Test
  void aSecondProcessOnTheRunIsToldWhoHoldsIt() throws IOException, InterruptedException {
    Path store = folder.resolve("store");
    try (SampleProcess first = start("first", small(store, 50))) {
      assertThat(first.await(() -> !first.trained().isEmpty())).as(first.toString()).isTrue();
      SampleProcess second = run(small(store, 50));
      assertThat(second.exitCode()).as(second.toString()).isEqualTo(2);
      assertThat(second.err()).contains(Long.toString(first.pid())).doesNotContain("\tat ");
      assertThat(second.trained()).isEmpty();
      int trained = first.trained().size();
      assertThat(first.await(() -> first.trained().size() > trained)).as("goes on").isTrue();
    }
  }

  /** A second of training at most for each epoch. */
  private static List<String> small(Path store, int epochs) {
    return List.of(
        "--dir", store.toString(), "--epochs", Integer.toString(epochs), "--rows", "100");
  }

  private static List<String> with(List<String> arguments, String more) {
    List<String> all = new ArrayList<>(arguments);
    all.add(more);
    return all;
  }

  private SampleProcess run(String... arguments) throws IOException, InterruptedException {
    return run(List.of(arguments));
  }

  private SampleProcess run(List<String> arguments) throws IOException, InterruptedException {
    SampleProcess process = start("run", arguments);
    process.exitCode();
    return process;
  }

  private int started;

  private SampleProcess start(String name, List<String> arguments) throws IOException {
    return SampleProcess.start(folder.resolve(name + started++), DigitsDjl.class, arguments);
  }
}
