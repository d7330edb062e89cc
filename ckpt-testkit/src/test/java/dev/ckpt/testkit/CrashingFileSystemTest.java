package dev.ckpt.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.testkit.CrashingFileSystem.Operation;
import dev.ckpt.testkit.PowerLoss.Damage;
import dev.ckpt.testkit.PowerLoss.Survival;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CrashingFileSystemTest {

  private final CrashingFileSystem disk = CrashingFileSystem.create();
  private final Path file = disk.getPath("/file");

  private static PowerLoss loss(Damage damage, Survival survival) {
    return new PowerLoss(damage, survival, 7);
  }

  private void write(Path path, String text, boolean force) throws IOException {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
      channel.write(ByteBuffer.wrap(text.getBytes(UTF_8)));
      if (force) {
        channel.force(true);
      }
    }
  }

  private static void force(Path folder) throws IOException {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  private static List<String> names(CrashingFileSystem disk) throws IOException {
    try (Stream<Path> all = Files.list(disk.getPath("/"))) {
      return all.map(Path::toString).toList();
    }
  }

  private String after(Damage damage) throws IOException {
    return Files.readString(
        disk.after(loss(damage, Survival.NONE)).getPath("/file"),
        java.nio.charset.StandardCharsets.ISO_8859_1);
  }

  @Test
  void whatWasForcedSurvivesEveryLossOfPower() throws IOException {
    write(file, "forced", true);
    force(disk.getPath("/"));
    for (PowerLoss loss : PowerLoss.all(3)) {
      assertThat(Files.readString(disk.after(loss).getPath("/file"))).isEqualTo("forced");
    }
  }

  @Test
  void contentsThatWereNotForcedAreDamagedInEachWay() throws IOException {
    Files.createFile(file);
    force(disk.getPath("/"));
    write(file, "abcdefgh", false);
    assertThat(after(Damage.KEPT)).isEqualTo("abcdefgh");
    assertThat(after(Damage.EMPTIED)).isEmpty();
    assertThat(after(Damage.CUT)).isEqualTo("abcd");
    assertThat(after(Damage.ZEROED)).isEqualTo("\0".repeat(8));
    assertThat(after(Damage.FLIPPED)).hasSize(8).isNotEqualTo("abcdefgh");
    assertThatThrownBy(() -> after(Damage.DELETED)).isInstanceOf(NoSuchFileException.class);
    assertThat(Files.readString(disk.afterKill().getPath("/file"))).isEqualTo("abcdefgh");
  }

  @Test
  void onlyPagesThatWereNotForcedAreDamaged() throws IOException {
    write(file, "a".repeat(4096), true);
    force(disk.getPath("/"));
    write(file, "b".repeat(100), false);
    assertThat(after(Damage.DELETED)).isEqualTo("a".repeat(4096));
    assertThat(after(Damage.EMPTIED)).isEqualTo("a".repeat(4096));
    assertThat(after(Damage.CUT)).isEqualTo("a".repeat(4096) + "b".repeat(50));
    assertThat(after(Damage.ZEROED)).isEqualTo("a".repeat(4096) + "\0".repeat(100));
    assertThat(after(Damage.FLIPPED)).startsWith("a".repeat(4096)).doesNotEndWith("b".repeat(100));
  }

  @Test
  void anEntryThatWasForcedDoesNotForceItsFile() throws IOException {
    Path temporary = disk.getPath("/temporary");
    write(temporary, "text", false);
    Files.createLink(file, temporary);
    force(disk.getPath("/"));
    assertThat(after(Damage.EMPTIED)).isEmpty();
    write(temporary, "", true);
    assertThat(after(Damage.EMPTIED)).isEqualTo("text");
  }

  @Test
  void entriesSurviveInAnyOrder() throws IOException {
    for (String name : List.of("a", "b", "c")) {
      write(disk.getPath("/" + name), name, true);
    }
    Files.delete(disk.getPath("/a"));
    assertThat(names(disk)).containsExactly("/b", "/c");
    assertThat(names(disk.after(loss(Damage.KEPT, Survival.NONE)))).isEmpty();
    assertThat(names(disk.after(loss(Damage.KEPT, Survival.ALL)))).containsExactly("/b", "/c");
    assertThat(names(disk.after(loss(Damage.KEPT, Survival.FIRST_HALF))))
        .containsExactly("/a", "/b");
    assertThat(names(disk.after(loss(Damage.KEPT, Survival.LAST_HALF)))).containsExactly("/c");
    assertThat(names(disk.after(new PowerLoss(Damage.KEPT, Survival.EVERY_OTHER, 0))))
        .containsExactly("/a", "/c");
    assertThat(names(disk.after(new PowerLoss(Damage.KEPT, Survival.EVERY_OTHER, 1))))
        .containsExactly("/b");
  }

  @Test
  void aFolderWhoseParentWasNotForcedIsGoneWithAllThatIsInIt() throws IOException {
    Path folder = Files.createDirectory(disk.getPath("/folder"));
    write(folder.resolve("file"), "text", true);
    force(folder);
    assertThat(names(disk.after(loss(Damage.KEPT, Survival.NONE)))).isEmpty();
    force(disk.getPath("/"));
    CrashingFileSystem after = disk.after(loss(Damage.DELETED, Survival.NONE));
    assertThat(Files.readString(after.getPath("/folder/file"))).isEqualTo("text");
  }

  @Test
  void aForceThatFailedDropsItsPagesForGood() throws IOException {
    write(file, "a".repeat(4096), true);
    force(disk.getPath("/"));
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.APPEND)) {
      channel.write(ByteBuffer.wrap("lost".getBytes(UTF_8)));
      disk.on(Operation.FORCE).nth(1).fails();
      assertThatThrownBy(() -> channel.force(true)).hasMessageContaining("Input/output error");
      channel.force(true);
    }
    assertThat(Files.readString(file)).as("who lives reads it").endsWith("lost");
    assertThat(after(Damage.KEPT)).isEqualTo("a".repeat(4096) + "\0".repeat(4));
  }

  @Test
  void itStopsBeforeACallOrInItsMiddleAndEverythingLaterFails() throws IOException {
    disk.on(Operation.WRITE).nth(2).stopsMidway();
    write(file, "whole", false);
    assertThatThrownBy(() -> write(file, "half", false)).hasMessageContaining("stopped");
    assertThat(disk.isStopped()).isTrue();
    assertThatThrownBy(() -> Files.size(file)).hasMessageContaining("stopped");
    disk.assertNothingIsOpen();
    assertThat(Files.readString(disk.afterKill().getPath("/file"))).isEqualTo("wholeha");
  }

  @Test
  void changesAreCountedAndLooksAreNot() throws IOException {
    write(file, "text", true);
    Files.readString(file);
    Files.exists(file);
    force(disk.getPath("/"));
    assertThat(disk.changes()).isEqualTo(4);
    assertThat(
            disk.calls().stream().filter(call -> call.change() > 0).map(call -> call.operation()))
        .containsExactly(
            Operation.CREATE, Operation.WRITE, Operation.FORCE, Operation.FORCE_FOLDER);
    assertThat(disk.calls()).hasSizeGreaterThan(4);
  }

  @Test
  void errorsAndShortWritesAreInjectedWhereARuleFits() throws IOException {
    disk.on(Operation.WRITE).path("/f*").nth(1).isShort();
    disk.on(Operation.CREATE).path("/full").isFull();
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      ByteBuffer text = ByteBuffer.wrap("abcdef".getBytes(UTF_8));
      assertThat(channel.write(text)).isEqualTo(3);
      assertThat(channel.write(text)).isEqualTo(3);
    }
    assertThat(Files.readString(file)).isEqualTo("abcdef");
    assertThatThrownBy(() -> Files.createFile(disk.getPath("/full")))
        .hasMessageContaining("No space left on device");
  }

  @Test
  void whatIsLeftOpenIsReportedWithTheStackTraceOfItsOpening() throws IOException {
    DirectoryStream<Path> stream = Files.newDirectoryStream(disk.getPath("/"));
    FileChannel channel = openHere();
    assertThatThrownBy(disk::assertNothingIsOpen)
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("2 handle(s)")
        .hasMessageContaining("channel of /file")
        .satisfies(
            leak -> {
              List<StackTraceElement> frames = new ArrayList<>();
              frames.addAll(List.of(Objects.requireNonNull(leak.getCause()).getStackTrace()));
              frames.addAll(List.of(leak.getSuppressed()[0].getStackTrace()));
              assertThat(frames).extracting(StackTraceElement::getMethodName).contains("openHere");
            });
    stream.close();
    channel.close();
    disk.assertNothingIsOpen();
  }

  private FileChannel openHere() throws IOException {
    return FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  @Test
  void aKilledProcessLeavesWhatIsNotForcedUnforced() throws IOException {
    write(file, "text", false);
    CrashingFileSystem killed = disk.afterKill();
    assertThat(names(killed)).containsExactly("/file");
    assertThat(names(killed.after(loss(Damage.KEPT, Survival.NONE)))).isEmpty();
    Files.delete(killed.getPath("/file"));
    assertThat(names(disk)).as("the two are apart").containsExactly("/file");
  }

  @Test
  void equalDisksHaveEqualFingerprintsAndLinksAreNotCopies() throws IOException {
    write(file, "text", true);
    assertThat(disk.afterKill().fingerprint()).isEqualTo(disk.fingerprint());
    CrashingFileSystem linked = disk.afterKill();
    Files.createLink(linked.getPath("/other"), linked.getPath("/file"));
    CrashingFileSystem copied = disk.afterKill();
    Files.copy(copied.getPath("/file"), copied.getPath("/other"));
    assertThat(linked.fingerprint()).isNotEqualTo(copied.fingerprint());
  }

  @Test
  void aDiskIsCopiedIntoARealFolder(@TempDir Path folder) throws IOException {
    Files.createDirectories(disk.getPath("/a/b"));
    write(disk.getPath("/a/b/c"), "text", false);
    disk.copyTo(folder);
    assertThat(Files.readString(folder.resolve("a/b/c"))).isEqualTo("text");
  }

  @Test
  void pathsAreThoseOfAUnixFileSystem() {
    Path path = disk.getPath("/a/../b/./c");
    assertThat(path.normalize()).isEqualTo(disk.getPath("/b/c"));
    assertThat(disk.getPath("/b").relativize(disk.getPath("/b/c/d"))).hasToString("c/d");
    assertThat(disk.getPath("/b/c").relativize(disk.getPath("/b/d"))).hasToString("../d");
    assertThat(disk.getPath("x").toAbsolutePath()).isEqualTo(disk.getPath("/x"));
    assertThat(disk.getPath("/b/c").startsWith("/b")).isTrue();
    assertThat(disk.getPath("/bb/c").startsWith("/b")).isFalse();
    assertThat(disk.getPath("/")).isEqualTo(path.getRoot());
    assertThat(disk.getPath("/a").getParent()).isEqualTo(disk.getPath("/"));
    assertThat(disk.getPath("/").getParent()).isNull();
    assertThat(CrashingFileSystem.create().getPath("/a")).isNotEqualTo(disk.getPath("/a"));
  }
}
