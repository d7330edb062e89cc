package dev.ckpt.internal.run;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The runs that are open in this JVM: a second open takes over, as a notebook cell run again does.
 * Of two that open at once the later one waits for the other, then takes over from it.
 */
public final class OpenRuns {
  private static final Logger log = LoggerFactory.getLogger(OpenRuns.class);
  private static final Map<String, Holder> OPEN = new ConcurrentHashMap<>();
  private static final Set<String> COMPLETED = ConcurrentHashMap.newKeySet();

  private OpenRuns() {}

  /** Who has a run open; its monitor belongs to the one who is opening it. */
  private static final class Holder {
    final AtomicReference<@Nullable AutoCloseable> manager = new AtomicReference<>();
  }

  /** Opens something. */
  @FunctionalInterface
  public interface Opening<T, E extends Exception> {
    T open() throws E;
  }

  /** Closes whoever has the run open, then opens it and remembers who has it now. */
  public static <T extends AutoCloseable, E extends Exception> T open(
      String run, Opening<T, E> opening) throws E {
    Holder holder = OPEN.computeIfAbsent(run, name -> new Holder());
    synchronized (holder) {
      AutoCloseable before = holder.manager.getAndSet(null);
      if (before != null) {
        close(run, before);
      }
      T manager = opening.open();
      holder.manager.set(manager);
      return manager;
    }
  }

  /** What an old manager still had to report is its own user's, not the one's who opens now. */
  private static void close(String run, AutoCloseable before) {
    try {
      before.close();
    } catch (Exception e) {
      log.warn("'{}' is opened again; closing it reported: {}", run, e.toString());
    }
  }

  /** Remembers that this process has completed it. */
  public static void completed(String run) {
    COMPLETED.add(run);
  }

  /** Whether this process has completed it. */
  public static boolean completedHere(String run) {
    return COMPLETED.contains(run);
  }

  /** Forgets it. */
  public static void closed(String run, AutoCloseable manager) {
    Holder holder = OPEN.get(run);
    if (holder != null) {
      holder.manager.compareAndSet(manager, null);
    }
  }
}
