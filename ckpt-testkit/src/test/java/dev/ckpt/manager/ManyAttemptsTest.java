package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Attempt;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Resume;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** A weekend of starts that were killed at once leaves thousands of attempts. */
class ManyAttemptsTest {
  private static final int ATTEMPTS = 300;

  private final MaintainedStore made = new MaintainedStore();

  /** All went on from the second checkpoint; the last ones failed, the newest left a shard. */
  private MaintainedStore aWeekend(int failed) throws IOException {
    made.run("toy", new Resume.Auto(), 1, 2);
    for (int attempt = 2; attempt <= ATTEMPTS; attempt++) {
      made.put(
          KEYS.attempt(attempt),
          new AttemptRecord(
                  attempt, 1, List.of("0123456789abcdef"), "auto", 11, Instant.EPOCH, Map.of())
              .encode());
      made.put(
          KEYS.resume(attempt),
          new ResumeRecord(attempt, Optional.of(parsed(id(1, 2))), List.of()).encode());
      if (attempt > ATTEMPTS - failed) {
        made.put(
            KEYS.end(attempt),
            new EndRecord(
                    attempt,
                    EndRecord.FAILED,
                    Map.of(),
                    Instant.EPOCH,
                    Optional.of("java.lang.IllegalStateException: batch 7"),
                    OptionalLong.of(3))
                .encode());
      }
    }
    made.put(KEYS.shard(parsed(id(ATTEMPTS, 3)), 0, 1, 0, "arrow"), new byte[300]);
    return MaintainedStore.of(made.objects());
  }

  @Test
  void aStartReadsWhatIsRecordedOfAnAttemptOnce() throws IOException {
    MaintainedStore at = aWeekend(2);
    FaultyStore counting = FaultyStore.around(at.store);
    try (CheckpointManager ckpt =
        CheckpointManager.in(counting).run("toy").part("toy", MaintainedStore.fresh()).open()) {
      assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(id(1, 2));
      assertThat(ckpt.attempt()).isEqualTo(ATTEMPTS + 1);
    }
    Map<String, Long> reads =
        counting.calls(FaultyStore.Operation.READ).stream()
            .map(FaultyStore.Call::key)
            .filter(key -> key.startsWith(KEYS.attempts()) || key.startsWith(KEYS.resumes()))
            .collect(Collectors.groupingBy(key -> key, Collectors.counting()));
    assertThat(reads).containsKeys(KEYS.attempt(1), KEYS.resume(1), KEYS.resume(ATTEMPTS));
    assertThat(reads.values()).allMatch(times -> times == 1);
    assertThat(at.objects()).as("swept").doesNotContainKey(at.shard(id(ATTEMPTS, 3)));
  }

  @Test
  void theCrashLoopLimitAndTheLogSeeThemAll() throws IOException {
    MaintainedStore at = aWeekend(3);
    assertThatThrownBy(() -> at.builder("toy", MaintainedStore.fresh()).open())
        .isInstanceOf(CheckpointException.CrashLoop.class)
        .hasMessageContaining((ATTEMPTS - 2) + ", " + (ATTEMPTS - 1) + ", " + ATTEMPTS);
    List<Attempt> log = Checkpoints.read(at.store, "toy").attempts();
    assertThat(log).hasSize(ATTEMPTS);
    assertThat(log.subList(1, ATTEMPTS))
        .allMatch(each -> each.from().equals(Optional.of(id(1, 2))));
    assertThat(log.subList(1, ATTEMPTS - 3)).allMatch(each -> each.end() == Attempt.End.KILLED);
    assertThat(log.subList(ATTEMPTS - 3, ATTEMPTS))
        .allMatch(each -> each.end() == Attempt.End.FAILED);
  }

  @Test
  void amongManyADamagedOneIsSaid() throws IOException {
    MaintainedStore at = aWeekend(0);
    at.flip(KEYS.resume(ATTEMPTS), 200);
    assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
        .isInstanceOf(CheckpointException.Corrupt.class)
        .hasMessageContaining(KEYS.resume(ATTEMPTS));
    at.run("toy", Resume.parse(id(1, 1)), 4);
    assertThat(at.start()).isEqualTo(id(ATTEMPTS + 1, 4));
  }
}
