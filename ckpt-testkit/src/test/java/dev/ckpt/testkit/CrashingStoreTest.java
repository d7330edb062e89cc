package dev.ckpt.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.CheckpointStore.Sink;
import dev.ckpt.testkit.CrashingStore.Restart;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class CrashingStoreTest {

  private final CrashingStore store = CrashingStore.inMemory();

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }

  private static List<String> keys(CheckpointStore store) throws IOException {
    try (Stream<Entry> entries = store.list("", "")) {
      return entries.map(Entry::key).toList();
    }
  }

  /** The keys that the next process may find. */
  private Set<String> found() throws IOException {
    Set<String> found = new TreeSet<>();
    for (Restart how : store.restarts()) {
      found.add(String.join(" ", keys(store.restarted(how))));
    }
    return found;
  }

  @Test
  void thePutInFlightIsDoneOrNot() throws IOException {
    store.putIfAbsent("a", bytes("1"));
    store.stopsAt(2);
    assertThatThrownBy(() -> store.putIfAbsent("b", bytes("2"))).hasMessageContaining("stopped");
    assertThatThrownBy(() -> keys(store)).hasMessageContaining("stopped");
    assertThat(found()).containsExactly("a", "a b");
  }

  @Test
  void aPutOfAKeyThatIsThereChangesNothing() throws IOException {
    store.putIfAbsent("a", bytes("1"));
    store.stopsAt(2);
    assertThatThrownBy(() -> store.putIfAbsent("a", bytes("2"))).isInstanceOf(IOException.class);
    ByteBuffer read = ByteBuffer.allocate(1);
    store.restarted(new Restart(1, false, false)).read("a", 0, read);
    assertThat(read.array()).isEqualTo("1".getBytes(UTF_8));
  }

  @Test
  void aBatchOfDeletionsStopsAnywhereAndInEachOrder() throws IOException {
    for (String key : List.of("a", "b", "c")) {
      store.putIfAbsent(key, bytes(key));
    }
    store.stopsAt(4);
    assertThatThrownBy(() -> store.delete(List.of("a", "b", "c"))).isInstanceOf(IOException.class);
    assertThat(found()).containsExactly("", "a", "a b", "a b c", "b c", "c");
  }

  @Test
  void aSinkThatCompletesIsVisibleOrNotAndWholeIfItIs() throws IOException {
    Sink sink = store.create("a");
    sink.write(bytes("12"), bytes("34"));
    store.stopsAt(3);
    assertThatThrownBy(sink::complete).isInstanceOf(IOException.class);
    sink.close();
    assertThat(found()).containsExactly("", "a");
    ByteBuffer read = ByteBuffer.allocate(4);
    store.restarted(new Restart(1, false, true)).read("a", 0, read);
    assertThat(read.array()).isEqualTo("1234".getBytes(UTF_8));
  }

  @Test
  void whatUnfinishedSinksLeftIsInvisibleAndSwept() throws IOException {
    Sink sink = store.create("folder/a");
    sink.write(bytes("12"));
    store.stopsAt(3);
    assertThatThrownBy(() -> sink.write(bytes("34"))).isInstanceOf(IOException.class);
    assertThat(store.restarts()).extracting(Restart::leftOvers).contains(true, false);
    CrashingStore next = store.restarted(new Restart(0, false, true));
    assertThat(keys(next)).isEmpty();
    assertThat(next.sweep("other/", next.now())).isZero();
    assertThat(next.sweep("folder/", next.now().minus(Duration.ofHours(1)))).isZero();
    next.advanceClock(Duration.ofHours(2));
    assertThat(next.sweep("folder/", next.now().minus(Duration.ofHours(1)))).isEqualTo(1);
    assertThat(next.sweep("folder/", next.now())).isZero();
  }

  @Test
  void objectsGetOldWithTheClock() throws IOException {
    store.putIfAbsent("a", bytes("1"));
    store.advanceClock(Duration.ofHours(1));
    store.putIfAbsent("b", bytes("1"));
    CrashingStore next = store.restarted(new Restart(0, false, false));
    try (Stream<Entry> entries = next.list("", "")) {
      List<Entry> both = entries.toList();
      assertThat(both.get(0).modified()).isBefore(both.get(1).modified().minusSeconds(1800));
      assertThat(both.get(1).modified()).isBeforeOrEqualTo(next.now());
    }
  }

  @Test
  void whatIsLeftOpenIsReportedWithTheStackTraceOfItsOpening() throws IOException {
    Closeable lock = store.lock("lock", "me");
    Stream<Entry> listing = store.list("", "");
    Sink sink = sinkOpenedHere();
    assertThatThrownBy(store::assertNothingIsOpen)
        .hasMessageContaining("3 handle(s)")
        .hasMessageContaining("lock lock")
        .hasMessageContaining("listing")
        .satisfies(
            leak ->
                assertThat(leak.getSuppressed()[1].getStackTrace())
                    .extracting(StackTraceElement::getMethodName)
                    .contains("sinkOpenedHere"));
    lock.close();
    listing.close();
    sink.complete();
    store.assertNothingIsOpen();
  }

  private Sink sinkOpenedHere() throws IOException {
    return store.create("sink");
  }

  @Test
  void theStoreInsideIsLeftAsItWasBeforeTheCallInFlight() throws IOException {
    CheckpointStore inside = Stores.inMemory();
    CrashingStore around = CrashingStore.around(inside);
    around.putIfAbsent("a", bytes("1"));
    around.stopsAt(2);
    assertThatThrownBy(() -> around.delete(List.of("a"))).isInstanceOf(IOException.class);
    around.close();
    assertThat(keys(inside)).containsExactly("a");
  }
}
