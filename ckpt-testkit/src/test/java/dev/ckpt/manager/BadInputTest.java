package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damage on disk: each kind has the reaction that the design names, and nothing is lost by it. */
class BadInputTest {
  @TempDir Path folder;

  @BeforeEach
  void saveTwice() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(state).open()) {
      ckpt.resume();
      for (int step = 1; step <= 2; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
  }

  private static ToyState fresh() {
    return ToyState.random(21, 3, 400);
  }

  private CheckpointManagerBuilder toy(ToyState state) {
    return CheckpointManager.in(folder).run("toy").part("toy", state).keep(Retention.latest(5));
  }

  private Path newest(String kind) throws IOException {
    try (var files = Files.walk(folder.resolve("runs/toy").resolve(kind))) {
      return files.filter(Files::isRegularFile).sorted().reduce((a, b) -> b).orElseThrow();
    }
  }

  private long resumedStep() {
    try (CheckpointManager ckpt = toy(fresh()).open()) {
      return ckpt.resume().map(r -> r.checkpoint().progress().step()).orElse(0L);
    }
  }

  private Restored resumed() {
    try (CheckpointManager ckpt = toy(fresh()).open()) {
      return ckpt.resume().orElseThrow();
    }
  }

  private Map<Path, byte[]> everything() throws IOException {
    Map<Path, byte[]> all = new TreeMap<>();
    Files.walkFileTree(
        folder,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            if (!file.getFileName().toString().contains("lock")) {
              all.put(file, Files.readAllBytes(file));
            }
            return FileVisitResult.CONTINUE;
          }
        });
    return all;
  }

  @Test
  void aCutManifestFallsBackToTheOlderCheckpointAndSaysSo() throws IOException {
    Path manifest = newest("manifests");
    byte[] bytes = Files.readAllBytes(manifest);
    try (CheckpointStore store = Stores.local(folder)) {
      Checkpoints checkpoints = Checkpoints.read(store, "toy");
      String id = checkpoints.latest().orElseThrow().id();
      for (int length = 0; length < bytes.length; length++) {
        Files.write(manifest, java.util.Arrays.copyOf(bytes, length));
        assertThat(checkpoints.verify(id).ok()).as("cut to %s", length).isFalse();
      }
    }
    Restored restored = resumed();
    assertThat(restored.checkpoint().progress().step()).isEqualTo(1);
    assertThat(restored.skipped()).singleElement().asString().contains("manifests/");
  }

  @Test
  void aFlippedBitInAnyRegionOfAShardIsFoundByVerifyAndByResume() throws IOException {
    Path shard = newest("data");
    byte[] bytes = Files.readAllBytes(shard);
    long seed = System.nanoTime();
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    List<Integer> places = new ArrayList<>();
    for (int i = 0; i < 40; i++) {
      places.add(i * (bytes.length / 40) + random.nextInt(bytes.length / 40));
    }
    places.add(0);
    places.add(bytes.length - 1);
    String id = Checkpoints.read(Stores.local(folder), "toy").latest().orElseThrow().id();
    for (int place : places) {
      byte[] damaged = bytes.clone();
      damaged[place] ^= (byte) (1 << random.nextInt(8));
      Files.write(shard, damaged);
      try (CheckpointStore store = Stores.local(folder)) {
        assertThat(Checkpoints.read(store, "toy").verify(id).ok()).as("byte %s", place).isFalse();
      }
    }
    assertThat(resumedStep()).isEqualTo(1);
    Files.write(shard, bytes);
  }

  @Test
  void aMissingShardFallsBack() throws IOException {
    Files.delete(newest("data"));
    assertThat(resumed().skipped()).singleElement().asString().contains("missing");
  }

  @Test
  void aRunWithNothingWholeIsAnErrorAndNoFreshStart() throws IOException {
    try (var files = Files.walk(folder.resolve("runs/toy/manifests"))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        byte[] bytes = Files.readAllBytes(file);
        bytes[100] ^= 4;
        Files.write(file, bytes);
      }
    }
    Map<Path, byte[]> before = everything();
    try (CheckpointManager ckpt = toy(fresh()).open()) {
      assertThatThrownBy(ckpt::resume)
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("none can be restored")
          .hasMessageContaining("never");
    }
    Map<Path, byte[]> after = everything();
    before.forEach((file, bytes) -> assertThat(after.get(file)).as("%s", file).isEqualTo(bytes));
  }

  @Test
  void aDamagedRecordOfAnAttemptCostsNoCheckpoint() throws IOException {
    Files.writeString(newest("attempts"), "x");
    assertThat(resumedStep()).isEqualTo(2);
  }

  @Test
  void aBranchKeepsItsSeedThoughARecordOfAnAttemptIsDamaged() throws IOException {
    Path record = newest("attempts");
    byte[] bytes = Files.readAllBytes(record);
    long seed = AttemptRecord.decode("attempt", bytes).seed();
    bytes[100] ^= 1;
    Files.write(record, bytes);
    for (int attempt = 2; attempt <= 3; attempt++) {
      ToyState state = fresh();
      try (CheckpointManager ckpt = toy(state).open()) {
        assertThat(ckpt.seed()).as("attempt %d", attempt).isEqualTo(seed);
        ckpt.resume();
        state.advance(1);
        ckpt.save(Progress.step(attempt + 1), Map.of()).join();
      }
      Files.writeString(newest("attempts"), "x");
    }
    Path manifest = newest("manifests");
    bytes = Files.readAllBytes(manifest);
    bytes[100] ^= 1;
    Files.write(manifest, bytes);
    try (CheckpointManager ckpt = toy(fresh()).seed(seed + 1).open()) {
      assertThat(ckpt.seed()).as("not the newest manifest, but the one before").isEqualTo(seed);
    }
  }

  @Test
  void aCheckpointThatAnAttemptStartedFromIsNamedIfItsManifestIsGone() throws IOException {
    assertThat(resumedStep()).isEqualTo(2);
    Files.delete(newest("manifests"));
    Restored restored = resumed();
    assertThat(restored.checkpoint().progress().step()).isEqualTo(1);
    assertThat(restored.skipped())
        .singleElement()
        .asString()
        .startsWith("000001-000000000002-0: ")
        .contains("manifest is gone");
    assertThat(resumed().skipped()).as("it was left behind, and said").isEmpty();
  }

  @Test
  void afterTheLastNumberOfAnAttemptAStartSaysWhatToDo() throws IOException {
    byte[] last = Files.readAllBytes(newest("attempts"));
    Files.write(folder.resolve("runs/toy/attempts/999998.json"), last);
    try (CheckpointManager ckpt = toy(fresh()).open()) {
      assertThat(ckpt.attempt()).isEqualTo(999_999);
      assertThat(ckpt.resume()).isPresent();
    }
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(() -> toy(fresh()).open())
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("run 'toy' has had 999999 attempts")
          .hasMessageContaining("run name of its own");
    }
    try (var files = Files.list(folder.resolve("runs/toy/attempts"))) {
      assertThat(files)
          .extracting(file -> file.getFileName().toString())
          .doesNotContain("1000000.json");
    }
    try (CheckpointManager other = toy(fresh()).run("toy2").open()) {
      assertThat(other.attempt()).isEqualTo(1);
    }
  }

  @Test
  void aLostRecordOfAResumeIsAnErrorWithTwoWaysOut() throws IOException {
    String id = "000001-000000000002-0";
    Path record = newest("resume");
    for (boolean damaged : new boolean[] {true, false}) {
      if (damaged) {
        Files.writeString(record, "x");
      } else {
        Files.delete(record);
      }
      assertThatThrownBy(() -> toy(fresh()).open())
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("by its id")
          .hasMessageContaining("never");
    }
    try (CheckpointManager ckpt = toy(fresh()).resume(Resume.parse(id)).open()) {
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(id);
    }
    assertThat(resumedStep()).as("from then on as ever").isEqualTo(2);
    try (CheckpointManager ckpt = toy(fresh()).resume(new Resume.Never()).open()) {
      assertThat(ckpt.resume()).isEmpty();
    }
  }

  private static final String BACK = "000001-000000000001-0";

  /** The next attempt, as asked for: goes on, and saves at its next two steps. */
  private String goesOn(String request) {
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        toy(state).keep(java.util.Set::copyOf).resume(Resume.parse(request)).open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(state.counter), Map.of()).join();
      state.advance(1);
      return ckpt.save(Progress.step(state.counter), Map.of()).join().id();
    }
  }

  private String resumedFrom(String request) {
    try (CheckpointManager ckpt = toy(fresh()).resume(Resume.parse(request)).open()) {
      return ckpt.resume().orElseThrow().checkpoint().id();
    }
  }

  private void flip(String key) throws IOException {
    Path file = folder.resolve("runs/toy").resolve(key);
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 1;
    Files.write(file, bytes);
  }

  /** Follows the advice of an error, and nothing else. */
  private String adviceFor(String request) {
    CheckpointException.Corrupt error =
        org.junit.jupiter.api.Assertions.assertThrows(
            CheckpointException.Corrupt.class, () -> resumedFrom(request));
    var id =
        java.util.regex.Pattern.compile("resume from (\\d{6}-\\d{12}-\\d)")
            .matcher(String.valueOf(error.getMessage()));
    assertThat(id.find()).as("%s", error.getMessage()).isTrue();
    return id.group(1);
  }

  @Test
  void aRepeatedRequestNeverGoesBackThoughOneRecordOfItsBranchIsDamagedOrLost() throws IOException {
    goesOn(BACK);
    goesOn("auto");
    String newest = goesOn(BACK);
    assertThat(newest).isEqualTo("000004-000000000007-0");
    for (String key : List.of("resume/000002.json", "resume/000003.json", "resume/000004.json")) {
      Map<Path, byte[]> before = everything();
      flip(key);
      assertThat(resumedFrom(BACK)).as("%s is damaged", key).isEqualTo(newest);
      Files.delete(folder.resolve("runs/toy").resolve(key));
      assertThat(resumedFrom(BACK)).as("%s is lost", key).isEqualTo(newest);
      for (Map.Entry<Path, byte[]> file : before.entrySet()) {
        Files.write(file.getKey(), file.getValue());
      }
    }
  }

  @Test
  void aRepeatedRequestWhoseAttemptIsNotKnownSaysWhereToGoOn() throws IOException {
    String newest = goesOn(BACK);
    flip("attempts/000002.json");
    assertThat(adviceFor(BACK)).isEqualTo(newest);
    flip("resume/000002.json");
    assertThat(adviceFor(BACK)).isEqualTo(newest);
    String further = goesOn(newest);
    assertThat(further).isEqualTo("000003-000000000005-0");
    assertThat(resumedFrom(newest)).as("asked again").isEqualTo(further);
    assertThat(resumedFrom("auto")).as("from then on as ever").isEqualTo(further);
  }

  @Test
  void anAttemptThatMayHaveGoneOnFromAReferenceIsNamedAndLeadsOn() throws IOException {
    goesOn(BACK);
    String newest = goesOn("auto");
    flip("attempts/000003.json");
    flip("resume/000003.json");
    assertThat(adviceFor(BACK)).isEqualTo(newest);
    assertThatThrownBy(() -> resumedFrom("auto")).isInstanceOf(CheckpointException.Corrupt.class);
    assertThat(goesOn(newest)).isEqualTo("000004-000000000007-0");
    assertThat(resumedFrom(newest)).isEqualTo("000004-000000000007-0");
    assertThat(resumedFrom("auto")).isEqualTo("000004-000000000007-0");
    flip("manifests/000004-000000000006-0.json");
    flip("manifests/000004-000000000007-0.json");
    assertThat(resumedFrom("auto")).as("back to the damaged one's, and said").isEqualTo(newest);
  }

  @Test
  void damagedRecordsOfOtherBranchesDoNotMatterToARepeatedRequest() throws IOException {
    String branch = goesOn(BACK);
    goesOn("never");
    goesOn("000001-000000000002-0");
    flip("resume/000003.json");
    flip("resume/000004.json");
    assertThat(resumedFrom(BACK)).isEqualTo(branch);
    flip("attempts/000001.json");
    assertThat(resumedFrom(BACK)).isEqualTo(branch);
  }

  @Test
  void aNumberThatAnyRecordBearsIsNotTakenAgain() throws IOException {
    Files.delete(newest("attempts"));
    try (CheckpointManager ckpt = toy(fresh()).open()) {
      assertThat(ckpt.attempt()).isEqualTo(2);
      assertThat(ckpt.resume()).isPresent();
    }
  }

  @Test
  void aReferenceThatMeansNothingIsAWrongArgument() {
    assertThatThrownBy(() -> toy(fresh()).resume(Resume.parse("zzz")).open())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("best(metric)");
  }

  @Test
  void foreignFilesAreLeftAlone() throws IOException {
    Path foreign = Files.writeString(folder.resolve("runs/toy/data/notes.txt"), "mine");
    Path beside = Files.writeString(folder.resolve("README"), "mine too");
    Path inside =
        Files.writeString(newest("manifests").resolveSibling("backup of manifests"), "mine");
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(state).keep(Retention.latest(1)).open()) {
      ckpt.resume();
      for (int i = 0; i < 3; i++) {
        state.advance(1);
        ckpt.save(Progress.step(state.counter), Map.of()).join();
      }
    }
    assertThat(foreign).hasContent("mine");
    assertThat(beside).hasContent("mine too");
    assertThat(inside).hasContent("mine");
    try (CheckpointStore store = Stores.local(folder)) {
      assertThat(Checkpoints.read(store, "toy").list())
          .extracting(each -> each.progress().step())
          .containsExactly(5L);
    }
  }

  @Test
  void aPlainFileWhereTheStoreShouldBeIsAnErrorThatSaysSo() throws IOException {
    Path file = Files.writeString(folder.resolve("plain"), "x");
    assertThatThrownBy(() -> CheckpointManager.in(file).run("toy").part("p", fresh()).open())
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("plain");
    assertThat(file).hasContent("x");
  }

  @Test
  void whatADeadProcessLeftIsCleanedUpAndWhatItCommittedStays() throws IOException {
    Path data = folder.resolve("runs/toy/data/000001-000000000777-0");
    Files.createDirectories(data);
    Path orphan = Files.write(data.resolve("rank-00000-of-00001.arrow"), new byte[100]);
    java.nio.file.attribute.FileTime old =
        java.nio.file.attribute.FileTime.from(
            java.time.Instant.now().minus(java.time.Duration.ofHours(2)));
    Files.setLastModifiedTime(orphan, old);
    assertThat(resumedStep()).isEqualTo(2);
    assertThat(orphan).doesNotExist();
    assertThat(folder.resolve("runs/toy/manifests/000001-000000000777-0.json"))
        .as("given up before its data went")
        .content()
        .contains("\"decision\":\"abort\"");
    try (CheckpointStore store = Stores.local(folder)) {
      assertThat(Checkpoints.read(store, "toy").list())
          .extracting(Checkpoint::id)
          .containsExactly("000001-000000000001-0", "000001-000000000002-0");
    }
  }

  @Test
  void marksOfDeletedCheckpointsGoWithTheirFilesAndAbortsStay() throws IOException {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(state).keep(Retention.latest(1)).open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(3), Map.of()).join();
    }
    Path run = folder.resolve("runs/toy");
    Path young = run.resolve("deleted/000001-000000000001-0");
    Path old = aged(run.resolve("deleted/000001-000000000002-0"));
    Path unfinished = aged(Files.write(run.resolve("deleted/000001-000000000777-0"), new byte[0]));
    Path left =
        Files.write(
            Files.createDirectories(run.resolve("data/000001-000000000777-0")).resolve("late"),
            new byte[7]);
    Path abort = run.resolve("manifests/000001-000000000778-0.json");
    Files.write(
        abort,
        new dev.ckpt.manifest.Manifest.Abort(
                dev.ckpt.manifest.CheckpointId.parse("000001-000000000778-0").orElseThrow(), "late")
            .encode());
    aged(abort);
    assertThat(young).exists();
    assertThat(resumedStep()).isEqualTo(3);
    assertThat(old).doesNotExist();
    assertThat(young).as("within the grace").exists();
    assertThat(unfinished).as("a file of it may come yet").exists();
    assertThat(left).exists();
    assertThat(abort).as("a writer that sleeps must still find it").exists();
    aged(left);
    assertThat(resumedStep()).isEqualTo(3);
    assertThat(left).doesNotExist();
    assertThat(unfinished).doesNotExist();
  }

  private static Path aged(Path file) throws IOException {
    return Files.setLastModifiedTime(
        file,
        java.nio.file.attribute.FileTime.from(
            java.time.Instant.now().minus(java.time.Duration.ofHours(2))));
  }
}
