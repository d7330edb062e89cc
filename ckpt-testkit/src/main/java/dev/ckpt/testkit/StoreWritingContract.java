package dev.ckpt.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Decision;
import dev.ckpt.spi.CheckpointStore.Sink;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The part of {@link CheckpointStoreContract} about putting objects and writing sinks. */
abstract class StoreWritingContract extends StoreFixture {

  @Test
  void theFirstPutWinsAndNothingIsOverwritten() throws IOException {
    assertThat(store.putIfAbsent("a/b", bytes("first"))).isEqualTo(Decision.CREATED);
    assertThat(store.putIfAbsent("a/b", bytes("second"))).isEqualTo(Decision.EXISTS);
    assertThat(text("a/b")).isEqualTo("first");
  }

  @Test
  void aPutTakesTheRemainingBytesAndLeavesThePosition() throws IOException {
    for (ByteBuffer small : List.of(ByteBuffer.allocate(100), ByteBuffer.allocateDirect(100))) {
      String key = "part/" + small.isDirect();
      small.put(bytes("0123456789")).position(3).limit(7);
      store.putIfAbsent(key, small);
      assertThat(text(key)).isEqualTo("3456");
      assertThat(small.position()).isEqualTo(3);
      assertThat(small.limit()).isEqualTo(7);
      store.putIfAbsent("readonly/" + small.isDirect(), small.asReadOnlyBuffer());
      assertThat(text("readonly/" + small.isDirect())).isEqualTo("3456");
    }
  }

  @Test
  void anEmptyObjectIsAnObject() throws IOException {
    assertThat(store.putIfAbsent("empty", ByteBuffer.allocate(0))).isEqualTo(Decision.CREATED);
    assertThat(store.putIfAbsent("empty", bytes("x"))).isEqualTo(Decision.EXISTS);
    assertThat(text("empty")).isEmpty();
    assertThat(keys("", "")).containsExactly("empty");
  }

  @Test
  void smallMeansUpToTheStatedSize() throws IOException {
    ByteBuffer largest = ByteBuffer.allocate(CheckpointStore.MAX_SMALL_OBJECT);
    store.putIfAbsent("largest", largest);
    assertThat(entry("largest").length()).isEqualTo(CheckpointStore.MAX_SMALL_OBJECT);
    ByteBuffer tooLarge = ByteBuffer.allocate(CheckpointStore.MAX_SMALL_OBJECT + 1);
    assertThatIllegalArgumentException().isThrownBy(() -> store.putIfAbsent("more", tooLarge));
    assertThat(keys("", "")).containsExactly("largest");
  }

  @Test
  void ofManyPutsAtOnceExactlyOneCreates() throws Exception {
    CheckpointStore other = second();
    for (int round = 0; round < rounds(); round++) {
      String key = "races/put-" + round;
      List<Decision> answers =
          atOnce(
              writer -> {
                CheckpointStore mine = writer % 2 == 0 ? store : other;
                Decision answer = mine.putIfAbsent(key, bytes("writer " + writer));
                // whoever has an answer, either one, sees the whole object
                assertThat(text(mine, key)).matches("writer \\d");
                return answer;
              });
      assertThat(answers).as(key).containsOnlyOnce(Decision.CREATED).hasSize(WRITERS);
      assertThat(text(key)).isEqualTo("writer " + answers.indexOf(Decision.CREATED));
    }
  }

  // ---- sinks

  @Test
  void aSinkIsInvisibleUntilComplete() throws Exception {
    CheckpointStore other = second();
    try (Sink sink = store.create("big/one")) {
      sink.write(bytes("hello "), bytes("world"));
      for (CheckpointStore each : List.of(store, other)) {
        assertThat(keys(each, "", "")).isEmpty();
        assertThatThrownBy(() -> text(each, "big/one")).isInstanceOf(NoSuchFileException.class);
      }
      sink.complete();
      assertThat(keys(other, "", "")).containsExactly("big/one");
      assertThat(text(other, "big/one")).isEqualTo("hello world");
    }
    assertThat(text("big/one")).as("after close").isEqualTo("hello world");
  }

  @Test
  void closingASinkThatIsNotCompleteAborts() throws IOException {
    try (Sink sink = store.create("big/one")) {
      sink.write(bytes("lost"));
    }
    assertThat(keys("", "")).isEmpty();
    try (Sink sink = store.create("big/one")) {
      sink.write(bytes("kept"));
      sink.complete();
    }
    assertThat(text("big/one")).isEqualTo("kept");
  }

  @Test
  void abortGivesUpAndMayBeRepeated() throws IOException {
    Sink sink = store.create("big/one");
    sink.write(bytes("lost"));
    sink.abort();
    sink.abort();
    sink.close();
    sink.close();
    assertThat(keys("", "")).isEmpty();
  }

  @Test
  void abortAfterCompleteHarmsNothing() throws IOException {
    Sink sink = store.create("big/one");
    sink.write(bytes("kept"));
    sink.complete();
    sink.abort();
    sink.close();
    assertThat(text("big/one")).isEqualTo("kept");
  }

  @Test
  void aSinkThatHasEndedTakesNothingMore() throws IOException {
    try (Sink complete = store.create("a");
        Sink aborted = store.create("b")) {
      complete.complete();
      aborted.abort();
      for (Sink sink : List.of(complete, aborted)) {
        assertThatThrownBy(() -> sink.write(bytes("x"))).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(sink::complete).isInstanceOf(IllegalStateException.class);
      }
    }
    assertThat(text("a")).isEmpty();
  }

  @Test
  void aSinkOfNoBytesMakesAnEmptyObject() throws IOException {
    try (Sink sink = store.create("nothing")) {
      sink.complete();
    }
    assertThat(entry("nothing").length()).isZero();
    assertThat(text("nothing")).isEmpty();
  }

  @Test
  void completeNeverOverwrites() throws IOException {
    try (Sink sink = store.create("key")) {
      sink.write(bytes("late"));
      store.putIfAbsent("key", bytes("early"));
      assertThatThrownBy(sink::complete).isInstanceOf(FileAlreadyExistsException.class);
    }
    assertThat(text("key")).isEqualTo("early");
    assertThat(keys("", "")).containsExactly("key");
  }

  @Test
  void ofManySinksAtOnceExactlyOneCompletes() throws Exception {
    CheckpointStore other = second();
    for (int round = 0; round < rounds(); round++) {
      String key = "races/sink-" + round;
      List<Boolean> completed =
          atOnce(
              writer -> {
                try (Sink sink = (writer % 2 == 0 ? store : other).create(key)) {
                  sink.write(bytes("writer "), bytes("" + writer));
                  sink.complete();
                  return true;
                } catch (FileAlreadyExistsException e) {
                  return false;
                }
              });
      assertThat(completed).as(key).containsOnlyOnce(true);
      assertThat(text(key)).isEqualTo("writer " + completed.indexOf(true));
    }
    assertThat(keys("", "")).hasSize(rounds());
  }

  @Test
  void aSinkConsumesTheRemainingBytesOfAllBuffersInOrder() throws IOException {
    ByteBuffer heap = ByteBuffer.allocate(10).put(bytes("0123456789")).position(2).limit(5);
    ByteBuffer direct = ByteBuffer.allocateDirect(10).put(bytes("abcdefghij")).position(1).limit(4);
    ByteBuffer none = ByteBuffer.allocate(0);
    ByteBuffer readOnly = bytes("xyz").asReadOnlyBuffer();
    try (Sink sink = store.create("key")) {
      sink.write(heap, none, direct, readOnly);
      sink.write();
      assertThat(heap.position()).isEqualTo(5);
      assertThat(heap.limit()).isEqualTo(5);
      assertThat(direct.position()).isEqualTo(4);
      assertThat(readOnly.hasRemaining()).isFalse();
      // the buffers are the caller's again
      heap.clear().put(bytes("##########"));
      sink.complete();
    }
    assertThat(text("key")).isEqualTo("234bcdxyz");
  }

  @Test
  void manySmallWritesMakeOneObject() throws IOException {
    StringBuilder expected = new StringBuilder();
    try (Sink sink = store.create("many")) {
      for (int i = 0; i < 5000; i++) {
        expected.append(i).append(',');
        sink.write(bytes("" + i), bytes(","));
      }
      sink.complete();
    }
    assertThat(text("many")).isEqualTo(expected.toString());
  }

  @Test
  void oneWriteMayHoldThousandsOfBuffers() throws IOException {
    ByteBuffer[] sources = new ByteBuffer[5000];
    StringBuilder expected = new StringBuilder();
    for (int i = 0; i < sources.length; i++) {
      sources[i] = bytes("<" + i + ">");
      expected.append("<").append(i).append(">");
    }
    try (Sink sink = store.create("many")) {
      sink.write(sources);
      sink.complete();
    }
    assertThat(text("many")).isEqualTo(expected.toString());
  }

  @Test
  void aLargeObjectComesBackBitForBit() throws IOException {
    byte[] contents = new byte[80_000_003];
    new Random(42).nextBytes(contents);
    ByteBuffer source = ByteBuffer.wrap(contents);
    ByteBuffer direct = ByteBuffer.allocateDirect(1 << 20);
    try (Sink sink = store.create("large")) {
      // a heap buffer far over any bound of the medium, then direct ones, then heap again
      sink.write(source.duplicate().limit(20_000_001));
      source.position(20_000_001);
      while (source.remaining() > 10_000_000) {
        direct.clear();
        direct.put(source.slice(source.position(), direct.capacity())).flip();
        source.position(source.position() + direct.remaining());
        sink.write(direct);
      }
      sink.write(source);
      sink.complete();
    }
    assertThat(entry("large").length()).isEqualTo(contents.length);
    for (ByteBuffer into :
        List.of(ByteBuffer.allocate(contents.length), ByteBuffer.allocateDirect(contents.length))) {
      assertThat(store.read("large", 0, into)).isEqualTo(contents.length);
      assertThat(into.flip().mismatch(ByteBuffer.wrap(contents))).isEqualTo(-1);
    }
  }

  @Test
  void sinksAreIndependentOfEachOther() throws IOException {
    try (Sink one = store.create("one");
        Sink two = store.create("two")) {
      one.write(bytes("1"));
      two.write(bytes("2"));
      one.write(bytes("1"));
      two.complete();
      one.complete();
    }
    assertThat(text("one")).isEqualTo("11");
    assertThat(text("two")).isEqualTo("2");
  }

  @Test
  void closingTheStoreAbortsOpenSinksAndMayBeRepeated() throws Exception {
    CheckpointStore second = openAgain();
    opened.add(second);
    Sink sink = second.create("unfinished");
    sink.write(bytes("lost"));
    second.close();
    second.close();
    assertThatThrownBy(sink::complete).isInstanceOf(Exception.class);
    sink.close();
    if (second != store) {
      assertThat(keys("", "")).isEmpty();
    }
  }
}
