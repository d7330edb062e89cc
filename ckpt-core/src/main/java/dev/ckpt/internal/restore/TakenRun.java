package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.spi.CheckpointResolver;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * A run that this process may write: its lock is held, its next attempt taken, and what it can go
 * on from is known.
 *
 * @param candidates what to resume from
 * @param admission attempt and lock
 * @param completed how the branch to go on with had reached its goal, if it had
 */
public record TakenRun(
    RunLog log, Candidates candidates, Admission admission, Optional<RunLog.Completion> completed) {
  private static final int TRIES = 100;

  /** How far back a crash loop is looked for: a run may have had thousands of attempts. */
  private static final int MOST_ENDS = 64;

  /**
   * What a process asks for.
   *
   * @param takeOver whether to take the run from another process that holds it
   * @param seed the configured one
   * @param crashLoop how many failures of one kind in a row are too many; 0: no number is
   * @param resolvers of references, besides those on the class path
   * @param facts of this process, for the attempt's provenance
   */
  public record Start(
      Resume how,
      boolean takeOver,
      OptionalLong seed,
      int crashLoop,
      List<CheckpointResolver> resolvers,
      Map<String, String> facts) {}

  /**
   * Takes it; what fails lets go of the lock.
   *
   * @throws CheckpointException.Fenced if another process holds it
   * @throws CheckpointException.NotFound if what is to be resumed is not there
   * @throws CheckpointException.CrashLoop if the attempts before this one failed all alike
   * @throws CheckpointException.Corrupt if the run's own records are damaged
   */
  public static TakenRun take(CheckpointStore store, Keys keys, Start start, InstantSource clock)
      throws IOException {
    RunLog log = RunLog.remembering(store, keys);
    Closeable lock = Admission.lock(store, keys, start.takeOver());
    try {
      for (int tries = 0; tries < TRIES; tries++) {
        // anew each time: whoever was quicker may have saved since
        Optional<TakenRun> taken = take(log, log.lineage(), start, lock, clock);
        if (taken.isPresent()) {
          return taken.get();
        }
      }
      throw new IOException(
          "no free attempt number after " + TRIES + " tries: too many starts at once");
    } catch (Throwable e) {
      lock.close();
      throw e;
    }
  }

  /** Takes it, if nobody else does or has done meanwhile. */
  private static Optional<TakenRun> take(
      RunLog log, Lineage lineage, Start start, Closeable lock, InstantSource clock)
      throws IOException {
    Optional<Candidates> candidates = candidates(start, lineage, log);
    if (candidates.isEmpty()) {
      return Optional.empty();
    }
    if (start.crashLoop() > 0 && !(start.how() instanceof Resume.Never)) {
      refuseCrashLoop(log, lineage, candidates.get(), start);
    }
    Admission.Request request =
        new Admission.Request(
            start.how(), branchSeed(candidates.get(), lineage, log), start.seed(), start.facts());
    Optional<Admission> admission = Admission.take(log, lineage, request, lock, clock.instant());
    if (admission.isEmpty()) {
      return Optional.empty();
    }
    // an older attempt was not fenced until now: what it saved meanwhile counts, and if it has
    // begun meanwhile, the branch and its seed may be others
    Lineage since = log.lineage();
    int own = admission.get().attempt().attempt();
    if (!since.resumes().headMap(own, false).equals(lineage.resumes())) {
      return Optional.empty();
    }
    Optional<Candidates> now = candidates(start, since, log);
    if (now.isEmpty()) {
      log.checkNotFenced(own);
      return Optional.empty();
    }
    Candidates newest = now.get();
    if (newest.seed(log).filter(seed -> seed != admission.get().attempt().seed()).isPresent()) {
      return Optional.empty(); // its first commit came just now, and its attempt's record is lost
    }
    Optional<RunLog.Completion> completed =
        newest.branch() == 0
            ? Optional.empty()
            : log.completed(since, newest.branch(), newest.gone().keySet());
    return Optional.of(new TakenRun(log, newest, admission.get(), completed));
  }

  /** Empty if somebody was quicker: half of what was seen may be older than the other half. */
  private static Optional<Candidates> candidates(Start start, Lineage lineage, RunLog log)
      throws IOException {
    try {
      return Optional.of(Candidates.find(start.how(), start.resolvers(), lineage, log));
    } catch (CheckpointException.Corrupt | CheckpointException.NotFound e) {
      Lineage now = log.lineage();
      if (now.newest() == lineage.newest() && now.resumes().equals(lineage.resumes())) {
        throw e;
      }
      return Optional.empty();
    }
  }

  /** What is committed says it; before the first commit only the record of the attempt does. */
  private static Optional<Long> branchSeed(Candidates candidates, Lineage lineage, RunLog log)
      throws IOException {
    Optional<Long> committed = candidates.seed(log);
    return committed.isPresent() || candidates.branch() == 0
        ? committed
        : lineage.seed(candidates.branch());
  }

  private static void refuseCrashLoop(
      RunLog log, Lineage lineage, Candidates candidates, Start start) throws IOException {
    int limit = start.crashLoop();
    Map<Integer, EndRecord> ends = log.ends(Math.max(MOST_ENDS, limit));
    if (ends.isEmpty()) {
      return;
    }
    Optional<CrashLoop> loop =
        CrashLoop.find(lineage, ends, log.decided(), start.how().text(), candidates.ids());
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
