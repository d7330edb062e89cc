package dev.ckpt.internal.run;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The runs that are open in this JVM: a second open takes over, as a notebook cell run again does.
 */
public final class OpenRuns {
  private static final Map<String, AutoCloseable> OPEN = new ConcurrentHashMap<>();

  private static final Set<String> COMPLETED = ConcurrentHashMap.newKeySet();

  private OpenRuns() {}

  /** Closes whoever has it open. */
  public static void takeOver(String run) {
    AutoCloseable before = OPEN.remove(run);
    if (before != null) {
      try {
        before.close();
      } catch (Exception e) {
        throw new IllegalStateException("cannot close the manager that had '" + run + "' open", e);
      }
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

  /** Remembers who has it open. */
  public static void opened(String run, AutoCloseable manager) {
    OPEN.put(run, manager);
  }

  /** Forgets it. */
  public static void closed(String run, AutoCloseable manager) {
    OPEN.remove(run, manager);
  }
}
