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
 * The right to change a run from outside: its lock, or, where it is taken over, an attempt of its
 * own, which fences older writers. Either way it ends with the next start's attempt: a start may
 * step over the lock.
 *
 * @param newest the newest attempt when it was taken: the maintenance's own, if it took one
 */
public record Hold(RunLog run, Closeable lock, int newest) implements Closeable {

  /**
   * Takes it.
   *
   * @throws CheckpointException.Fenced if the run is in use, or the store's locks guard nothing, so
   *     that nobody can tell; not with {@code takeOver}
   */
  public static Hold take(CheckpointStore store, RunLog run, boolean takeOver) throws IOException {
    Closeable lock = Admission.lockToClean(store, run.keys(), takeOver);
    try {
      if (takeOver) {
        int attempt = Admission.maintain(run, run.lineage(), store.now());
        return new Hold(run, lock, attempt);
      }
      requireGuarded(store, run.keys());
      return new Hold(run, lock, run.newestAttempt());
    } catch (Throwable e) {
      lock.close();
      throw e;
    }
  }

  /** Where a second one gets the lock, too, the first one proves nothing. */
  private static void requireGuarded(CheckpointStore store, Keys keys) throws IOException {
    try (Closeable second = store.lock(keys.lock(), "a probe")) {
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
   * @throws CheckpointException.Fenced naming the attempt
   */
  void check() throws IOException {
    Optional<String> newer = run.attemptAfter(newest);
    if (newer.isPresent()) {
      throw new CheckpointException.Fenced(
          "run '"
              + run.keys().run()
              + "' was taken over by "
              + newer.get()
              + " during this maintenance, which stops here: what it had planned may no longer be"
              + " right. Try again when that process has ended.");
    }
  }

  /** One thing that a person is told of this run and has to do. */
  static MaintenanceAction leave(Keys keys, String subject, String why) {
    return new MaintenanceAction(MaintenanceAction.Kind.LEAVE, keys.run(), subject, 0, why);
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}
