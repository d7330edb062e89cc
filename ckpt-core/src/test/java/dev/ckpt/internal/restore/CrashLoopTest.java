package dev.ckpt.internal.restore;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.ResumeRecord;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Histories of runs, each told attempt by attempt. */
class CrashLoopTest {
  private static final String NO_DATA = "java.io.IOException: no data";

  private final TreeMap<Integer, AttemptRecord> attempts = new TreeMap<>();
  private final TreeMap<Integer, ResumeRecord> resumes = new TreeMap<>();
  private final TreeMap<Integer, EndRecord> ends = new TreeMap<>();
  private final NavigableSet<CheckpointId> ids = new TreeSet<>();

  /** The next attempt: from a checkpoint (empty: fresh), committing these steps. */
  private int attempt(String from, long... commits) {
    return attempt("auto", from, commits);
  }

  private int attempt(String request, String from, long... commits) {
    int number = attempts.size() + 1;
    attempts.put(
        number, new AttemptRecord(number, 1, List.of(), request, 0, Instant.EPOCH, Map.of()));
    resumes.put(number, new ResumeRecord(number, CheckpointId.parse(from), List.of()));
    for (long step : commits) {
      ids.add(new CheckpointId(number, step, 0));
    }
    return number;
  }

  private void failed(int attempt, long step, String cause) {
    ends.put(
        attempt,
        new EndRecord(
            attempt,
            EndRecord.FAILED,
            Map.of(),
            Instant.EPOCH,
            Optional.of(cause),
            OptionalLong.of(step)));
  }

  private void ended(int attempt, String how) {
    ends.put(attempt, new EndRecord(attempt, how, Map.of(), Instant.EPOCH));
  }

  private Lineage lineage() {
    return new Lineage(attempts, resumes, new TreeMap<>(), attempts.size());
  }

  private Optional<CrashLoop> loop(String... candidates) {
    List<CheckpointId> parsed =
        Stream.of(candidates).flatMap(id -> CheckpointId.parse(id).stream()).toList();
    return CrashLoop.find(lineage(), ends, ids, "auto", parsed);
  }

  /** The next attempt: it fails before it records what it applies. */
  private int fruitless(String request) {
    int number = attempt(request, "");
    resumes.remove(number);
    return number;
  }

  private List<Integer> chain(String... candidates) {
    return loop(candidates).map(CrashLoop::attempts).orElse(List.of());
  }

  @Test
  void theSameFailureAtTheSameStepIsALoop() {
    failed(attempt("", 10, 20), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    CrashLoop loop = loop("000001-000000000020-0").orElseThrow();
    assertThat(loop).isEqualTo(new CrashLoop(25, NO_DATA, List.of(3, 2, 1)));
    assertThat(loop.exception("toy"))
        .hasMessageContaining("failed at step 25 in 3 attempts in a row (1, 2, 3)")
        .hasMessageContaining(NO_DATA)
        .hasMessageContaining("CKPT_CRASH_LOOP=0");
  }

  @Test
  void aLoopBeforeTheFirstCheckpointIsOneToo() {
    failed(attempt(""), 0, NO_DATA);
    failed(attempt(""), 0, NO_DATA);
    assertThat(chain("")).containsExactly(2, 1);
  }

  @Test
  void killsNeitherCountNorBreakTheChain() {
    failed(attempt("", 20), 25, NO_DATA);
    attempt("000001-000000000020-0");
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    attempt("000001-000000000020-0");
    attempts.put(
        5, new AttemptRecord(5, 1, List.of(), "auto", 0, Instant.EPOCH, Map.of())); // never began
    assertThat(chain("000001-000000000020-0")).containsExactly(3, 1);
    ends.clear();
    assertThat(loop("000001-000000000020-0")).as("only kills").isEmpty();
  }

  @Test
  void savesThatFailedNeitherCountNorBreakTheChain() {
    String full = "dev.ckpt.CheckpointException$SaveFailed: was not saved: No space left on device";
    for (int i = 0; i < 3; i++) {
      failed(attempt(""), 2, full);
    }
    assertThat(loop("")).as("a full disk").isEmpty();
    failed(attempt(""), 5, NO_DATA);
    failed(attempt(""), 2, full);
    failed(attempt(""), 5, NO_DATA);
    assertThat(chain("")).containsExactly(6, 4);
  }

  @Test
  void whatThisLibrarySaysItselfIsNoLoopHoweverOften() {
    attempt("", 20);
    for (String kind : List.of("Incompatible", "Corrupt", "NotFound", "CommitUnknown")) {
      for (int i = 0; i < 3; i++) {
        failed(fruitless("auto"), 20, "dev.ckpt.CheckpointException$" + kind + ": it does not fit");
      }
      assertThat(loop("000001-000000000020-0")).as(kind).isEmpty();
    }
  }

  @Test
  void attemptsThatFailedBeforeTheyAppliedAnythingAreALoopToo() {
    attempt("", 10, 20);
    String start = "000001-000000000020-0";
    failed(fruitless("auto"), 20, NO_DATA);
    failed(fruitless(start), 20, NO_DATA);
    failed(fruitless("auto"), 20, NO_DATA);
    failed(attempt(start, start), 20, NO_DATA);
    assertThat(chain(start)).as("asked for the same, or gone on from it").containsExactly(5, 4, 2);
    assertThat(chain("000001-000000000010-0")).as("going back leaves it behind").isEmpty();
    failed(fruitless("auto"), 10, NO_DATA);
    failed(fruitless("auto"), 10, NO_DATA);
    assertThat(chain(start, "000001-000000000010-0"))
        .as("the newest is damaged: the older one was tried")
        .containsExactly(7, 6);
    assertThat(chain("")).as("nothing to go on from").isEmpty();
  }

  @Test
  void checkpointsBelowTheStepAreNoProgress() {
    failed(attempt("", 20), 25, NO_DATA);
    failed(attempt("000001-000000000020-0", 22), 25, NO_DATA);
    failed(attempt("000002-000000000022-0", 25), 25, NO_DATA);
    assertThat(chain("000003-000000000025-0"))
        .as("saved on the exception")
        .containsExactly(3, 2, 1);
  }

  @Test
  void aCheckpointBeyondTheStepEndsTheChain() {
    failed(attempt("", 20), 25, NO_DATA);
    attempt("000001-000000000020-0", 30); // killed, and its checkpoint was damaged
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    assertThat(chain("000001-000000000020-0")).containsExactly(3);
    assertThat(chain("000002-000000000030-0")).as("it went on beyond").isEmpty();
  }

  @Test
  void anotherCauseStepOrEndEndsTheChain() {
    failed(attempt("", 20), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, "java.lang.OutOfMemoryError");
    assertThat(chain("000001-000000000020-0")).containsExactly(2);
    failed(attempt("000001-000000000020-0"), 24, "java.lang.OutOfMemoryError");
    assertThat(chain("000001-000000000020-0")).containsExactly(3);
    for (String how : List.of(EndRecord.STOPPED, EndRecord.CLOSED, EndRecord.COMPLETED)) {
      ended(3, how);
      assertThat(chain("000001-000000000020-0")).as(how).isEmpty();
    }
  }

  @Test
  void causesThatDifferInNumbersOnlyAreTheSame() {
    failed(attempt("", 20), 25, "X: gave up 000001-000000000025-0 in a.B@1f2e after 3.2 s");
    failed(
        attempt("000001-000000000020-0"),
        25,
        "X: gave up 000002-000000000025-0 in a.B@77aa0 after 11 s");
    assertThat(chain("000001-000000000020-0")).hasSize(1);
    ends.clear();
    failed(1, 25, "X: gave up 000001-000000000025-0 in a.B@1f2e after 3 s");
    failed(2, 25, "X: gave up 000002-000000000025-0 in a.B@77aa0 after 11 s");
    assertThat(chain("000001-000000000020-0")).hasSize(2);
  }

  @Test
  void goingBackToAnOlderCheckpointLeavesTheLoopBehind() {
    failed(attempt("", 10, 20), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    String back = "000001-000000000010-0";
    assertThat(chain(back)).as("only the one that made it").containsExactly(1);
    failed(attempt(back, back), 25, NO_DATA);
    failed(attempt(back, back), 25, NO_DATA);
    assertThat(chain(back)).as("asked again, it fails again").containsExactly(5, 4, 1);
  }

  @Test
  void aFreshStartLeavesTheLoopBehind() {
    failed(attempt(""), 5, NO_DATA);
    failed(attempt(""), 5, NO_DATA);
    attempt("never", "");
    assertThat(chain("")).as("killed before it told").isEmpty();
    failed(attempt(""), 5, NO_DATA);
    failed(attempt("", 3), 5, NO_DATA);
    assertThat(chain("000005-000000000003-0")).containsExactly(5, 4);
  }

  @Test
  void anotherRootIsAnotherBranch() {
    failed(attempt("", 3), 5, NO_DATA);
    failed(attempt("never", "", 3), 5, NO_DATA);
    assertThat(chain("000001-000000000003-0")).containsExactly(1);
    assertThat(chain("000002-000000000003-0")).containsExactly(2);
  }

  @Test
  void aDamagedRecordOfAResumeHidesItsAttemptOnly() {
    failed(attempt("", 20), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    failed(attempt("000001-000000000020-0"), 25, NO_DATA);
    resumes.remove(2);
    assertThat(chain("000001-000000000020-0")).containsExactly(3, 1);
  }

  @Test
  void aFailureThatDoesNotTellItsStepIsNoPartOfALoop() {
    attempt("");
    ends.put(
        1,
        new EndRecord(
            1,
            EndRecord.FAILED,
            Map.of(),
            Instant.EPOCH,
            Optional.of(NO_DATA),
            OptionalLong.empty()));
    assertThat(loop("")).isEmpty();
  }
}
