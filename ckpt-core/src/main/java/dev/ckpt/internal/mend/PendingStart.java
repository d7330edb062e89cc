package dev.ckpt.internal.mend;

import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.commit.Workplace;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * An attempt that took the run and has not said yet what it goes on from: that may be anything.
 *
 * <p>To verify takes as long as it takes, so neither a short age nor an attempt that fences it ends
 * a start: what it has chosen may be written down behind both. What does is the head, once it is
 * newer.
 */
final class PendingStart {

  /** Beyond that nobody verifies who has not said a word. */
  private static final Duration LONGEST = Duration.ofDays(1);

  private PendingStart() {}

  /**
   * Looks for one.
   *
   * @param head the newest attempt that said what it went on from
   * @param before what is younger may have any reason to be silent, by the store's clock
   * @return who it is and what to do; empty if there is none
   */
  static Optional<String> find(
      CheckpointStore store, RunLog run, Lineage lineage, int head, Instant before)
      throws IOException {
    Keys keys = run.keys();
    List<Entry> attempts;
    try (Stream<Entry> entries = store.list(keys.attempts(), keys.attempt(head))) {
      attempts = entries.toList();
    }
    for (Entry attempt : attempts) {
      Optional<String> who = who(run, lineage, attempt, before);
      if (who.isPresent()) {
        return Optional.of(
            attempt.key()
                + " has not said yet what it goes on from ("
                + who.get()
                + "); try again when it has, or when the run was started anew; a day without a word"
                + " ends it, too");
      }
    }
    return Optional.empty();
  }

  private static Optional<String> who(RunLog run, Lineage lineage, Entry entry, Instant before)
      throws IOException {
    Optional<Integer> number = run.keys().attemptOf(entry.key());
    if (number.isEmpty() || entry.modified().isBefore(before.minus(LONGEST))) {
      return Optional.empty();
    }
    AttemptRecord taken = lineage.attempts().get(number.get());
    if (taken == null) {
      return Optional.of("it is damaged");
    }
    boolean over =
        entry.modified().isBefore(before)
            && (run.end(number.get()).isPresent()
                || Workplace.presence(taken.provenance(), taken.startedAt())
                    == Workplace.Presence.GONE);
    return over || taken.request().equals(Admission.MAINTENANCE)
        ? Optional.empty()
        : Optional.of(Workplace.named(taken.provenance()));
  }
}
