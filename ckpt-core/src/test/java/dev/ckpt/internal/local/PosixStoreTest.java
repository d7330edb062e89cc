package dev.ckpt.internal.local;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.CheckpointStore.Sink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a folder promises beyond the contract of all stores. */
class PosixStoreTest {

  @TempDir Path base;

  @Test
  void onlyTheOwnerMayLookAtWhatTheStoreMakes() throws IOException {
    try (PosixStore store = PosixStore.in(base.resolve("new/store"));
        Sink sink = store.create("a/big")) {
      store.putIfAbsent("a/small", bytes("x"));
      store.lock("a/lock", "me").close();
      sink.write(bytes("x"));
      assertPermissions();
      sink.complete();
      assertPermissions();
    }
  }

  private void assertPermissions() throws IOException {
    List<Path> made = tree();
    assertThat(made).hasSizeGreaterThan(5);
    for (Path path : made) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
          .as(path.toString())
          .isEqualTo(Files.isDirectory(path) ? "rwx------" : "rw-------");
    }
  }

  @Test
  void lookingMakesNothing() throws IOException {
    Path missing = base.resolve("not/there");
    try (PosixStore store = PosixStore.in(missing)) {
      assertThat(keys(store)).isEmpty();
      assertThat(store.sweep("", Instant.MAX)).isZero();
      assertThat(store.usableBytes()).isPresent();
      store.delete(List.of("a/b"));
      assertThatThrownBy(() -> store.read("a", 0, ByteBuffer.allocate(1)))
          .isInstanceOf(NoSuchFileException.class);
    }
    assertThat(tree()).isEmpty();
  }

  @Test
  void aFileWhereAFolderBelongsIsNamed() throws IOException {
    Path file = Files.writeString(base.resolve("file"), "mine");
    assertThatIOException()
        .isThrownBy(() -> PosixStore.in(file))
        .withMessageContaining(file.toString())
        .withMessageContaining("a store is a folder");
    try (PosixStore store = PosixStore.in(base)) {
      assertThatThrownBy(() -> store.putIfAbsent("file/a", bytes("x")))
          .isInstanceOf(FileSystemException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining("needs a folder");
      Files.createDirectory(base.resolve("folder"));
      assertThatThrownBy(() -> store.create("folder"))
          .isInstanceOf(FileSystemException.class)
          .hasMessageContaining("needs a file");
      store.delete(List.of("folder"));
    }
    assertThat(base.resolve("folder")).isDirectory();
    assertThat(file).hasContent("mine");
  }

  @Test
  void linksInsideLeadNowhere() throws IOException {
    Path outside = Files.createDirectories(base.resolve("outside/x"));
    Path precious = Files.writeString(outside.resolve("precious"), "mine");
    Path temporary = Files.createFile(Temporary.newName(outside));
    Files.setLastModifiedTime(temporary, FileTime.from(Instant.EPOCH));
    Path root = Files.createDirectory(base.resolve("store"));
    Files.createSymbolicLink(root.resolve("x"), outside);
    Files.createSymbolicLink(root.resolve("y"), precious);
    try (PosixStore store = PosixStore.in(root)) {
      for (String key : List.of("x/precious", "y", "x/new")) {
        for (ThrowingUse use :
            List.<ThrowingUse>of(
                k -> store.delete(List.of(k)),
                k -> store.putIfAbsent(k, bytes("x")),
                store::create,
                k -> store.read(k, 0, ByteBuffer.allocate(1)))) {
          assertThatIOException()
              .isThrownBy(() -> use.of(key))
              .withMessageContaining("symbolic link")
              .withMessageContaining(root.toString());
        }
      }
      assertThat(keys(store)).isEmpty();
      assertThat(store.sweep("", Instant.now())).isZero();
      store.putIfAbsent("z", bytes("x"));
      assertThat(keys(store)).containsExactly("z");
    }
    assertThat(precious).hasContent("mine");
    assertThat(temporary).exists();
  }

  private interface ThrowingUse {
    void of(String key) throws IOException;
  }

  @Test
  void theRootMayBeALinkAndHasOneName() throws IOException {
    Path real = Files.createDirectory(base.resolve("real"));
    Path link = Files.createSymbolicLink(base.resolve("link"), real);
    try (PosixStore one = PosixStore.in(link.resolve("store"));
        PosixStore two = PosixStore.in(real.resolve("x/../store"))) {
      one.putIfAbsent("a/b", bytes("x"));
      assertThat(keys(two)).containsExactly("a/b");
      assertThat(one.uri()).isEqualTo(two.uri());
      try (PosixStore three = PosixStore.in(link.resolve("store"))) {
        assertThat(three.uri()).isEqualTo(one.uri());
      }
    }
  }

  @Test
  void deletingRemovesTheFoldersThatItEmptiesAndNothingForeign() throws IOException {
    try (PosixStore store = PosixStore.in(base)) {
      store.putIfAbsent("runs/r/data/1/shard", bytes("x"));
      store.putIfAbsent("runs/r/data/2/shard", bytes("x"));
      Files.writeString(base.resolve("runs/r/data/2/a note"), "mine");
      store.delete(List.of("runs/r/data/1/shard", "runs/r/data/2/shard"));
      assertThat(base.resolve("runs/r/data/1")).doesNotExist();
      assertThat(base.resolve("runs/r/data/2/a note")).hasContent("mine");
      assertThat(keys(store)).isEmpty();
      Files.delete(base.resolve("runs/r/data/2/a note"));
      store.putIfAbsent("runs/r/data/2/shard", bytes("x"));
      store.delete(List.of("runs/r/data/2/shard"));
      assertThat(tree()).isEmpty();
      assertThat(base).exists();
    }
  }

  @Test
  void sweepingRemovesOldTemporariesOnly() throws IOException {
    Instant limit = Instant.now().minus(Duration.ofHours(1));
    try (PosixStore dead = PosixStore.in(base);
        PosixStore store = PosixStore.in(base)) {
      Sink abandoned = dead.create("runs/r/data/1/shard");
      abandoned.write(bytes("x"));
      dead.create("runs/r/data/2/young");
      dead.create("elsewhere/old");
      Sink mine = store.create("runs/r/data/3/mine");
      store.putIfAbsent("runs/r/old", bytes("visible"));
      Path foreign = Files.writeString(base.resolve("runs/.tmp-notes"), "mine");
      for (Path path : tree()) {
        if (Files.isRegularFile(path) && !path.toString().contains("/2/")) {
          Files.setLastModifiedTime(path, FileTime.from(limit.minusSeconds(1)));
        }
      }
      assertThat(store.sweep("runs/", limit)).isEqualTo(1);
      assertThat(base.resolve("runs/r/data/1")).doesNotExist();
      assertThat(foreign).exists();
      assertThat(tree().stream().filter(Temporary::isTemporary)).hasSize(3);
      assertThatIOException().isThrownBy(abandoned::complete);
      mine.complete();
      assertThat(keys(store)).containsExactly("runs/r/data/3/mine", "runs/r/old");
    }
  }

  @Test
  void anInterruptCostsOneCallAndNothingElse() throws Exception {
    try (PosixStore store = PosixStore.in(base)) {
      store.putIfAbsent("k", bytes("x"));
      Sink other = store.create("other");
      List<Throwable> unexpected = new ArrayList<>();
      Thread interrupted =
          new Thread(
              () -> {
                try (Sink sink = store.create("mine")) {
                  Thread.currentThread().interrupt();
                  assertThatThrownBy(() -> sink.write(bytes("x")))
                      .isInstanceOf(ClosedByInterruptException.class);
                  assertThatThrownBy(() -> store.putIfAbsent("small", bytes("x")))
                      .isInstanceOf(ClosedByInterruptException.class);
                  assertThat(Thread.currentThread().isInterrupted()).isTrue();
                } catch (IOException | AssertionError e) {
                  unexpected.add(e);
                }
              });
      interrupted.start();
      interrupted.join();
      assertThat(unexpected).isEmpty();
      other.write(bytes("fine"));
      other.complete();
      assertThat(keys(store)).containsExactly("k", "other");
      assertThat(tree()).noneMatch(Temporary::isTemporary);
    }
  }

  @Test
  void foreignNamesAreNoObjects() throws IOException {
    for (String name : List.of("a b", ".hidden", "ä", "x~", "lost+found")) {
      Files.writeString(base.resolve(name), "mine");
    }
    Files.createDirectories(base.resolve(".git/objects"));
    Files.writeString(base.resolve(".git/objects/1"), "mine");
    try (PosixStore store = PosixStore.in(base)) {
      store.putIfAbsent("a", bytes("x"));
      assertThat(keys(store)).containsExactly("a");
    }
  }

  @Test
  void tenThousandCheckpointsAreListedAndContinuedInTheMiddle() throws IOException {
    Path manifests = Files.createDirectories(base.resolve("runs/r/manifests"));
    Path data = Files.createDirectories(base.resolve("runs/r/data"));
    List<String> ids = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      String id = String.format("000001-%010d-0", i);
      ids.add("runs/r/manifests/" + id + ".json");
      Files.createFile(manifests.resolve(id + ".json"));
      if (i % 100 == 0) {
        Files.createFile(Files.createDirectory(data.resolve(id)).resolve("rank-0.arrow"));
      }
    }
    try (PosixStore store = PosixStore.in(base)) {
      for (int i = 0; i < 3; i++) {
        long start = System.nanoTime();
        assertThat(keys(store)).hasSize(10_100).isSorted();
        System.out.printf(
            "listed 10,100 objects in %d ms%n", (System.nanoTime() - start) / 1_000_000);
      }
      try (Stream<Entry> rest = store.list("runs/r/manifests/", ids.get(9_989))) {
        assertThat(rest.map(Entry::key)).isEqualTo(ids.subList(9_990, 10_000));
      }
    }
  }

  @Test
  void theClockIsTheFileSystems() throws IOException {
    try (PosixStore store = PosixStore.in(base)) {
      Instant now = store.now();
      Path touched = Files.createFile(base.resolve(UUID.randomUUID().toString()));
      Instant there = Files.getLastModifiedTime(touched).toInstant();
      assertThat(Duration.between(now, there).abs()).isLessThan(Duration.ofMinutes(1));
      assertThat(tree()).containsExactly(touched);
    }
  }

  private List<Path> tree() throws IOException {
    try (Stream<Path> paths = Files.walk(base)) {
      return paths.filter(path -> !path.equals(base)).toList();
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
