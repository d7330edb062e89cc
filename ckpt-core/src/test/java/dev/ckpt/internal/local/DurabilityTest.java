package dev.ckpt.internal.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore.Decision;
import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.CheckpointStore.Sink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is forced, when, and what a medium that fails leaves behind. */
class DurabilityTest {

  @TempDir Path base;

  @Test
  void aNameAppearsAfterItsBytesWereForcedAndTheFoldersAreForcedAfterIt() throws IOException {
    RecordingDisk disk = new RecordingDisk(base);
    try (PosixStore store = new PosixStore(base.resolve("new/store"), disk)) {
      store.putIfAbsent("a/b/c", bytes("x"));
      assertThat(disk.steps())
          .containsExactly(
              "mkdir new",
              "mkdir new/store",
              "mkdir new/store/a",
              "mkdir new/store/a/b",
              "new new/store/a/b/T",
              "link new/store/a/b/T new/store/a/b/T",
              "delete new/store/a/b/T",
              "write new/store/a/b/T",
              "force new/store/a/b/T",
              "link new/store/a/b/T new/store/a/b/c",
              "delete new/store/a/b/T",
              "force new/store/a/b",
              "force new/store/a",
              "force new/store",
              "force new",
              "force ",
              "delete new/store/a/b/T");
      try (Sink sink = store.create("a/b/d")) {
        sink.write(bytes("1"), bytes("2"));
        sink.complete();
      }
      assertThat(disk.steps())
          .containsExactly(
              "new new/store/a/b/T",
              "write new/store/a/b/T",
              "force new/store/a/b/T",
              "link new/store/a/b/T new/store/a/b/d",
              "delete new/store/a/b/T",
              "force new/store/a/b");
    }
  }

  @Test
  void whoFindsAnObjectForcesItAndAllThatLeadsToIt() throws IOException {
    RecordingDisk disk = new RecordingDisk(base);
    try (PosixStore winner = PosixStore.in(base);
        PosixStore loser = new PosixStore(base, disk)) {
      winner.putIfAbsent("a/b/c", bytes("x"));
      for (int i = 0; i < 2; i++) {
        assertThat(loser.putIfAbsent("a/b/c", bytes("y"))).isEqualTo(Decision.EXISTS);
        assertThat(disk.steps()).containsExactly("force a/b/c", "force a/b", "force a", "force ");
      }
    }
  }

  @Test
  void foldersThatAnotherProcessMadeAreForcedOnce() throws IOException {
    RecordingDisk disk = new RecordingDisk(base);
    try (PosixStore maker = PosixStore.in(base);
        PosixStore store = new PosixStore(base, disk)) {
      maker.putIfAbsent("a/b/c", bytes("x"));
      store.putIfAbsent("a/b/d", bytes("y"));
      assertThat(disk.steps()).contains("force a/b", "force a", "force ");
      store.putIfAbsent("a/b/e", bytes("z"));
      assertThat(disk.steps()).contains("force a/b").doesNotContain("force a", "force ");
      store.delete(List.of("a/b/c", "a/b/d", "a/b/e"));
      assertThat(disk.steps()).contains("delete a/b", "delete a").endsWith("force ");
      store.putIfAbsent("a/b/c", bytes("x"));
      assertThat(disk.steps()).contains("force a/b", "force a", "force ");
    }
  }

  @Test
  void withoutHardLinksTheNameComesByARenameAfterTheForce() throws IOException {
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void link(Path existing, Path name) {
            throw new UnsupportedOperationException();
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      assertThat(store.putIfAbsent("a/b", bytes("x"))).isEqualTo(Decision.CREATED);
      assertThat(disk.steps())
          .containsSubsequence("write a/T", "force a/T", "rename a/T a/b", "force a", "force ");
      assertThat(store.putIfAbsent("a/b", bytes("y"))).isEqualTo(Decision.EXISTS);
      try (Sink sink = store.create("a/b")) {
        assertThatThrownBy(sink::complete).isInstanceOf(FileAlreadyExistsException.class);
      }
      assertThat(disk.steps()).noneMatch(step -> step.startsWith("rename"));
      assertThat(Files.readString(base.resolve("a/b"))).isEqualTo("x");
    }
  }

  @Test
  void aFailedForceGivesTheFileUpForGood() throws IOException {
    AtomicBoolean broken = new AtomicBoolean(true);
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void force(Path file, FileChannel channel, boolean metadata) throws IOException {
            super.force(file, channel, metadata);
            if (broken.get()) {
              throw new IOException("Input/output error");
            }
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      assertThatIOException().isThrownBy(() -> store.putIfAbsent("a", bytes("x")));
      disk.steps();
      try (Sink sink = store.create("b")) {
        sink.write(bytes("x"));
        assertThatIOException().isThrownBy(sink::complete);
        assertThatThrownBy(sink::complete).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> sink.write(bytes("y"))).isInstanceOf(IllegalStateException.class);
      }
      assertThat(disk.steps()).containsOnlyOnce("force T").noneMatch(s -> s.startsWith("link"));
      assertThat(files()).isEmpty();
      broken.set(false);
      assertThat(store.putIfAbsent("a", bytes("x"))).isEqualTo(Decision.CREATED);
    }
  }

  @Test
  void anEarlyForceThatFailsIsNotForgotten() throws IOException {
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void force(Path file, FileChannel channel, boolean metadata) throws IOException {
            super.force(file, channel, metadata);
            // the kernel tells once: the force at the end succeeds
            if (!metadata) {
              throw new IOException("Input/output error");
            }
          }
        };
    try (PosixStore store = new PosixStore(base, disk);
        Sink sink = store.create("big")) {
      sink.write(ByteBuffer.allocateDirect(PosixSink.FORCE_EVERY));
      sink.write(bytes("the end"));
      assertThatIOException()
          .isThrownBy(sink::complete)
          .withMessageContaining("big")
          .withMessageContaining("Input/output error");
      assertThat(keys(store)).isEmpty();
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void aDiskThatFillsUpInTheMiddleLeavesNothing() throws IOException {
    AtomicInteger writes = new AtomicInteger();
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          long write(Path file, FileChannel channel, ByteBuffer[] sources) throws IOException {
            if (writes.incrementAndGet() == 2) {
              throw new IOException("No space left on device");
            }
            return super.write(file, channel, sources);
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      try (Sink sink = store.create("data/big")) {
        sink.write(bytes("first"));
        assertThatIOException()
            .isThrownBy(() -> sink.write(bytes("second")))
            .withMessageContaining("No space left");
        assertThatThrownBy(sink::complete).isInstanceOf(IllegalStateException.class);
      }
      assertThat(keys(store)).isEmpty();
      assertThat(files()).isEmpty();
      store.putIfAbsent("data/big", bytes("fits"));
      assertThat(keys(store)).containsExactly("data/big");
    }
  }

  @Test
  void aLinkWhoseAnswerWasLostCountsAsDone() throws IOException {
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void link(Path existing, Path name) throws IOException {
            super.link(existing, name);
            if (!Temporary.isTemporary(name)) {
              throw new FileAlreadyExistsException(name.toString());
            }
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      assertThat(store.putIfAbsent("a", bytes("x"))).isEqualTo(Decision.CREATED);
      try (Sink sink = store.create("b")) {
        sink.write(bytes("y"));
        sink.complete();
      }
      assertThat(keys(store)).containsExactly("a", "b");
      assertThat(store.putIfAbsent("a", bytes("z"))).isEqualTo(Decision.EXISTS);
    }
  }

  @Test
  void aFullDiskIsNotTakenForOneWithoutHardLinks() throws IOException {
    AtomicInteger created = new AtomicInteger();
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void link(Path existing, Path name) throws IOException {
            throw new FileSystemException(name.toString(), null, "no inode");
          }

          @Override
          FileChannel createFile(Path file) throws IOException {
            if (created.incrementAndGet() % 2 == 0) {
              throw new IOException("No space left on device");
            }
            return super.createFile(file);
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      for (int i = 0; i < 2; i++) {
        assertThatIOException()
            .isThrownBy(() -> store.putIfAbsent("a", bytes("x")))
            .withMessageContaining("No space left");
      }
    }
    assertThat(files()).isEmpty();
  }

  @Test
  void aFolderThatGoesBeforeTheFileStandsInItIsMadeAgain() throws IOException {
    AtomicInteger left = new AtomicInteger(3);
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          FileChannel createFile(Path file) throws IOException {
            if (left.getAndDecrement() > 0) {
              Files.delete(Folders.parent(file));
            }
            return super.createFile(file);
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      assertThat(store.putIfAbsent("a/b/c", bytes("x"))).isEqualTo(Decision.CREATED);
    }
    assertThat(Files.readString(base.resolve("a/b/c"))).isEqualTo("x");
  }

  @Test
  void aFolderWithoutTheRightToWriteIsNamedWithWhatToDo() throws IOException {
    // a test may run as root, for whom the system denies nothing
    RecordingDisk noFolder =
        new RecordingDisk(base) {
          @Override
          void createFolder(Path folder) throws IOException {
            throw new AccessDeniedException(folder.toString());
          }
        };
    RecordingDisk noFile =
        new RecordingDisk(base) {
          @Override
          FileChannel createFile(Path file) throws IOException {
            throw new AccessDeniedException(file.toString());
          }
        };
    for (RecordingDisk disk : List.of(noFolder, noFile)) {
      try (PosixStore store = new PosixStore(base, disk)) {
        assertThatThrownBy(() -> store.putIfAbsent("a/b", bytes("x")))
            .isInstanceOf(AccessDeniedException.class)
            .hasMessageContaining("no right to write")
            .hasMessageContaining(base.resolve("a").toString())
            .hasMessageContaining("choose another folder");
      }
    }
  }

  @Test
  void anObjectThatVanishesWhileItIsForcedIsNoError() throws IOException {
    RecordingDisk disk =
        new RecordingDisk(base) {
          @Override
          void forceFile(Path file) throws IOException {
            Files.delete(file);
            throw new NoSuchFileException(file.toString());
          }
        };
    try (PosixStore store = new PosixStore(base, disk)) {
      store.putIfAbsent("a", bytes("x"));
      assertThat(store.putIfAbsent("a", bytes("y"))).isEqualTo(Decision.EXISTS);
    }
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(base)) {
      return files.filter(Files::isRegularFile).toList();
    }
  }

  private static List<String> keys(PosixStore store) throws IOException {
    try (Stream<Entry> entries = store.list("", "")) {
      return entries.map(Entry::key).toList();
    }
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }
}
