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
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
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

  /**
   * What a process asks for.
   *
   * @param how to resume
   * @param branch the attempt whose branch it goes on with, 0 for a new root
   * @param seed the configured one
   */
  public record Request(Resume how, int branch, OptionalLong seed) {}

  /**
   * Takes the lock. Call before looking at the run.
   *
   * @throws CheckpointException.Fenced if another process holds it, naming that
   */
  public static Closeable lock(CheckpointStore store, Keys keys, boolean takeOver)
      throws IOException {
    String holder =
        "process " + ProcessHandle.current().pid() + " on " + host() + " since " + Instant.now();
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
              + ". Wait for it, give this program a run name of its own, or set takeOver if that"
              + " process is beyond reach.");
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
    int next = lineage.newest() + 1;
    AttemptRecord attempt =
        new AttemptRecord(
            next,
            1,
            List.of(nonce()),
            request.how().text(),
            seed(lineage, request),
            now,
            provenance());
    if (!run.take(attempt)) {
      return Optional.empty();
    }
    if (request.how() instanceof Resume.Never) {
      run.resumed(new ResumeRecord(next, Optional.empty(), List.of()));
    }
    return Optional.of(new Admission(attempt, lock));
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

  private static Map<String, String> provenance() {
    Map<String, String> facts = new TreeMap<>();
    facts.put("host", host());
    facts.put("pid", Long.toString(ProcessHandle.current().pid()));
    facts.put("java", System.getProperty("java.version", "?"));
    facts.put("vm", System.getProperty("java.vm.name", "?"));
    facts.put("os", System.getProperty("os.name", "?") + " " + System.getProperty("os.arch", "?"));
    facts.put("cpus", Integer.toString(Runtime.getRuntime().availableProcessors()));
    return facts;
  }

  private static String host() {
    String host = System.getenv("HOSTNAME");
    if (host == null || host.isEmpty()) {
      host = System.getenv("COMPUTERNAME");
    }
    return host == null || host.isEmpty() ? "localhost" : host;
  }
}
