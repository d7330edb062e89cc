package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.manifest.AttemptRecord;
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
  private static final Logger log = LoggerFactory.getLogger(Admission.class);
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final int TRIES = 100;
  private static final String CLEANING = "the clean-up of ";
  private static final int MOMENTS = 100;
  private static final long A_MOMENT_MILLIS = 100;

  /** What stands as the request of an attempt that only maintains the run. */
  public static final String MAINTENANCE = "maintenance";

  /**
   * What a process asks for.
   *
   * @param how to resume
   * @param branch the attempt whose branch it goes on with, 0 for a new root
   * @param seed the configured one
   * @param facts of the process, for people
   */
  public record Request(Resume how, int branch, OptionalLong seed, Map<String, String> facts) {}

  /**
   * Takes the lock. Call before looking at the run.
   *
   * @throws CheckpointException.Fenced if another process holds it, naming that
   */
  public static Closeable lock(CheckpointStore store, Keys keys, boolean takeOver)
      throws IOException {
    for (int tries = 0; tries < MOMENTS; tries++) {
      try {
        return store.lock(keys.lock(), holder());
      } catch (CheckpointStore.LockHeldException e) {
        if (!String.valueOf(e.getMessage()).contains(CLEANING)) {
          break;
        }
        // somebody cleans up for a moment: no reason for a start to fail
        pause();
      }
    }
    return lock(
        store,
        keys,
        holder(),
        takeOver,
        "Wait for it, give this program a run name of its own, or set takeOver");
  }

  /** The same for who only cleans up: a start waits for that a little. */
  public static Closeable lockToClean(CheckpointStore store, Keys keys, boolean takeOver)
      throws IOException {
    return lock(
        store,
        keys,
        CLEANING + holder(),
        takeOver,
        "Wait for it, or take the run over (ckpt: --take-over)");
  }

  private static void pause() throws IOException {
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

  private static Closeable lock(
      CheckpointStore store, Keys keys, String holder, boolean takeOver, String waysOut)
      throws IOException {
    try {
      return store.lock(keys.lock(), holder);
    } catch (CheckpointStore.LockHeldException e) {
      if (takeOver) {
        log.warn("taking over run '{}' although {}", keys.run(), e.getMessage());
        return () -> {};
      }
      throw new CheckpointException.Fenced(
          "run '"
              + keys.run()
              + "' in "
              + store.uri()
              + " is in use: "
              + e.getMessage()
              + ". "
              + waysOut
              + " if that process is beyond reach.");
    }
  }

  /**
   * Takes the next attempt.
   *
   * @return empty if somebody else has taken it since {@code lineage} was read: what was found
   *     there to go on from may no longer be the newest
   */
  public static Optional<Admission> take(
      RunLog run, Lineage lineage, Request request, Closeable lock, Instant now)
      throws IOException {
    AttemptRecord attempt =
        record(
            lineage.newest() + 1,
            request.how().text(),
            seed(lineage, request),
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
      if (run.take(record(next, MAINTENANCE, seed, Map.of(), now))) {
        return next;
      }
    }
    throw new IOException(
        "no free attempt number after " + TRIES + " tries: too many starts at once");
  }

  private static AttemptRecord record(
      int number, String request, long seed, Map<String, String> facts, Instant now) {
    return new AttemptRecord(
        number, 1, List.of(nonce()), request, seed, now, Workplace.provenance(facts));
  }

  /** A branch has one seed: the first attempt's. */
  private static long seed(Lineage lineage, Request request) {
    Optional<Long> branch =
        request.branch() == 0 ? Optional.empty() : lineage.seed(request.branch());
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
