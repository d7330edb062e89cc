package dev.ckpt.mlflow.internal.outbox;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Events that wait to be published, each one file, in the order in which they happened.
 *
 * <p>An event is in the outbox from the rename of its file on, and until the file is deleted; each
 * is durable before the next step. So a crash at any call loses at most the event whose {@link
 * #append} did not return, and what was published but not yet taken out is published again: whoever
 * publishes must stand that. Names end in random digits, so that two processes never overwrite each
 * other's events.
 *
 * <p>Bounded: beyond {@code most} the oldest is dropped, because the newest are those whose
 * checkpoints are still there. The number of all that was ever dropped is on disk, and counted
 * before anything is dropped.
 *
 * <p>Thread-safe.
 */
public final class Outbox {
  private static final Logger log = LoggerFactory.getLogger(Outbox.class);
  private static final Pattern NAME = Pattern.compile("\\d{12}-[0-9a-f]{8}\\.json");

  /** What is younger may be another process's, at work. */
  private static final Duration OLD = Duration.ofMinutes(10);

  private final Path root;
  private final Path waiting;
  private final Path refused;
  private final Path count;
  private final int most;
  private final TreeSet<String> names = new TreeSet<>();
  private long last;
  private long dropped;
  private boolean told;

  /**
   * An event and its place.
   *
   * @param name its file
   */
  public record Entry(String name, Event event) {}

  private Outbox(Path root, int most) {
    this.root = root;
    this.waiting = root.resolve("outbox");
    this.refused = root.resolve("refused");
    this.count = root.resolve("dropped");
    this.most = most;
  }

  /**
   * Opens the outbox of a run.
   *
   * @param root a folder of its own, made if it is not there
   * @param most how many events may wait
   */
  public static Outbox open(Path root, int most, InstantSource clock) throws IOException {
    Outbox outbox = new Outbox(root, most);
    outbox.load(clock.instant().minus(OLD));
    return outbox;
  }

  private synchronized void load(Instant old) throws IOException {
    DurableFiles.createFolders(waiting);
    DurableFiles.createFolders(refused);
    DurableFiles.sweep(waiting, old);
    DurableFiles.sweep(root, old);
    dropped = DurableFiles.read(count).map(Outbox::number).orElse(0L);
    list(waiting).forEach(names::add);
    for (String name : list(refused)) {
      last = Math.max(last, sequence(name));
    }
    if (!names.isEmpty()) {
      last = Math.max(last, sequence(names.last()));
    }
  }

  private static List<String> list(Path folder) throws IOException {
    return DurableFiles.names(folder).stream().filter(n -> NAME.matcher(n).matches()).toList();
  }

  private static long sequence(String name) {
    return Long.parseLong(name.substring(0, 12));
  }

  private static long number(byte[] text) {
    try {
      return Long.parseLong(new String(text, StandardCharsets.UTF_8).strip());
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  /** Puts an event at the end; durable when this returns. Blocks as the disk does. */
  public synchronized void append(Event event) throws IOException {
    String name =
        String.format(
            Locale.ROOT, "%012d-%08x.json", last + 1, ThreadLocalRandom.current().nextInt());
    DurableFiles.write(waiting.resolve(name), EventJson.encode(event));
    last++;
    names.add(name);
    while (names.size() > most) {
      drop();
    }
    notifyAll();
  }

  private void drop() throws IOException {
    if (!told) {
      told = true;
      log.warn(
          "more than {} events wait for MLflow in {}: the oldest are dropped. What is still in the"
              + " store is published all the same; metrics of deleted checkpoints are lost",
          most,
          waiting);
    }
    lost();
    String oldest = names.first();
    DurableFiles.delete(waiting.resolve(oldest));
    names.remove(oldest);
  }

  private void lost() throws IOException {
    dropped++;
    DurableFiles.write(count, Long.toString(dropped).getBytes(StandardCharsets.UTF_8));
  }

  /** The oldest event; empty if none waits. What cannot be read is set aside. */
  public Optional<Entry> head() throws IOException {
    return after("");
  }

  /** The oldest event behind an entry. */
  public synchronized Optional<Entry> after(String name) throws IOException {
    for (String next = names.higher(name); next != null; next = names.higher(next)) {
      Optional<byte[]> bytes = DurableFiles.read(waiting.resolve(next));
      if (bytes.isEmpty()) {
        names.remove(next); // another process has published it
        continue;
      }
      try {
        return Optional.of(new Entry(next, EventJson.decode(next, bytes.get())));
      } catch (EventJson.UnreadableException e) {
        Path aside = refused.resolve(next + ".unreadable");
        log.warn("an event is lost, and lies in {}: {}", aside, e.getMessage());
        lost();
        DurableFiles.move(waiting.resolve(next), aside);
        names.remove(next);
      }
    }
    return Optional.empty();
  }

  /** It is published: it goes, durably, before the next one is begun. */
  public synchronized void done(Entry entry) throws IOException {
    DurableFiles.delete(waiting.resolve(entry.name()));
    names.remove(entry.name());
  }

  /** The server will not have it: it is set aside, until {@link #retryRefused}. */
  public synchronized void refuse(Entry entry) throws IOException {
    refuse(entry.name());
  }

  private void refuse(String name) throws IOException {
    try {
      DurableFiles.move(waiting.resolve(name), refused.resolve(name));
    } catch (NoSuchFileException e) {
      log.debug("{} was dropped or published meanwhile", name);
    }
    names.remove(name);
    List<String> all = list(refused);
    for (String oldest : all.subList(0, Math.max(0, all.size() - most))) {
      lost();
      DurableFiles.delete(refused.resolve(oldest));
    }
  }

  /**
   * Puts back what was set aside, in its old place.
   *
   * @return how many events
   */
  public synchronized int retryRefused() throws IOException {
    int moved = 0;
    for (String name : list(refused)) {
      DurableFiles.move(refused.resolve(name), waiting.resolve(name));
      names.add(name);
      moved++;
    }
    return moved;
  }

  /** Whether an event waits behind an entry. */
  public synchronized boolean hasAfter(String name) {
    return names.higher(name) != null;
  }

  /** How many events wait. */
  public synchronized int size() {
    return names.size();
  }

  /** How many events are set aside. */
  public synchronized int refused() throws IOException {
    return list(refused).size();
  }

  /** How many events were ever dropped, or could not be read. */
  public synchronized long dropped() {
    return dropped;
  }

  /** Waits until an event behind this one is there, or {@link #wake}, at most that long. */
  public synchronized void awaitAfter(String name, long millis) throws InterruptedException {
    if (names.higher(name) == null) {
      wait(millis);
    }
  }

  /** Wakes whoever waits for an event. */
  public synchronized void wake() {
    notifyAll();
  }
}
