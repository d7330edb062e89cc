package dev.ckpt.testkit;

import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A store that misbehaves by rules, and writes down every call.
 *
 * <pre>{@code
 * FaultyStore store = FaultyStore.around(Stores.inMemory());
 * store.on(Operation.WRITE).key("**.arrow").nth(3).fails();
 * store.on(Operation.PUT_IF_ABSENT).key("**manifests*").failsAfterwards();  // done, but who knows
 * Gate gate = store.on(Operation.COMPLETE).hangs();
 * store.on().nth(17).stops();  // the process dies at call 17
 * }</pre>
 *
 * <p>A rule begins with {@link #on}, is narrowed by {@link Rule#key}, {@link Rule#nth} and {@link
 * Rule#from}, and takes effect with the method that says what happens. Rules that fit a call act in
 * the order in which they were made. {@link #heal()} ends all rules. Calls are counted from 1; to
 * delete n keys is n calls. Thread-safe.
 *
 * <p>For what a dead process leaves behind see {@link CrashingStore}, for what a loss of power does
 * {@link CrashingFileSystem}.
 */
public final class FaultyStore implements CheckpointStore {

  /** What a call wants. */
  public enum Operation {
    PUT_IF_ABSENT,
    CREATE,
    /** {@link CheckpointStore.Sink#write}. */
    WRITE,
    /** {@link CheckpointStore.Sink#complete}. */
    COMPLETE,
    /** {@link CheckpointStore.Sink#abort}, also by way of close; no rule makes it throw. */
    ABORT,
    READ,
    MAP,
    LIST,
    DELETE,
    USABLE_BYTES,
    NOW,
    SWEEP,
    LOCK,
    CLOSE
  }

  /**
   * A call that was made.
   *
   * @param number its place among all calls, from 1
   * @param key the key or prefix; empty where there is none
   * @param thread name of the thread that made it
   */
  public record Call(int number, Operation operation, String key, String thread) {}

  private interface Body<T> {
    T run() throws IOException;
  }

  private interface Effect {
    void apply(Call call) throws IOException;
  }

  private record Active(Rule rule, Effect before, Effect after) {}

  private static final Effect NONE = call -> {};
  private static final String NO_ANSWER = "connection reset, injected by the test";

  private final CheckpointStore store;
  private final List<Call> calls = new ArrayList<>();
  private final List<Active> rules = new ArrayList<>();
  private final List<Gate> gates = new CopyOnWriteArrayList<>();
  private volatile int stoppedAt;

  private FaultyStore(CheckpointStore store) {
    this.store = store;
  }

  /** Wraps a store; does no harm yet. */
  public static FaultyStore around(CheckpointStore store) {
    return new FaultyStore(store);
  }

  /** Begins a rule for these operations; for all, if none is given. */
  public Rule on(Operation... operations) {
    return new Rule(operations.length == 0 ? List.of(Operation.values()) : List.of(operations));
  }

  /** Ends all rules, lets all gates go, and brings a stopped store back. */
  public void heal() {
    synchronized (rules) {
      rules.clear();
    }
    stoppedAt = 0;
    gates.forEach(Gate::release);
  }

  /** All calls so far, in their order. */
  public List<Call> calls() {
    synchronized (calls) {
      return List.copyOf(calls);
    }
  }

  /** The calls of one operation so far. */
  public List<Call> calls(Operation operation) {
    return calls().stream().filter(call -> call.operation() == operation).toList();
  }

  /** Whether a {@link Rule#stops} has struck. */
  public boolean isStopped() {
    return stoppedAt > 0;
  }

  /** Says which calls are meant, then what happens to them. Not thread-safe until then. */
  public final class Rule {

    private final Set<Operation> operations;
    private Pattern key = Pattern.compile(".*");
    private int first = 1;
    private int last = Integer.MAX_VALUE;
    private int fitting;

    private Rule(Collection<Operation> operations) {
      this.operations = EnumSet.copyOf(operations);
    }

    /** Only keys that fit: {@code *} is anything within a segment, {@code **} anything at all. */
    public Rule key(String glob) {
      key = Globs.pattern(glob);
      return this;
    }

    /** Only the n-th call that fits otherwise, from 1. */
    public Rule nth(int n) {
      first = n;
      last = n;
      return this;
    }

    /** Only the n-th call that fits otherwise, and all behind it. */
    public Rule from(int n) {
      first = n;
      last = Integer.MAX_VALUE;
      return this;
    }

    /** The call is not done, and throws an {@link IOException} that does not tell. */
    public void fails() {
      fails(NO_ANSWER);
    }

    /** The call is not done, and throws an {@link IOException} with this message. */
    public void fails(String message) {
      add(
          call -> {
            throw new IOException(message);
          },
          NONE);
    }

    /** The call is done, and throws the same {@link IOException} as {@link #fails()} does. */
    public void failsAfterwards() {
      add(
          NONE,
          call -> {
            throw new IOException(NO_ANSWER);
          });
    }

    /** The call is not done: {@code No space left on device}. */
    public void isFull() {
      fails("No space left on device");
    }

    /** The call is done, this much later. */
    public void takes(Duration time) {
      add(call -> pause(time), NONE);
    }

    /** The call is done when the gate is released. */
    public Gate hangs() {
      Gate gate = new Gate();
      gates.add(gate);
      add(call -> gate.pass(), NONE);
      return gate;
    }

    /**
     * The process dies before this call: it and all later ones throw, what is open stays as it is,
     * and nothing is tidied up. The store inside is left to the test, to open and to close.
     */
    public void stops() {
      add(FaultyStore.this::stop, NONE);
    }

    /** The process dies when this call is done, before it returns. See {@link #stops()}. */
    public void stopsAfterwards() {
      add(NONE, FaultyStore.this::stop);
    }

    private boolean fits(Call call) {
      if (!operations.contains(call.operation()) || !key.matcher(call.key()).matches()) {
        return false;
      }
      fitting++;
      return fitting >= first && fitting <= last;
    }

    private void add(Effect before, Effect after) {
      synchronized (rules) {
        rules.add(new Active(this, before, after));
      }
    }
  }

  private void stop(Call call) throws IOException {
    stoppedAt = call.number();
    throw stopped();
  }

  private IOException stopped() {
    return new IOException("the process stopped at call " + stoppedAt + ", injected by the test");
  }

  private static void pause(Duration time) throws IOException {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while slow", e);
    }
  }

  private <T> T call(Operation operation, String key, Body<T> body) throws IOException {
    Call call;
    List<Active> fitting;
    // one lock for number and rules, so that the n-th call is the n-th for both
    synchronized (rules) {
      synchronized (calls) {
        call = new Call(calls.size() + 1, operation, key, Thread.currentThread().getName());
        calls.add(call);
      }
      fitting = rules.stream().filter(active -> active.rule().fits(call)).toList();
    }
    requireRunning();
    for (Active active : fitting) {
      active.before().apply(call);
    }
    requireRunning();
    T result = body.run();
    for (Active active : fitting) {
      active.after().apply(call);
    }
    return result;
  }

  private void requireRunning() throws IOException {
    if (isStopped()) {
      throw stopped();
    }
  }

  @Override
  public URI uri() {
    return store.uri();
  }

  @Override
  public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
    return call(Operation.PUT_IF_ABSENT, key, () -> store.putIfAbsent(key, small));
  }

  @Override
  public Sink create(String key) throws IOException {
    return call(Operation.CREATE, key, () -> new FaultySink(key, store.create(key)));
  }

  @Override
  public int read(String key, long offset, ByteBuffer into) throws IOException {
    return call(Operation.READ, key, () -> store.read(key, offset, into));
  }

  @Override
  public Optional<ByteBuffer> map(String key, long offset, long length) throws IOException {
    return call(Operation.MAP, key, () -> store.map(key, offset, length));
  }

  @Override
  public Stream<Entry> list(String prefix, String after) throws IOException {
    return call(Operation.LIST, prefix, () -> store.list(prefix, after));
  }

  @Override
  public void delete(Collection<String> keys) throws IOException {
    for (String key : keys) {
      call(
          Operation.DELETE,
          key,
          () -> {
            store.delete(List.of(key));
            return key;
          });
    }
  }

  @Override
  public Optional<Long> usableBytes() throws IOException {
    return call(Operation.USABLE_BYTES, "", store::usableBytes);
  }

  @Override
  public Instant now() throws IOException {
    return call(Operation.NOW, "", store::now);
  }

  @Override
  public int sweep(String prefix, Instant before) throws IOException {
    return call(Operation.SWEEP, prefix, () -> store.sweep(prefix, before));
  }

  @Override
  public Closeable lock(String key, String holder) throws IOException {
    return call(Operation.LOCK, key, () -> store.lock(key, holder));
  }

  /** Closes the store inside, unless this one is stopped: a dead process closes nothing. */
  @Override
  public void close() throws IOException {
    gates.forEach(Gate::release);
    if (!isStopped()) {
      call(
          Operation.CLOSE,
          "",
          () -> {
            store.close();
            return "";
          });
    }
  }

  private final class FaultySink implements Sink {

    private final String key;
    private final Sink sink;

    FaultySink(String key, Sink sink) {
      this.key = key;
      this.sink = sink;
    }

    @Override
    public void write(ByteBuffer... sources) throws IOException {
      call(
          Operation.WRITE,
          key,
          () -> {
            sink.write(sources);
            return key;
          });
    }

    @Override
    public void complete() throws IOException {
      call(
          Operation.COMPLETE,
          key,
          () -> {
            sink.complete();
            return key;
          });
    }

    @Override
    public void abort() {
      try {
        call(
            Operation.ABORT,
            key,
            () -> {
              sink.abort();
              return key;
            });
      } catch (IOException e) {
        // abort reports nothing; stopped, or by a rule, it was just not done
      }
    }

    @Override
    public void close() {
      abort();
    }
  }
}
