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

  /** How far back a crash loop is looked for: a run may have had thousands of attempts. */
  private static final int MOST_ENDS = 64;

  /**
   * Takes it; what fails lets go of the lock.
   *
   * @param seed the configured one
   * @param crashLoop how many failures of one kind in a row are too many; 0: no number is
   * @param facts of this process, for the attempt's provenance
   * @throws CheckpointException.Fenced if another process holds it
   * @throws CheckpointException.NotFound if what is to be resumed is not there
   * @throws CheckpointException.CrashLoop if the attempts before this one failed all alike
   * @throws CheckpointException.Corrupt if the run's own records are damaged
   */
  public static TakenRun take(
      CheckpointStore store,
      Keys keys,
      Resume how,
      boolean takeOver,
      OptionalLong seed,
      int crashLoop,
      Map<String, String> facts,
      InstantSource clock)
      throws IOException {
    RunLog log = new RunLog(store, keys);
    Closeable lock = Admission.lock(store, keys, takeOver);
    try {
      Lineage lineage = log.lineage();
      Candidates candidates = Candidates.find(how, lineage, log);
      if (crashLoop > 0 && !(how instanceof Resume.Never)) {
        refuseCrashLoop(log, lineage, candidates, crashLoop);
      }
      Admission admission =
          Admission.take(
              log,
              lineage,
              new Admission.Request(how, candidates.branch(), seed, facts),
              lock,
              clock.instant());
      Optional<EndRecord> end =
          candidates.branch() == 0 ? Optional.empty() : log.completed(lineage, candidates.branch());
      return new TakenRun(log, candidates, admission, end.map(EndRecord::goal));
    } catch (Throwable e) {
      lock.close();
      throw e;
    }
  }

  private static void refuseCrashLoop(RunLog log, Lineage lineage, Candidates candidates, int limit)
      throws IOException {
    Map<Integer, EndRecord> ends = log.ends(Math.max(MOST_ENDS, limit));
    if (ends.isEmpty()) {
      return;
    }
    Optional<CrashLoop> loop =
        CrashLoop.find(lineage, ends, log.decided(), candidates.ids().stream().findFirst());
    if (loop.isPresent() && loop.get().attempts().size() >= limit) {
      throw loop.get().exception(log.keys().run());
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
