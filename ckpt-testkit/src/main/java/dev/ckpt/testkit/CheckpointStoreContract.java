package dev.ckpt.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Decision;
import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.CheckpointStore.LockHeldException;
import dev.ckpt.spi.CheckpointStore.Sink;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * What {@link CheckpointStore} promises, one test for each promise. To prove a store, extend this
 * class in the store's own tests:
 *
 * <pre>{@code
 * class MyStoreTest extends CheckpointStoreContract {
 *   @Override
 *   protected CheckpointStore open() {
 *     return new MyStore(anEmptyPlace);
 *   }
 *
 *   @Override
 *   protected CheckpointStore openAgain() {
 *     return new MyStore(theSamePlace);
 *   }
 * }
 * }</pre>
 *
 * <p>A store that is slow to reach may lower {@link #rounds()}.
 */
public abstract class CheckpointStoreContract extends StoreWritingContract {

  /** For subclasses. */
  protected CheckpointStoreContract() {}

  // ---- reading

  @Test
  void rangesAreReadUpToTheEndAndNotBeyond() throws IOException {
    store.putIfAbsent("key", bytes("0123456789"));
    assertThat(range("key", 0, 10)).isEqualTo("0123456789");
    assertThat(range("key", 0, 3)).isEqualTo("012");
    assertThat(range("key", 4, 3)).isEqualTo("456");
    assertThat(range("key", 7, 3)).isEqualTo("789");
    assertThat(range("key", 7, 4)).isEqualTo("789");
    assertThat(range("key", 9, 100)).isEqualTo("9");
    assertThat(range("key", 10, 1)).isEmpty();
    assertThat(range("key", 11, 1)).isEmpty();
    assertThat(range("key", Long.MAX_VALUE - 10, 1)).isEmpty();
    assertThat(range("key", 5, 0)).isEmpty();
    assertThatIllegalArgumentException().isThrownBy(() -> range("key", -1, 1));
  }

  @Test
  void readingFillsFromThePositionAndLeavesTheRest() throws IOException {
    store.putIfAbsent("key", bytes("0123456789"));
    for (ByteBuffer into : List.of(ByteBuffer.allocate(8), ByteBuffer.allocateDirect(8))) {
      for (int i = 0; i < 8; i++) {
        into.put(i, (byte) '-');
      }
      into.position(2).limit(6);
      assertThat(store.read("key", 3, into)).isEqualTo(4);
      assertThat(into.position()).isEqualTo(6);
      assertThat(into.limit()).isEqualTo(6);
      assertThat(UTF_8.decode(into.clear()).toString()).isEqualTo("--3456--");
    }
  }

  @Test
  void aMissingKeyIsSaidToBeMissing() throws IOException {
    store.putIfAbsent("folder/key", bytes("x"));
    for (String key :
        List.of("no", "no/such/key", "folder", "folder/ke", "folder/keys", "folder/key/below")) {
      assertThatThrownBy(() -> store.read(key, 0, ByteBuffer.allocate(1)))
          .as(key)
          .isInstanceOf(NoSuchFileException.class);
    }
  }

  @Test
  void aMappedRangeEqualsTheReadOne() throws IOException {
    byte[] contents = new byte[3_000_000];
    new Random(7).nextBytes(contents);
    try (Sink sink = store.create("key")) {
      sink.write(ByteBuffer.wrap(contents));
      sink.complete();
    }
    for (int[] range : new int[][] {{0, 3_000_000}, {0, 0}, {3_000_000, 0}, {4097, 70_000}}) {
      Optional<ByteBuffer> mapped = store.map("key", range[0], range[1]);
      mapped.ifPresent(
          view -> {
            assertThat(view.isReadOnly()).isTrue();
            assertThat(view).isEqualTo(ByteBuffer.wrap(contents, range[0], range[1]));
          });
    }
    if (store.map("key", 0, 1).isPresent()) {
      assertThatThrownBy(() -> store.map("key", 1, 3_000_000)).isInstanceOf(EOFException.class);
      assertThatThrownBy(() -> store.map("none", 0, 1)).isInstanceOf(NoSuchFileException.class);
    }
  }

  // ---- listing

  @Test
  void keysAreListedInTheOrderOfTheirBytes() throws IOException {
    List<String> sorted =
        List.of(
            "A", "B/x", "a-", "a-b/c", "a.b", "a/b", "a/b.c", "a/b0/d", "a/c", "a0", "a_", "aa",
            "b/00002", "b/00010", "b/1");
    List<String> shuffled = new ArrayList<>(sorted);
    Collections.shuffle(shuffled, new Random(1));
    for (String key : shuffled) {
      store.putIfAbsent(key, bytes(key));
    }
    assertThat(keys("", "")).isEqualTo(sorted);
    for (String after :
        List.of("A", "A0", "a", "a/", "a/b", "a/b/", "a/b0", "a/b0/d", "a0", "zz")) {
      assertThat(keys("", after))
          .as("after " + after)
          .isEqualTo(sorted.stream().filter(k -> k.compareTo(after) > 0).toList());
      assertThat(keys("a/", after))
          .as("a/ after " + after)
          .isEqualTo(
              sorted.stream().filter(k -> k.startsWith("a/") && k.compareTo(after) > 0).toList());
    }
    assertThat(keys("a/b/", "")).isEmpty();
    assertThat(keys("none/such/", "")).isEmpty();
  }

  @Test
  void foldersAreNamedOnceAndSorted() throws IOException {
    for (String key : List.of("a-b/c", "a/b", "a/c/d", "a0/x", "file", "a/c/e/f", "zz/1/2")) {
      store.putIfAbsent(key, bytes(key));
    }
    assertThat(store.folders("")).containsExactly("a", "a-b", "a0", "zz");
    assertThat(store.folders("a/")).containsExactly("c");
    assertThat(store.folders("a/c/")).containsExactly("e");
    assertThat(store.folders("a0/")).isEmpty();
    assertThat(store.folders("none/such/")).isEmpty();
  }

  @Test
  void aListingTellsLengthAndTime() throws IOException {
    Instant before = store.now();
    store.putIfAbsent("small", bytes("12345"));
    try (Sink sink = store.create("big")) {
      sink.write(bytes("1234567"));
      sink.complete();
    }
    Instant after = store.now();
    assertThat(entry("small").length()).isEqualTo(5);
    assertThat(entry("big").length()).isEqualTo(7);
    for (String key : List.of("small", "big")) {
      // the clocks of media tick coarsely; what must not differ is the clock
      assertThat(entry(key).modified())
          .isBetween(before.minus(Duration.ofMinutes(1)), after.plus(Duration.ofMinutes(1)));
    }
  }

  @Test
  void aListingMayBeLeftEarly() throws IOException {
    for (int i = 0; i < 20; i++) {
      store.putIfAbsent("f" + i % 3 + "/k" + i, bytes("x"));
    }
    for (int i = 0; i < 100; i++) {
      try (Stream<Entry> entries = store.list("", "")) {
        assertThat(entries.limit(2).map(Entry::key)).containsExactly("f0/k0", "f0/k12");
      }
    }
  }

  @Test
  void anEmptyStoreListsNothing() throws IOException {
    assertThat(keys("", "")).isEmpty();
    assertThat(keys("", "zzz")).isEmpty();
  }

  @Test
  void aListingSurvivesDeletionsAndShowsWhatStays() throws Exception {
    List<String> stays = new ArrayList<>();
    List<String> goes = new ArrayList<>();
    for (int i = 0; i < 200; i++) {
      String key = "runs/" + i % 10 + "/" + i + "/object";
      store.putIfAbsent(key, bytes("x"));
      (i % 2 == 0 ? stays : goes).add(key);
    }
    atOnce(
        worker -> {
          if (worker == 0) {
            for (String key : goes) {
              store.delete(List.of(key));
            }
          } else {
            for (int i = 0; i < 5; i++) {
              assertThat(keys("", "")).isSorted().containsAll(stays);
            }
          }
          return true;
        });
    assertThat(keys("", "")).containsExactlyInAnyOrderElementsOf(stays);
  }

  // ---- deleting

  @Test
  void deletingIsIdempotent() throws IOException {
    store.putIfAbsent("a/b/c", bytes("x"));
    store.putIfAbsent("a/b/d", bytes("y"));
    store.delete(List.of("a/b/c", "a/b/none", "none/such", "a", "a/b/c", "a/b/d/below"));
    assertThat(keys("", "")).containsExactly("a/b/d");
    store.delete(List.of("a/b/c"));
    store.delete(List.of());
    store.delete(List.of("a/b/d"));
    assertThat(keys("", "")).isEmpty();
  }

  @Test
  void aDeletedKeyIsFreeAgain() throws IOException {
    store.putIfAbsent("a/b", bytes("old"));
    store.delete(List.of("a/b"));
    assertThatThrownBy(() -> text("a/b")).isInstanceOf(NoSuchFileException.class);
    assertThat(store.putIfAbsent("a/b", bytes("new"))).isEqualTo(Decision.CREATED);
    assertThat(text("a/b")).isEqualTo("new");
  }

  @Test
  void deletingBesideAWriterHarmsNoWriter() throws Exception {
    CheckpointStore other = second();
    atOnce(
        worker -> {
          CheckpointStore mine = worker % 2 == 0 ? store : other;
          for (int i = 0; i < rounds(); i++) {
            // the folder empties, and may go, at every turn
            String key = "shared/folder/" + worker;
            assertThat(mine.putIfAbsent(key, bytes("x"))).isEqualTo(Decision.CREATED);
            mine.delete(List.of(key));
          }
          return true;
        });
    assertThat(keys("", "")).isEmpty();
  }

  // ---- sweeping, locking, the rest

  @Test
  void sweepingNeverTouchesAVisibleObject() throws Exception {
    store.putIfAbsent("a/small", bytes("small"));
    try (Sink sink = store.create("a/big")) {
      sink.write(bytes("big"));
      sink.complete();
    }
    CheckpointStore other = second();
    for (CheckpointStore each : List.of(store, other)) {
      for (String prefix : List.of("", "a/", "none/")) {
        each.sweep(prefix, store.now().plus(Duration.ofDays(1)));
      }
    }
    assertThat(keys("", "")).containsExactly("a/big", "a/small");
    assertThat(text("a/small")).isEqualTo("small");
    assertThat(text("a/big")).isEqualTo("big");
  }

  @Test
  void sweepingSparesWhatIsYoung() throws Exception {
    CheckpointStore other = second();
    Instant longAgo = store.now().minus(Duration.ofDays(1));
    try (Sink sink = store.create("a/big")) {
      sink.write(bytes("big"));
      assertThat(other.sweep("", longAgo)).isZero();
      sink.complete();
    }
    assertThat(text("a/big")).isEqualTo("big");
  }

  @Test
  void aLockThatGuardsNamesItsHolder() throws Exception {
    CheckpointStore other = second();
    try (Closeable held = store.lock("runs/r", "pid 42 on host h\nsecond line")) {
      assertThat(held).isNotNull();
      try {
        other.lock("runs/r", "me").close();
      } catch (LockHeldException e) {
        assertThat(e).hasMessageContaining("pid 42 on host h").hasMessageContaining("runs/r");
      }
      other.lock("runs/another", "me").close();
      assertThat(keys("", "")).as("a lock is no object").isEmpty();
      held.close();
    }
    other.lock("runs/r", "me").close();
    store.lock("runs/r", "again").close();
  }

  @Test
  void badKeysAreRefusedEverywhere() {
    String longest = "x".repeat(241);
    for (String key :
        Arrays.asList(
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../b",
            ".a",
            "a/.b",
            "a b",
            "a\\b",
            "a:b",
            "ä",
            "a\0b",
            "a*",
            longest,
            "a/".repeat(450) + "a")) {
      assertThatIllegalArgumentException()
          .as(key)
          .isThrownBy(() -> store.putIfAbsent(key, bytes("x")));
      assertThatIllegalArgumentException().as(key).isThrownBy(() -> store.create(key));
      assertThatIllegalArgumentException()
          .as(key)
          .isThrownBy(() -> store.read(key, 0, ByteBuffer.allocate(1)));
      assertThatIllegalArgumentException().as(key).isThrownBy(() -> store.delete(List.of(key)));
      assertThatIllegalArgumentException().as(key).isThrownBy(() -> store.lock(key, "me"));
    }
    for (String prefix : List.of("/", "a", "../", "a//", "a/./", " /")) {
      assertThatIllegalArgumentException().as(prefix).isThrownBy(() -> store.list(prefix, ""));
    }
  }

  @Test
  void theLongestKeysWork() throws IOException {
    String segment = "x".repeat(240);
    String key = segment + "/" + segment + "/" + segment + "/" + "y".repeat(177);
    store.putIfAbsent(key, bytes("long"));
    assertThat(keys("", "")).containsExactly(key);
    assertThat(text(key)).isEqualTo("long");
  }

  @Test
  void aClosedStoreRefusesWithAnIoError() throws Exception {
    CheckpointStore closed = openAgain();
    opened.add(closed);
    closed.close();
    assertThatIOException().isThrownBy(() -> closed.putIfAbsent("a", bytes("x")));
    assertThatIOException().isThrownBy(() -> closed.create("a"));
    assertThatIOException().isThrownBy(() -> closed.list("", ""));
    assertThatIOException().isThrownBy(() -> closed.read("a", 0, ByteBuffer.allocate(1)));
  }

  @Test
  void theNameOfAStoreIsAUriWithoutCredentials() throws Exception {
    assertThat(store.uri().getScheme()).isNotBlank();
    assertThat(store.uri().getUserInfo()).isNull();
    store.putIfAbsent("a", bytes("x"));
    assertThat(second().uri()).as("the same place, the same name").isEqualTo(store.uri());
  }

  @Test
  void freeSpaceIsNoNegativeNumber() throws IOException {
    assertThat(store.usableBytes().orElse(0L)).isNotNegative();
  }
}
