package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The right to change a run from outside. It keeps other maintenance out, and no start: a start
 * never waits for it, and ends it by taking the run's lock or its next attempt, whichever is seen
 * first.
 *
 * @param cleaning what keeps other maintenance out
 * @param newest the newest attempt when it was taken: the maintenance's own, if it took one
 * @param fencing whether it took one, which fences older writers, so that their lock says nothing
 */
public record Hold(
    CheckpointStore store, RunLog run, Closeable cleaning, int newest, boolean fencing)
    implements Closeable {

  /**
   * Takes it.
   *
   * @throws CheckpointException.Fenced if the run is in use, or the store's locks guard nothing, so
   *     that nobody can tell; not with {@code takeOver}
   */
  public static Hold take(CheckpointStore store, RunLog run, boolean takeOver) throws IOException {
    Closeable cleaning = Admission.lockToClean(store, run.keys(), takeOver);
    try {
      if (takeOver) {
        int attempt = Admission.maintain(run, run.lineage(), store.now());
        return new Hold(store, run, cleaning, attempt, true);
      }
      requireGuarded(store, run.keys());
      // first the number: who starts after it holds the lock, or is newer
      Hold hold = new Hold(store, run, cleaning, run.newestAttempt(), false);
      Admission.requireFree(store, run.keys());
      return hold;
    } catch (Throwable e) {
      cleaning.close();
      throw e;
    }
  }

  /** Where a second one gets the lock, too, the first one proves nothing. */
  private static void requireGuarded(CheckpointStore store, Keys keys) throws IOException {
    try (Closeable second = store.lock(keys.cleaning(), "a probe")) {
      throw new CheckpointException.Fenced(
          "the locks of "
              + store.uri()
              + " guard nothing ("
              + second
              + "), so run '"
              + keys.run()
              + "' may be in use: stop its processes, or take it over (ckpt: --take-over)");
    } catch (CheckpointStore.LockHeldException e) {
      // as it should be
      return;
    }
  }

  /** Whether the store holds anything of a run. */
  static boolean exists(CheckpointStore store, Keys keys) throws IOException {
    try (Stream<CheckpointStore.Entry> entries = store.list(keys.root(), "")) {
      return entries.findAny().isPresent();
    }
  }

  /**
   * Fails if somebody has taken the run since.
   *
   * @throws CheckpointException.Fenced naming who
   */
  void check() throws IOException {
    Optional<String> newer = run.attemptAfter(newest);
    if (newer.isEmpty() && !fencing) {
      newer = Admission.held(store, run.keys()).map(held -> "a process: " + held.getMessage());
    }
    if (newer.isPresent()) {
      throw stopped(newer.get());
    }
  }

  private CheckpointException.Fenced stopped(String by) {
    return new CheckpointException.Fenced(
        "run '"
            + run.keys().run()
            + "' was taken during this maintenance by "
            + by
            + ". What was planned may no longer be right, so it stops here. Try again when that"
            + " process has ended.");
  }

  /** One thing that a person is told of this run and has to do. */
  static MaintenanceAction leave(Keys keys, String subject, String why) {
    return new MaintenanceAction(MaintenanceAction.Kind.LEAVE, keys.run(), subject, 0, why);
  }

  @Override
  public void close() throws IOException {
    cleaning.close();
  }
}
