package dev.ckpt.testkit;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Opens and closes the stores of a contract test, and reads them in short. */
abstract class StoreFixture {

  static final int WRITERS = 8;

  CheckpointStore store;
  final List<CheckpointStore> opened = new ArrayList<>();

  /** Opens a store that is empty; called once for each test. */
  protected abstract CheckpointStore open() throws Exception;

  /**
   * Opens the place of the last {@link #open()} once more, as a second process would. A store that
   * cannot keeps this default: the same object.
   */
  protected CheckpointStore openAgain() throws Exception {
    return store;
  }

  /** How often each race is run. */
  protected int rounds() {
    return 200;
  }

  @BeforeEach
  final void openStore() throws Exception {
    store = open();
    opened.add(store);
  }

  @AfterEach
  final void closeStores() throws IOException {
    for (CheckpointStore each : opened) {
      each.close();
    }
  }

  final CheckpointStore second() throws Exception {
    CheckpointStore second = openAgain();
    opened.add(second);
    return second;
  }

  /** What one of several threads does. */
  interface Writer<T> {
    T run(int writer) throws Exception;
  }

  static <T> List<T> atOnce(Writer<T> body) throws Exception {
    CyclicBarrier start = new CyclicBarrier(WRITERS);
    ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
    try {
      List<Callable<T>> tasks = new ArrayList<>();
      for (int i = 0; i < WRITERS; i++) {
        int writer = i;
        tasks.add(
            () -> {
              start.await();
              return body.run(writer);
            });
      }
      List<T> results = new ArrayList<>();
      for (Future<T> future : threads.invokeAll(tasks)) {
        results.add(future.get());
      }
      return results;
    } finally {
      threads.shutdownNow();
    }
  }

  static ByteBuffer bytes(String text) {
    return ByteBuffer.wrap(text.getBytes(UTF_8));
  }

  String text(String key) throws IOException {
    return text(store, key);
  }

  static String text(CheckpointStore store, String key) throws IOException {
    ByteBuffer into = ByteBuffer.allocate(1 << 20);
    store.read(key, 0, into);
    return UTF_8.decode(into.flip()).toString();
  }

  String range(String key, long offset, int length) throws IOException {
    ByteBuffer into = ByteBuffer.allocate(length);
    int read = store.read(key, offset, into);
    assertThat(into.position()).isEqualTo(read);
    return UTF_8.decode(into.flip()).toString();
  }

  Entry entry(String key) throws IOException {
    try (Stream<Entry> entries = store.list("", "")) {
      return entries.filter(e -> e.key().equals(key)).findFirst().orElseThrow();
    }
  }

  List<String> keys(String prefix, String after) throws IOException {
    return keys(store, prefix, after);
  }

  static List<String> keys(CheckpointStore store, String prefix, String after) throws IOException {
    try (Stream<Entry> entries = store.list(prefix, after)) {
      return entries.map(Entry::key).toList();
    }
  }
}
