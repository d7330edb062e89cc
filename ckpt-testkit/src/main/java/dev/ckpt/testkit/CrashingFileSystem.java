package dev.ckpt.testkit;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A file system in memory that dies at a given call, and then loses what was not forced: the proof
 * of a store in a folder, or of anything that writes files. It has hard links, locks, atomic
 * renames, POSIX permissions, and folders that are forced like files; it has no symbolic links and
 * no memory mapping.
 *
 * <p>Every file has its contents, and those of its last force; every folder its entries, and those
 * of its last force. A test runs the program until it stops, then looks at each disk that a loss of
 * power may leave:
 *
 * <pre>{@code
 * boolean stopped = true;
 * for (int k = 1; stopped; k++) {
 *   CrashingFileSystem disk = CrashingFileSystem.create();
 *   disk.on().nth(k).stops();
 *   try {
 *     write(disk.getPath("/data"));
 *   } catch (IOException e) {
 *     // the process is dead
 *   }
 *   stopped = disk.isStopped();
 *   disk.assertNothingIsOpen();
 *   for (PowerLoss loss : PowerLoss.all(k)) {
 *     read(disk.after(loss).getPath("/data"));  // old or new, never a mix, never nothing
 *   }
 *   read(disk.afterKill().getPath("/data"));
 * }
 * }</pre>
 *
 * <p>Rules also inject what a living process meets: errors, short writes, full disks, calls that
 * hang. A failed force drops what it should have written, for good, as Linux does: a later force
 * succeeds over the hole. Thread-safe.
 *
 * <p>{@link FaultyStore} does the like between a program and any store, {@link CrashingStore} tells
 * what a restarted process finds in a store that dies; neither knows what is forced.
 */
public final class CrashingFileSystem extends UnixLikeFileSystem {

  private static final AtomicInteger MADE = new AtomicInteger();

  /** What a call wants. */
  public enum Operation {
    /** A file that was not there. */
    CREATE(true),
    WRITE(true),
    TRUNCATE(true),
    /** Of a file. */
    FORCE(true),
    FORCE_FOLDER(true),
    LINK(true),
    MOVE(true),
    DELETE(true),
    MAKE_FOLDER(true),
    SET_ATTRIBUTE(true),
    /** A file or a folder that is there. */
    OPEN(false),
    READ(false),
    LIST(false),
    /** Attributes of a file, or whether it is there. */
    LOOK(false),
    LOCK(false);

    private final boolean changes;

    Operation(boolean changes) {
      this.changes = changes;
    }

    /** Whether it changes the medium. */
    public boolean changes() {
      return changes;
    }
  }

  /**
   * A call that was made.
   *
   * @param change its place among the calls that change the medium, from 1; 0 if it changes nothing
   * @param path the file or folder; of a link or a move the new name
   */
  public record Call(int change, Operation operation, String path) {}

  private enum Outcome {
    SHORT,
    FAIL,
    STOP,
    STOP_MIDWAY
  }

  private interface Wait {
    void until() throws IOException;
  }

  private final CrashingProvider provider = new CrashingProvider();
  private final OpenHandles handles = new OpenHandles();
  private final String uri = "ckpt-crash://" + MADE.incrementAndGet();
  private final DiskTree tree;
  private final List<Call> calls = new ArrayList<>();
  private final List<Rule> rules = new ArrayList<>();
  private final List<Gate> gates = new CopyOnWriteArrayList<>();
  private int changes;
  private volatile int stoppedAt;
  private volatile boolean closed;

  private CrashingFileSystem(DiskTree tree) {
    this.tree = tree;
  }

  /** An empty one, that does no harm yet. */
  public static CrashingFileSystem create() {
    return new CrashingFileSystem(new DiskTree());
  }

  // ---- what happened

  /** All calls so far, in their order. */
  public List<Call> calls() {
    synchronized (tree) {
      return List.copyOf(calls);
    }
  }

  /** How many calls have changed the medium, or tried to. */
  public int changes() {
    synchronized (tree) {
      return changes;
    }
  }

  /** Whether a {@link Rule#stops} has struck. */
  public boolean isStopped() {
    return stoppedAt > 0;
  }

  /**
   * Fails if a channel, and with it a lock, or a directory stream is open.
   *
   * @throws AssertionError with the stack traces of their opening
   */
  public void assertNothingIsOpen() {
    handles.assertNone();
  }

  // ---- what is left

  /** The disk after this loss of power: another file system, healthy, all of it forced. */
  public CrashingFileSystem after(PowerLoss loss) {
    synchronized (tree) {
      return new CrashingFileSystem(tree.after(loss));
    }
  }

  /**
   * The disk if only the process died: another file system, healthy, with the same contents. What
   * was not forced is still not forced.
   */
  public CrashingFileSystem afterKill() {
    synchronized (tree) {
      return new CrashingFileSystem(tree.copy());
    }
  }

  /** A hash of all names and contents; to look only once at disks that are equal. */
  public long fingerprint() {
    synchronized (tree) {
      return tree.fingerprint();
    }
  }

  /** Moves the clock of new time stamps on, so that what is there becomes old. */
  public void advanceClock(Duration by) {
    synchronized (tree) {
      tree.ahead = tree.ahead.plus(by);
    }
  }

  /** Copies all files into a folder of another file system; hard links become files. */
  public void copyTo(Path folder) throws IOException {
    Path root = getPath("/");
    try (Stream<Path> all = Files.walk(root)) {
      for (Path from : (Iterable<Path>) all::iterator) {
        Path to = folder.resolve(root.relativize(from).toString());
        if (Files.isDirectory(from)) {
          Files.createDirectories(to);
        } else {
          Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  // ---- rules

  /**
   * Begins a rule for these operations; if none is given, for all that change the medium. Rules
   * that fit a call first wait in the order in which they were made, then the last one decides.
   */
  public Rule on(Operation... operations) {
    return new Rule(
        operations.length > 0
            ? List.of(operations)
            : Arrays.stream(Operation.values()).filter(Operation::changes).toList());
  }

  /** Ends all rules, lets all gates go, and brings a stopped file system back. */
  public void heal() {
    synchronized (tree) {
      rules.clear();
      stoppedAt = 0;
    }
    gates.forEach(Gate::release);
  }

  /** Says which calls are meant, then what happens to them. */
  public final class Rule {

    private final Set<Operation> operations;
    private Pattern path = Pattern.compile(".*");
    private int first = 1;
    private int last = Integer.MAX_VALUE;
    private int fitting;
    private Wait wait = () -> {};
    private Outcome outcome = Outcome.FAIL;
    private boolean decides;
    private String message = "";

    private Rule(Collection<Operation> operations) {
      this.operations = EnumSet.copyOf(operations);
    }

    /** Only paths that fit: {@code *} is anything within a name, {@code **} anything at all. */
    public Rule path(String glob) {
      path = Globs.pattern(glob);
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

    /**
     * {@code Input/output error}. Of a write the first half is done; a force drops what it should
     * have written; all else is not done.
     */
    public void fails() {
      decide(Outcome.FAIL, "Input/output error");
    }

    /** {@code No space left on device}; see {@link #fails()}. */
    public void isFull() {
      decide(Outcome.FAIL, "No space left on device");
    }

    /** A write takes only half of the bytes, and says so, as it may. All else is done. */
    public void isShort() {
      decide(Outcome.SHORT, "");
    }

    /** The call is done, this much later. */
    public void takes(Duration time) {
      add(() -> pause(time));
    }

    /** The call is done when the gate is released. */
    public Gate hangs() {
      Gate gate = new Gate();
      gates.add(gate);
      add(gate::pass);
      return gate;
    }

    /**
     * The process dies before this call: it and all later ones throw. Only {@code close()} of what
     * is open still works, so that a test in the same JVM can end the dead process's threads.
     */
    public void stops() {
      decide(Outcome.STOP, "");
    }

    /** The process dies in the middle of this call: half of a write, or of a force, is done. */
    public void stopsMidway() {
      decide(Outcome.STOP_MIDWAY, "");
    }

    private boolean fits(Operation operation, String file) {
      if (!operations.contains(operation) || !path.matcher(file).matches()) {
        return false;
      }
      fitting++;
      return fitting >= first && fitting <= last;
    }

    private void decide(Outcome what, String text) {
      outcome = what;
      message = text;
      decides = true;
      add(() -> {});
    }

    private void add(Wait what) {
      wait = what;
      synchronized (tree) {
        rules.add(this);
      }
    }
  }

  private static void pause(Duration time) throws IOException {
    try {
      Thread.sleep(time.toMillis());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while slow", e);
    }
  }

  // ---- for provider and channels

  DiskTree tree() {
    return tree;
  }

  OpenHandles handles() {
    return handles;
  }

  String uri() {
    return uri;
  }

  /** Makes a call: counts it, applies the rules, and does it while nobody else is at the tree. */
  <T> T call(Operation operation, Object path, DiskAction<T> action) throws IOException {
    List<Rule> fitting = new ArrayList<>();
    int change;
    synchronized (tree) {
      change = operation.changes() ? ++changes : 0;
      calls.add(new Call(change, operation, path.toString()));
      for (Rule rule : rules) {
        if (rule.fits(operation, path.toString())) {
          fitting.add(rule);
        }
      }
    }
    for (Rule rule : fitting) {
      rule.wait.until();
    }
    fitting.removeIf(rule -> !rule.decides);
    synchronized (tree) {
      if (isStopped()) {
        throw stopped();
      }
      if (closed) {
        throw new IOException("the crashing file system is closed");
      }
      if (fitting.isEmpty()) {
        return action.run();
      }
      Rule rule = fitting.get(fitting.size() - 1);
      if (rule.outcome == Outcome.SHORT) {
        return action.shorter();
      }
      if (rule.outcome == Outcome.FAIL) {
        action.fail();
        throw new IOException(path + ": " + rule.message + ", injected by the test");
      }
      if (rule.outcome == Outcome.STOP_MIDWAY) {
        action.half();
      }
      stoppedAt = Math.max(1, calls.size());
      throw stopped();
    }
  }

  private IOException stopped() {
    return new IOException("the process stopped at call " + stoppedAt + ", injected by the test");
  }

  // ---- FileSystem

  @Override
  public CrashingProvider provider() {
    return provider;
  }

  @Override
  public void close() {
    closed = true;
    gates.forEach(Gate::release);
  }

  @Override
  public boolean isOpen() {
    return !closed;
  }

  @Override
  public Path getPath(String first, String... more) {
    StringBuilder all = new StringBuilder(first);
    for (String next : more) {
      all.append(all.isEmpty() ? "" : "/").append(next);
    }
    return CrashingPath.parse(this, all.toString());
  }

  @Override
  public String toString() {
    return uri;
  }
}
