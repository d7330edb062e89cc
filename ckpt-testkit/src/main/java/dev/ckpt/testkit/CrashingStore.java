package dev.ckpt.testkit;

import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A store whose process dies at a given call, and then the store as the next process may find it:
 * the proof of a format, an adapter, or anything else that saves through a {@link CheckpointStore}.
 *
 * <pre>{@code
 * boolean stopped = true;
 * for (int k = 1; stopped; k++) {
 *   CrashingStore store = CrashingStore.inMemory();
 *   store.stopsAt(k);
 *   save(store);  // fails from call k on
 *   stopped = store.isStopped();
 *   store.assertNothingIsOpen();
 *   for (CrashingStore.Restart how : store.restarts()) {
 *     restore(store.restarted(how));  // old or new, never a mix, never nothing
 *   }
 * }
 * }</pre>
 *
 * <p>Which of the three: this one for crashes under a program that saves, on the level of the
 * contract, where nothing is torn; {@link FaultyStore} for what a living process meets: ambiguous
 * answers, errors, slow, hanging and full stores, and a store of your own that is to be left as it
 * is; {@link CrashingFileSystem} for a store that keeps files, where what was not forced is lost.
 *
 * <p>Calls that change the store are counted from 1; a batch of deletions is one of them.
 * Thread-safe.
 */
public final class CrashingStore implements CheckpointStore {

  private static final AtomicInteger MADE = new AtomicInteger();

  /**
   * How the next process finds the store.
   *
   * @param done how many steps of the call in flight were carried out: of a batch of deletions any
   *     number, of what creates an object 0 or 1
   * @param backwards whether the steps were carried out from the last one on
   * @param leftOvers whether unfinished sinks left something invisible for {@link #sweep}
   */
  public record Restart(int done, boolean backwards, boolean leftOvers) {}

  /** A change of the medium that can be carried out later, too. */
  private interface Step {
    void on(CheckpointStore medium) throws IOException;
  }

  private interface Body<T> {
    T run() throws IOException;
  }

  private final URI uri = URI.create("crashing:" + MADE.incrementAndGet());
  private final CheckpointStore medium;
  private final OpenHandles handles = new OpenHandles();
  private final Map<String, Instant> modified = new HashMap<>();
  private final Map<String, Instant> leftOvers = new HashMap<>();
  private final Set<CrashingSink> sinks = new LinkedHashSet<>();
  private final List<String> calls = new ArrayList<>();
  private List<Step> inFlight = List.of();
  private Duration ahead = Duration.ZERO;
  private int stopAt = Integer.MAX_VALUE;
  private boolean stopped;

  private CrashingStore(CheckpointStore medium) {
    this.medium = medium;
  }

  /** An empty one. */
  public static CrashingStore inMemory() {
    return new CrashingStore(Stores.inMemory());
  }

  /**
   * One that holds its objects in another store. When it has stopped, that one is left to the test:
   * it holds what was there before the call in flight.
   */
  public static CrashingStore around(CheckpointStore medium) {
    return new CrashingStore(medium);
  }

  // ---- the crash

  /** The process dies before this change: it and all later calls throw. Counts from 1. */
  public synchronized void stopsAt(int change) {
    stopAt = change;
  }

  /** Whether it has died. */
  public synchronized boolean isStopped() {
    return stopped;
  }

  /** The changes so far, one line each. */
  public synchronized List<String> calls() {
    return List.copyOf(calls);
  }

  /** How many calls have changed the store, or tried to. */
  public synchronized int changes() {
    return calls.size();
  }

  /** Moves the store's clock on, so that what is there becomes old. */
  public synchronized void advanceClock(Duration by) {
    ahead = ahead.plus(by);
  }

  /**
   * Fails if a sink, a stream of a listing or a lock is open.
   *
   * @throws AssertionError with the stack traces of their opening
   */
  public void assertNothingIsOpen() {
    handles.assertNone();
  }

  // ---- afterwards

  /** All ways in which the next process may find the store. */
  public synchronized List<Restart> restarts() {
    List<Restart> all = new ArrayList<>();
    boolean left = !sinks.isEmpty() || !leftOvers.isEmpty();
    for (boolean kept : left ? new boolean[] {false, true} : new boolean[] {false}) {
      for (int done = 0; done <= inFlight.size(); done++) {
        all.add(new Restart(done, false, kept));
        if (done > 0 && done < inFlight.size()) {
          all.add(new Restart(done, true, kept));
        }
      }
    }
    return List.copyOf(all);
  }

  /** The store as the next process finds it: a copy in memory, healthy, without locks. */
  public synchronized CrashingStore restarted(Restart how) throws IOException {
    CrashingStore copy = new CrashingStore(Stores.inMemory());
    copy.ahead = ahead;
    try (Stream<Entry> entries = medium.list("", "")) {
      for (Entry entry : (Iterable<Entry>) entries::iterator) {
        put(copy.medium, entry.key(), bytes(entry));
        copy.modified.put(entry.key(), modified(entry));
      }
    }
    int first = how.backwards() ? inFlight.size() - how.done() : 0;
    for (Step step : inFlight.subList(first, first + how.done())) {
      step.on(copy.medium);
    }
    if (how.leftOvers()) {
      copy.leftOvers.putAll(leftOvers);
      sinks.forEach(sink -> copy.leftOvers.put(sink.key + " " + sink, sink.begun));
    }
    return copy;
  }

  private byte[] bytes(Entry entry) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(entry.length()));
    while (bytes.hasRemaining() && medium.read(entry.key(), bytes.position(), bytes) > 0) {
      // until it is full
    }
    return bytes.array();
  }

  private static void put(CheckpointStore medium, String key, byte[] bytes) throws IOException {
    try (Sink sink = medium.create(key)) {
      sink.write(ByteBuffer.wrap(bytes));
      sink.complete();
    } catch (java.nio.file.FileAlreadyExistsException e) {
      // the call in flight had found it there
    }
  }

  // ---- calls

  private synchronized <T> T change(String what, List<Step> steps, Body<T> body)
      throws IOException {
    requireRunning();
    calls.add(what);
    if (calls.size() >= stopAt) {
      stopped = true;
      inFlight = List.copyOf(steps);
      requireRunning();
    }
    return body.run();
  }

  private synchronized <T> T look(Body<T> body) throws IOException {
    requireRunning();
    return body.run();
  }

  private void requireRunning() throws IOException {
    if (stopped) {
      throw new IOException(
          "the process stopped at change " + calls.size() + ", injected by the test");
    }
  }

  private Instant modified(Entry entry) {
    return modified.getOrDefault(entry.key(), entry.modified());
  }

  private Instant clock() throws IOException {
    return medium.now().plus(ahead);
  }

  @Override
  public URI uri() {
    return uri;
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    byte[] bytes = new byte[small.remaining()];
    small.duplicate().get(bytes);
    return change(
        "putIfAbsent " + key,
        List.of(store -> store.putIfAbsent(key, ByteBuffer.wrap(bytes))),
        () -> {
          Decision decision = medium.putIfAbsent(key, small);
          if (decision == Decision.CREATED) {
            modified.put(key, clock());
          }
          return decision;
        });
  }

  @Override
  public Sink create(String key) throws IOException {
    return change(
        "create " + key,
        List.of(),
        () -> {
          CrashingSink sink = new CrashingSink(key, medium.create(key), clock());
          sinks.add(sink);
          handles.opened(sink, "sink of " + key);
          return sink;
        });
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    return look(() -> medium.read(key, offset, into));
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    return look(() -> medium.map(key, offset, length));
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    return look(
        () -> {
          Stream<Entry> entries = medium.list(prefix, after);
          Object handle = new Object();
          handles.opened(handle, "listing of '" + prefix + "'");
          return entries
              .map(entry -> new Entry(entry.key(), entry.length(), modifiedNow(entry)))
              .onClose(() -> handles.closed(handle));
        });
  }

  private synchronized Instant modifiedNow(Entry entry) {
    return modified(entry);
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    List<Step> steps = new ArrayList<>();
    keys.forEach(key -> steps.add(store -> store.delete(List.of(key))));
    change(
        "delete " + keys,
        steps,
        () -> {
          medium.delete(keys);
          return keys;
        });
  }

  @Override
  public Optional<Long> usableBytes() throws IOException {
    return look(medium::usableBytes);
  }

  @Override
  public Instant now() throws IOException {
    return look(this::clock);
  }

  @Override
  public int sweep(String prefix, Instant before) throws IOException {
    return change(
        "sweep " + prefix,
        List.of(),
        () -> {
          int here = leftOvers.size();
          leftOvers
              .entrySet()
              .removeIf(
                  each -> each.getKey().startsWith(prefix) && each.getValue().isBefore(before));
          return here - leftOvers.size() + medium.sweep(prefix, before);
        });
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    return look(
        () -> {
          Closeable lock = medium.lock(key, holder);
          handles.opened(lock, "lock " + key);
          return () -> {
            handles.closed(lock);
            lock.close();
          };
        });
  }

  /** Closes the store inside, unless this one is stopped: a dead process closes nothing. */
  @Override
  public synchronized void close() throws IOException {
    List.copyOf(sinks).forEach(CrashingSink::abort);
    if (!stopped) {
      medium.close();
    }
  }

  private final class CrashingSink implements Sink {

    private final String key;
    private final Sink sink;
    private final Instant begun;
    private final ByteArrayOutputStream written = new ByteArrayOutputStream();
    private final WritableByteChannel copy = Channels.newChannel(written);

    CrashingSink(String key, Sink sink, Instant begun) {
      this.key = key;
      this.sink = sink;
      this.begun = begun;
    }

    @Override
    public void write(ByteBuffer... sources) throws IOException {
      change(
          "write " + key,
          List.of(),
          () -> {
            for (ByteBuffer source : sources) {
              copy.write(source.duplicate());
            }
            sink.write(sources);
            return key;
          });
    }

    @Override
    public void complete() throws IOException {
      change(
          "complete " + key,
          List.of(store -> put(store, key, written.toByteArray())),
          () -> {
            sink.complete();
            modified.put(key, clock());
            sinks.remove(this);
            handles.closed(this);
            return key;
          });
    }

    @Override
    public void abort() {
      handles.closed(this);
      try {
        if (isUnfinished()) {
          change(
              "abort " + key,
              List.of(),
              () -> {
                sink.abort();
                sinks.remove(this);
                return key;
              });
        }
      } catch (IOException e) {
        // the process is dead: what the sink wrote stays
      }
    }

    private boolean isUnfinished() {
      synchronized (CrashingStore.this) {
        return sinks.contains(this);
      }
    }

    @Override
    public void close() {
      abort();
    }

    @Override
    public String toString() {
      return "sink " + System.identityHashCode(this);
    }
  }
}
