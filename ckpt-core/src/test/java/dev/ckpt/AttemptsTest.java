package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Attempt.End;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** What a look says of each attempt: how it ended, and what was lost. */
class AttemptsTest {
  private static final String A10 = "000001-000000000010-0";
  private static final String A20 = "000001-000000000020-0";
  private static final String B30 = "000002-000000000030-0";
  private static final String B50 = "000002-000000000050-0";
  private static final String C40 = "000003-000000000040-0";

  private final RunFixture run = new RunFixture();

  @Test
  void theAttemptsOfTheGoldenRunAreTold() throws IOException {
    try (CheckpointStore store = Stores.local(GoldenRuns.FOLDER)) {
      Checkpoints golden = Checkpoints.read(store, GoldenRuns.RUN);
      assertThat(golden.attempts())
          .extracting(
              each ->
                  each.number()
                      + " "
                      + each.request()
                      + " "
                      + each.from().orElse("-")
                      + " "
                      + each.to().orElse("-")
                      + " "
                      + each.committed()
                      + " "
                      + each.live())
          .containsExactly(
              "1 auto - 000001-000000000030-0 4 true",
              "2 auto 000001-000000000030-0 000002-000000000040-0 1 false",
              "3 000001-000000000020-1 000001-000000000020-1 000003-000000000045-0 2 true",
              "4 auto - - 0 false");
      assertThat(golden.attempts())
          .extracting(Attempt::end)
          .startsWith(End.CLOSED, End.KILLED, End.COMPLETED);
      assertThat(golden.attempts())
          .extracting(Attempt::lostSteps)
          .as("30 to 20; all of attempt 2; 45 holds NaN, so that 35 is gone on from; none")
          .containsExactly(
              OptionalLong.of(10), OptionalLong.of(10), OptionalLong.of(10), OptionalLong.of(0));
      assertThat(golden.attempts().get(2).step()).hasValue(45);
      assertThat(golden.attempts().get(2).cause().orElseThrow()).contains("steps=45");
      assertThat(golden.attempts().get(3).started()).isFalse();
    }
  }

  @Test
  void whatRetentionDeletedIsNotTakenForLostWork() {
    run.taken(1, "auto", 0).resumed(1, "");
    run.taken(2, "auto", 20).resumed(2, A20).committed(B30, 22);
    Attempt first = run.attempt(1);
    assertThat(first.to()).contains(A20);
    assertThat(first.committed()).isZero();
    assertThat(first.lostAtMost()).as("when it was committed, nobody knows any more").isEmpty();
    run.ended(1, "stopped", Map.of(), 19);
    assertThat(run.attempt(1).step()).hasValue(20);
    assertThat(run.attempt(1).lostSteps()).hasValue(0);
  }

  @Test
  void anOlderOneThatIsKeptDoesNotHideWhatTheNextAttemptWentOnFrom() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4);
    run.taken(2, "auto", 20).resumed(2, A20).committed(B30, 22);
    Attempt first = run.attempt(1);
    assertThat(first.to()).contains(A20);
    assertThat(first.lostAtMost()).as("when it was committed, nobody knows any more").isEmpty();
  }

  @Test
  void whatIsDeletedOfALeftBranchIsNotTakenForNothing() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4).committed(A20, 7);
    run.taken(2, "auto", 20).resumed(2, A20);
    run.ended(2, "closed", Map.of(), 30);
    run.taken(3, A10, 60).resumed(3, A10);
    assertThat(run.attempt(2).step()).isEmpty();
    assertThat(run.attempt(2).lostSteps()).isEmpty();
  }

  @Test
  void oneThatLeftNoWordWasKilledIfAnotherTookOver() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4).committed(A20, 7);
    run.taken(2, "auto", 20).resumed(2, A20, "why").committed(B30, 22).committed(B50, 30);
    run.taken(3, B30, 60).resumed(3, B30).committed(C40, 61);
    Attempt first = run.attempt(1);
    assertThat(first.end()).isEqualTo(End.KILLED);
    assertThat(first.cause().orElseThrow()).contains("attempt 2 took over");
    assertThat(first.lostSteps()).as("it went on from its newest: nobody knows").isEmpty();
    assertThat(first.lostAtMost()).contains(Duration.ofMinutes(13));
    assertThat(first.endedAt()).isEmpty();
    assertThat(first.step()).isEmpty();
    Attempt second = run.attempt(2);
    assertThat(second.lostSteps()).as("gone back from 50 to 30").hasValue(20);
    assertThat(second.lostAtMost()).as("since what is kept").contains(Duration.ofMinutes(38));
    assertThat(second.committed()).isEqualTo(2);
    assertThat(second.skipped()).containsExactly("why");
    Attempt third = run.attempt(3);
    assertThat(third.end()).as("another machine's process").isEqualTo(End.UNKNOWN);
    assertThat(third.cause().orElseThrow()).contains("process 1 on elsewhere");
    assertThat(third.lostAtMost()).as("it may run").isEmpty();
    assertThat(third.live()).isTrue();
  }

  @Test
  void theNewestOneRunsAsLongAsItsProcessDoes() throws Exception {
    try (CheckpointStore store = Stores.inMemory()) {
      Map<String, String> here;
      Instant taken;
      try (CheckpointManager ckpt =
          CheckpointManager.in(store).run("odd").part("p", GoldenState.after(1)).open()) {
        ckpt.resume();
        ckpt.save(Progress.step(1), Map.of()).join();
        Attempt running = Checkpoints.read(store, "odd").attempts().get(0);
        assertThat(running.end()).isEqualTo(End.RUNNING);
        assertThat(running.lostSteps()).isEmpty();
        assertThat(running.lostAtMost()).isEmpty();
        here = running.provenance();
        taken = running.startedAt().orElseThrow();
      }
      assertThat(Checkpoints.read(store, "odd").attempts().get(0).end()).isEqualTo(End.CLOSED);

      run.taken(1, "auto", taken, here).resumed(1, "");
      assertThat(run.attempt(1).end()).isEqualTo(End.RUNNING);

      run.taken(1, "auto", taken.minus(Duration.ofDays(400)), here);
      assertThat(run.attempt(1).end())
          .as("another process has got its number")
          .isEqualTo(End.KILLED);

      Map<String, String> gone = new HashMap<>(here);
      gone.put("pid", Long.toString(endedProcess()));
      run.taken(1, "auto", taken, gone);
      assertThat(run.attempt(1).end()).isEqualTo(End.KILLED);
      assertThat(run.attempt(1).cause().orElseThrow()).contains("is gone");
      assertThat(run.attempt(1).lostAtMost()).isPresent();

      gone.put("host", here.get("host") + "x");
      run.taken(1, "auto", taken, gone);
      assertThat(run.attempt(1).end()).isEqualTo(End.UNKNOWN);

      run.taken(1, "auto", taken, Map.of());
      assertThat(run.attempt(1).end()).as("nothing is known of it").isEqualTo(End.UNKNOWN);
    }
  }

  private static long endedProcess() throws Exception {
    String java = System.getProperty("java.home") + "/bin/java";
    Process process =
        new ProcessBuilder(java, "-version")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor()).isZero();
    return process.pid();
  }

  @Test
  void aWordOfTheEndIsBelievedAlsoWhenAnotherTookOver() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4).ended(1, "stopped", Map.of(), 6);
    run.taken(2, "auto", 20).resumed(2, A10).ended(2, "closed", Map.of(), 25);
    run.taken(3, "auto", 30).resumed(3, A10).committed(C40, 31);
    run.ended(3, "completed", Map.of("steps", 40L), 32);
    assertThat(run.read().attempts())
        .extracting(Attempt::end)
        .containsExactly(End.STOPPED, End.CLOSED, End.COMPLETED);
    assertThat(run.attempt(1).endedAt()).contains(RunFixture.minute(6));
    assertThat(run.attempt(1).lostAtMost()).contains(Duration.ofMinutes(2));
    assertThat(run.attempt(2).lostAtMost()).as("it saved nothing").contains(Duration.ofMinutes(5));
    assertThat(run.attempt(2).live()).as("attempt 3 did not go through it").isFalse();
    assertThat(run.attempt(3).step()).hasValue(40);
    assertThat(run.attempt(3).lostSteps()).as("a goal has its last state").hasValue(0);
  }

  @Test
  void oneThatNeverStartedLostNothing() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4);
    run.taken(2, "auto", 20);
    run.taken(3, "auto", 30).resumed(3, A10);
    Attempt second = run.attempt(2);
    assertThat(second.started()).isFalse();
    assertThat(second.end()).isEqualTo(End.KILLED);
    assertThat(second.lostSteps()).hasValue(0);
    assertThat(second.lostAtMost()).contains(Duration.ZERO);
  }

  @Test
  void allThatOneDidOnABranchThatWasLeftIsLost() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4);
    run.taken(2, "auto", 20).resumed(2, A10).committed(B50, 22);
    run.taken(3, "never", 60).resumed(3, "");
    assertThat(run.attempt(1).lostSteps()).hasValue(10);
    assertThat(run.attempt(2).lostSteps()).hasValue(40);
    assertThat(run.attempt(2).live()).isFalse();
  }

  @Test
  void aDamagedRecordCostsOnlyWhatItSaid() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4).ended(1, "stopped", Map.of(), 6);
    run.taken(2, "auto", 20).resumed(2, A10).committed(B30, 22);
    run.taken(3, "auto", 40).resumed(3, B30).committed(C40, 41);
    run.damaged(run.keys.end(1));
    assertThat(run.attempt(1).end()).isEqualTo(End.UNKNOWN);
    assertThat(run.attempt(1).cause().orElseThrow()).contains(run.keys.end(1));

    run.damaged(run.keys.attempt(2));
    assertThat(run.attempt(2).end()).isEqualTo(End.KILLED);
    assertThat(run.attempt(2).provenance()).isEmpty();
    assertThat(run.attempt(2).lostAtMost())
        .as("from its checkpoint on")
        .contains(Duration.ofMinutes(18));

    run.damaged(run.keys.resume(2));
    assertThat(run.attempt(2).started()).isTrue();
    assertThat(run.attempt(2).from()).isEmpty();
    assertThat(run.attempt(1).lostSteps()).as("nobody can tell who goes on from it").isEmpty();
    assertThat(run.attempt(1).live()).isFalse();
    assertThat(run.attempt(3).live()).isTrue();

    run.damaged(run.keys.manifest(GoldenRuns.id(C40)));
    assertThat(run.attempt(3).to()).isEmpty();
    assertThat(run.attempt(3).committed()).isZero();
    assertThat(run.read().verifyRecords().problems())
        .hasSize(4)
        .anyMatch(each -> each.startsWith(run.keys.end(1)))
        .anyMatch(each -> each.startsWith(run.keys.attempt(2)))
        .anyMatch(each -> each.startsWith(run.keys.resume(2)))
        .anyMatch(each -> each.startsWith(run.keys.manifest(GoldenRuns.id(C40))));
  }

  @Test
  void abortsCountAsNoCheckpointsAndHideNoAttempt() {
    run.taken(1, "auto", 0).resumed(1, "").committed(A10, 4).aborted(A20).aborted(B30);
    assertThat(run.attempt(1).to()).contains(A10);
    assertThat(run.attempt(1).committed()).isEqualTo(1);
    assertThat(run.attempt(1).end())
        .as("somebody had a second attempt, whose record is gone")
        .isEqualTo(End.KILLED);
    assertThat(run.attempt(2).startedAt()).isEmpty();
    assertThat(run.attempt(2).end()).isEqualTo(End.UNKNOWN);
  }
}
