package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.Closeable;
import java.io.IOException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The right to write a run: the next attempt number, and with one worker the advisory lock.
 *
 * @param attempt the record that was taken
 * @param lock what to close at the end
 */
public record Admission(AttemptRecord attempt, Closeable lock) {
  private static final String FOR_A_START =
      "Wait for it, give this program a run name of its own, or set takeOver";
  private static final String FOR_A_MAINTENANCE =
      "Wait for it, or take the run over (ckpt: --take-over)";
  private static final Logger log = LoggerFactory.getLogger(Admission.class);
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int TRIES = 100;
  private static final String CLEANING = "the clean-up of ";
  private static final int MOST_LOOKS = 20;
  private static final int LOOKS_TO_BELIEVE = 3;
  private static final long A_MOMENT_MILLIS = 100;

  /** What stands as the request of an attempt that only maintains the run. */
  public static final String MAINTENANCE = "maintenance";

  /** What stands as the request of an attempt that only holds a converted checkpoint. */
  public static final String CONVERSION = "convert";

  /**
   * What a process asks for.
   *
   * @param how to resume
   * @param branchSeed the seed of the branch it goes on with; empty if that is a new one
   * @param seed the configured one
   * @param facts of the process, for people
   */
  public record Request(
      Resume how, Optional<Long> branchSeed, OptionalLong seed, Map<String, String> facts) {}

  /**
   * Takes the lock. Call before looking at the run.
   *
   * <p>Who cleans up holds this lock for an instant at a time, to see whether it is free, so a
   * start looks again. One that cannot wait any longer goes on without, and takes the lock when it
   * can: maintenance is no reason for a start to fail.
   *
   * @throws CheckpointException.Fenced if another process holds it, naming that
   */
  public static Closeable lock(CheckpointStore store, Keys keys, boolean takeOver)
      throws IOException {
    int alike = 0;
    for (int looks = 1; ; looks++) {
      try {
        return store.lock(keys.lock(), holder());
      } catch (CheckpointStore.LockHeldException e) {
        boolean cleaning = String.valueOf(e.getMessage()).contains(CLEANING);
        // the name may be that of the holder before, or not be written yet
        alike = cleaning ? 0 : alike + 1;
        if (cleaning ? looks >= MOST_LOOKS : takeOver) {
          log.warn("taking over run '{}' although {}", keys.run(), e.getMessage());
          return LateLock.of(store, keys.lock(), holder());
        }
        if (alike >= LOOKS_TO_BELIEVE || looks >= MOST_LOOKS) {
          throw inUse(store, keys, e, FOR_A_START);
        }
        pause();
      }
    }
  }

  /**
   * Keeps other maintenance out, and no start.
   *
   * @throws CheckpointException.Fenced if another maintenance is under way; not with {@code
   *     takeOver}
   */
  public static Closeable lockToClean(CheckpointStore store, Keys keys, boolean takeOver)
      throws IOException {
    try {
      return store.lock(keys.cleaning(), CLEANING + holder());
    } catch (CheckpointStore.LockHeldException e) {
      if (takeOver) {
        log.warn("taking over run '{}' although {}", keys.run(), e.getMessage());
        return () -> {};
      }
      throw inUse(store, keys, e, FOR_A_MAINTENANCE);
    }
  }

  /**
   * Looks whether a process holds the lock of a run.
   *
   * @throws CheckpointException.Fenced if so, naming it
   */
  public static void requireFree(CheckpointStore store, Keys keys) throws IOException {
    Optional<CheckpointStore.LockHeldException> held = held(store, keys);
    if (held.isPresent()) {
      throw inUse(store, keys, held.get(), FOR_A_MAINTENANCE);
    }
  }

  /** What says that a process holds the lock of a run, and which; empty if none does. */
  public static Optional<CheckpointStore.LockHeldException> held(CheckpointStore store, Keys keys)
      throws IOException {
    try {
      store.lock(keys.lock(), CLEANING + holder()).close();
      return Optional.empty();
    } catch (CheckpointStore.LockHeldException e) {
      return Optional.of(e);
    }
  }

  /** Waits a moment for who cleans up. */
  public static void pause() throws IOException {
    try {
      Thread.sleep(A_MOMENT_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted while waiting for a clean-up to end", e);
    }
  }

  private static String holder() {
    return "process "
        + ProcessHandle.current().pid()
        + " on "
        + Workplace.host()
        + " since "
        + Instant.now();
  }

  private static CheckpointException.Fenced inUse(
      CheckpointStore store, Keys keys, CheckpointStore.LockHeldException held, String waysOut) {
    return new CheckpointException.Fenced(
        "run '"
            + keys.run()
            + "' in "
            + store.uri()
            + " is in use: "
            + held.getMessage()
            + ". "
            + waysOut
            + " if that process is beyond reach.");
  }

  /**
   * Takes the next attempt.
   *
   * @return empty if somebody else has taken it since {@code lineage} was read: what was found
   *     there to go on from may no longer be the newest
   * @throws IllegalStateException if the run has had as many as it can
   */
  public static Optional<Admission> take(
      RunLog run, Lineage lineage, Request request, Closeable lock, Instant now)
      throws IOException {
    AttemptRecord attempt =
        record(
            run.keys().run(),
            lineage.newest() + 1,
            request.how().text(),
            seed(request),
            request.facts(),
            now);
    if (!run.take(attempt)) {
      return Optional.empty();
    }
    if (request.how() instanceof Resume.Never) {
      run.resumed(new ResumeRecord(attempt.attempt(), Optional.empty(), List.of()));
    }
    return Optional.of(new Admission(attempt, lock));
  }

  /**
   * Takes the next attempt for a maintenance: older writers are fenced by it. It never resumes
   * anything, so the live branch stays what it was, and so does the seed of the next start.
   *
   * @return its number
   */
  public static int maintain(RunLog run, Lineage lineage, Instant now) throws IOException {
    long seed =
        Stream.of(lineage.resumes(), lineage.attempts())
            .filter(records -> !records.isEmpty())
            .map(NavigableMap::lastKey)
            .map(lineage::seed)
            .flatMap(Optional::stream)
            .findFirst()
            .orElseGet(RANDOM::nextLong);
    for (int next = lineage.newest() + 1; next <= lineage.newest() + TRIES; next++) {
      if (run.take(record(run.keys().run(), next, MAINTENANCE, seed, Map.of(), now))) {
        return next;
      }
    }
    throw new IOException(
        "no free attempt number after " + TRIES + " tries: too many starts at once");
  }

  /**
   * Takes the next attempt of a run for a converted checkpoint, and begins a branch with it.
   *
   * @param seed the converted checkpoint's
   * @return its number; empty if somebody else has taken it since {@code lineage} was read
   */
  public static OptionalInt convert(
      RunLog run, Lineage lineage, long seed, Map<String, String> facts, Instant now)
      throws IOException {
    int next = lineage.newest() + 1;
    if (!run.take(record(run.keys().run(), next, CONVERSION, seed, facts, now))) {
      return OptionalInt.empty();
    }
    run.resumed(new ResumeRecord(next, Optional.empty(), List.of()));
    return OptionalInt.of(next);
  }

  private static AttemptRecord record(
      String run, int number, String request, long seed, Map<String, String> facts, Instant now) {
    if (number > CheckpointId.MOST_ATTEMPTS) {
      throw new IllegalStateException(
          "run '"
              + run
              + "' has had "
              + CheckpointId.MOST_ATTEMPTS
              + " attempts, the most that a run can have: its checkpoints can be read as ever. To"
              + " train on, give this program a run name of its own");
    }
    return new AttemptRecord(
        number, 1, List.of(nonce()), request, seed, now, Workplace.provenance(facts));
  }

  /** A branch has one seed: the first attempt's. */
  private static long seed(Request request) {
    Optional<Long> branch = request.branchSeed();
    if (branch.isPresent()) {
      if (request.seed().isPresent() && request.seed().getAsLong() != branch.get()) {
        log.warn(
            "seed {} is ignored: this branch was started with seed {} (a fresh start takes it)",
            request.seed().getAsLong(),
            branch.get());
      }
      return branch.get();
    }
    return request.seed().orElseGet(RANDOM::nextLong);
  }

  private static String nonce() {
    byte[] bytes = new byte[8];
    RANDOM.nextBytes(bytes);
    return HexFormat.of().formatHex(bytes);
  }
}
