package dev.ckpt.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.tuple;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Decision;
import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.CheckpointStore.Sink;
import dev.ckpt.testkit.FaultyStore.Call;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FaultyStoreTest {

  private static final Duration LONG = Duration.ofSeconds(30);

  private final CheckpointStore inside = Stores.inMemory();
  private final FaultyStore store = FaultyStore.around(inside);

  @AfterEach
  void close() throws IOException {
    store.close();
    inside.close();
  }

  @Test
  void onlyTheChosenCallFails() throws IOException {
    store.on(Operation.PUT_IF_ABSENT).key("a/*").nth(2).fails();
    put("a/1");
    put("b/1");
    put("a/x/deeper");
    assertThatIOException().isThrownBy(() -> put("a/2"));
    put("a/3");
    assertThat(keys()).containsExactly("a/1", "a/3", "a/x/deeper", "b/1");
  }

  @Test
  void fromACallOnAllFailUntilHealed() throws IOException {
    store.on(Operation.PUT_IF_ABSENT).key("**/m*").from(2).fails("worn out");
    put("a/m1");
    assertThatIOException().isThrownBy(() -> put("a/b/m2")).withMessage("worn out");
    assertThatIOException().isThrownBy(() -> put("a/m3"));
    store.heal();
    put("a/m4");
    assertThat(keys()).containsExactly("a/m1", "a/m4");
  }

  @Test
  void bothAmbiguousAnswersLookAlike() throws IOException {
    store.on(Operation.PUT_IF_ABSENT).nth(1).fails();
    store.on(Operation.PUT_IF_ABSENT).nth(2).failsAfterwards();
    String[] messages = new String[2];
    for (int i = 0; i < 2; i++) {
      int n = i;
      assertThatIOException()
          .isThrownBy(() -> put("k" + n))
          .satisfies(e -> messages[n] = String.valueOf(e.getMessage()));
    }
    assertThat(messages[0]).isEqualTo(messages[1]);
    assertThat(keys()).containsExactly("k1");
  }

  @Test
  void aFullDiskLeavesNothingVisible() throws IOException {
    store.on(Operation.WRITE).from(2).isFull();
    try (Sink sink = store.create("big")) {
      sink.write(bytes("1"));
      assertThatIOException()
          .isThrownBy(() -> sink.write(bytes("2")))
          .withMessageContaining("No space left on device");
    }
    assertThat(keys()).isEmpty();
  }

  @Test
  void aCompletionMayBeDoneAndReportedFailed() throws IOException {
    store.on(Operation.COMPLETE).failsAfterwards();
    try (Sink sink = store.create("big")) {
      sink.write(bytes("all"));
      assertThatIOException().isThrownBy(sink::complete);
    }
    assertThat(keys()).containsExactly("big");
  }

  @Test
  void aHangingCallGoesOnWhenReleasedAndIgnoresInterrupts() throws Exception {
    Gate gate = store.on(Operation.PUT_IF_ABSENT).hangs();
    CompletableFuture<Decision> answer = new CompletableFuture<>();
    CompletableFuture<Boolean> interrupted = new CompletableFuture<>();
    Thread writer =
        new Thread(
            () -> {
              try {
                answer.complete(put("k"));
              } catch (IOException e) {
                answer.completeExceptionally(e);
              }
              interrupted.complete(Thread.currentThread().isInterrupted());
            });
    writer.start();
    gate.awaitArrivals(1, LONG);
    writer.interrupt();
    assertThat(gate.held()).isEqualTo(1);
    assertThat(keys()).isEmpty();
    gate.release();
    assertThat(answer.get()).isEqualTo(Decision.CREATED);
    assertThat(interrupted.get()).isTrue();
    writer.join();
    assertThat(gate.held()).isZero();
    assertThat(put("later")).isEqualTo(Decision.CREATED);
  }

  @Test
  void healingReleasesWhatHangs() throws Exception {
    Gate gate = store.on(Operation.LIST).hangs();
    CompletableFuture<Long> count =
        CompletableFuture.supplyAsync(
            () -> {
              try (Stream<Entry> entries = store.list("", "")) {
                return entries.count();
              } catch (IOException e) {
                throw new AssertionError(e);
              }
            });
    gate.awaitArrivals(1, LONG);
    store.heal();
    assertThat(count.get()).isZero();
  }

  @Test
  void aSlowCallIsDoneAllTheSame() throws IOException {
    store.on(Operation.PUT_IF_ABSENT).takes(Duration.ofMillis(1));
    assertThat(put("k")).isEqualTo(Decision.CREATED);
  }

  @Test
  void afterAStopNothingHappensAnyMore() throws IOException {
    put("before");
    store.on().nth(3).stops();
    Sink sink = store.create("open");
    sink.write(bytes("x"));
    assertThatIOException().isThrownBy(sink::complete).withMessageContaining("stopped at call 4");
    assertThat(store.isStopped()).isTrue();
    assertThatIOException().isThrownBy(() -> put("after"));
    assertThatIOException().isThrownBy(() -> store.delete(List.of("before")));
    assertThatIOException().isThrownBy(() -> store.list("", ""));
    sink.close();
    store.close();
    assertThat(keys()).containsExactly("before");
  }

  @Test
  void aStopAfterwardsHasDoneTheCall() throws IOException {
    store.on(Operation.PUT_IF_ABSENT).nth(1).stopsAfterwards();
    assertThatIOException().isThrownBy(() -> put("done"));
    assertThatIOException().isThrownBy(() -> put("not done"));
    assertThat(keys()).containsExactly("done");
  }

  @Test
  void everyCallIsWrittenDown() throws IOException {
    put("a");
    try (Sink sink = store.create("b")) {
      sink.write(bytes("x"));
    }
    store.delete(List.of("a", "b"));
    assertThat(store.calls())
        .extracting(Call::number, Call::operation, Call::key)
        .containsExactly(
            tuple(1, Operation.PUT_IF_ABSENT, "a"),
            tuple(2, Operation.CREATE, "b"),
            tuple(3, Operation.WRITE, "b"),
            tuple(4, Operation.ABORT, "b"),
            tuple(5, Operation.DELETE, "a"),
            tuple(6, Operation.DELETE, "b"));
    assertThat(store.calls(Operation.WRITE))
        .extracting(Call::thread)
        .containsExactly(Thread.currentThread().getName());
  }

  private Decision put(String key) throws IOException {
    return store.putIfAbsent(key, bytes(key));
  }

  private List<String> keys() throws IOException {
    try (Stream<Entry> entries = inside.list("", "")) {
      return entries.map(Entry::key).toList();
    }
  }

  private static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }
}
