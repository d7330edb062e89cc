package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.time.InstantSource;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A run that this process may write: its lock is held, its next attempt taken, and what it can go
 * on from is known.
 *
 * @param candidates what to resume from
 * @param admission attempt and lock
 * @param completed the goal, if the branch to go on with had reached it
 */
public record TakenRun(
    RunLog log, Candidates candidates, Admission admission, Optional<Map<String, Long>> completed) {
  private static final int TRIES = 100;

  /**
   * Takes it; what fails lets go of the lock.
   *
   * @param seed the configured one
   * @throws CheckpointException.Fenced if another process holds it
   * @throws CheckpointException.NotFound if what is to be resumed is not there
   * @throws CheckpointException.Corrupt if the run's own records are damaged
   */
  public static TakenRun take(
      CheckpointStore store,
      Keys keys,
      Resume how,
      boolean takeOver,
      OptionalLong seed,
      InstantSource clock)
      throws IOException {
    RunLog log = new RunLog(store, keys);
    Closeable lock = Admission.lock(store, keys, takeOver);
    try {
      for (int tries = 0; tries < TRIES; tries++) {
        // anew each time: whoever was quicker may have saved since
        Lineage lineage = log.lineage();
        Candidates candidates = Candidates.find(how, lineage, log);
        Admission.Request request = new Admission.Request(how, candidates.branch(), seed);
        Optional<Admission> admission =
            Admission.take(log, lineage, request, lock, clock.instant());
        if (admission.isPresent()) {
          Optional<EndRecord> end =
              candidates.branch() == 0
                  ? Optional.empty()
                  : log.completed(lineage, candidates.branch());
          return new TakenRun(log, candidates, admission.get(), end.map(EndRecord::goal));
        }
      }
      throw new IOException(
          "no free attempt number after " + TRIES + " tries: too many starts at once");
    } catch (Throwable e) {
      lock.close();
      throw e;
    }
  }

  /** Number of the attempt. */
  public int attempt() {
    return admission.attempt().attempt();
  }

  /** The seed of the branch. */
  public long seed() {
    return admission.attempt().seed();
  }

  /** Lets go of the lock. */
  public void release() throws IOException {
    admission.lock().close();
  }
}
