package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Attempt;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.FailurePolicy;
import dev.ckpt.Moment;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.SaveTrigger;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an attempt says of its end, and what the next start makes of it. */
class BadNightTest {
  private static final IllegalStateException NO_DATA = new IllegalStateException("no data");

  private final CheckpointStore whole = Stores.inMemory();
  private final FaultyStore store = FaultyStore.around(whole);

  @AfterEach
  void letGo() {
    store.heal();
  }

  private CheckpointManagerBuilder toy() {
    return CheckpointManager.in(store)
        .run("toy")
        .part("toy", ToyState.random(5, 1, 50))
        .saveWhen(SaveTrigger.everySteps(2))
        .retries(0)
        .deadline(Duration.ofSeconds(30));
  }

  /** A process that trains up to a step, where something is thrown; as a user's loop tells it. */
  private static void fails(CheckpointManagerBuilder builder, long at, Throwable thrown) {
    try (CheckpointManager ckpt = builder.open()) {
      ckpt.resume();
      for (long step = 2; step <= at; step += 2) {
        ckpt.save(Progress.step(step), Map.of()).join();
      }
      ckpt.failed(thrown, Progress.step(at));
    }
  }

  private String record(String key) {
    ByteBuffer bytes = ByteBuffer.allocate(16 << 10);
    try {
      whole.read("runs/toy/" + key, 0, bytes);
    } catch (IOException e) {
      return "";
    }
    return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
  }

  private String end(int attempt) {
    return record("ends/00000" + attempt + ".json");
  }

  @Test
  void whatTheTrainingThrewIsTheAttemptsEnd() {
    fails(toy(), 5, NO_DATA);
    assertThat(end(1))
        .contains("\"how\":\"failed\"")
        .contains("\"cause\":\"java.lang.IllegalStateException: no data\"")
        .contains("\"step\":5");
  }

  @Test
  void anEndThatNobodyToldIsClosedAtTheStepWhereItStood() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      for (long step = 1; step <= 5; step++) {
        ckpt.offer(Moment.Kind.STEP, Progress.step(step), Map::of);
      }
    }
    assertThat(end(1))
        .contains("\"how\":\"closed\"")
        .contains("\"step\":5")
        .doesNotContain("cause");
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
    }
    assertThat(end(2)).as("which may be deleted").contains("closed").contains("\"step\":");
  }

  @Test
  void aFailureThatTheTrainingOutlivedIsForgotten() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      ckpt.offer(Moment.Kind.STEP, Progress.step(1), Map::of);
      ckpt.failed(NO_DATA, Progress.step(1));
      ckpt.failed(new IllegalStateException("and then"), Progress.step(1));
      ckpt.offer(Moment.Kind.STEP, Progress.step(2), Map::of);
    }
    assertThat(end(1)).contains("closed").doesNotContain("no data");
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      ckpt.failed(NO_DATA, Progress.step(2));
      ckpt.failed(new IllegalStateException("and then"), Progress.step(2));
      assertThat(ckpt.complete(Map.of("steps", 2L))).isTrue();
    }
    assertThat(end(2)).contains("completed").doesNotContain("no data").doesNotContain("step\":2,");
  }

  @Test
  void ofWhatIsThrownAtOneStepTheFirstCounts() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      ckpt.failed(NO_DATA, Progress.step(0));
      ckpt.failed(new IllegalStateException("and then"), Progress.step(0));
    }
    assertThat(end(1)).contains("no data").doesNotContain("and then");
  }

  @Test
  void aSaveThatFailedByPolicyIsAFailureThoughNobodyTold() {
    try (CheckpointManager ckpt = toy().onFailure(FailurePolicy.FAIL).open()) {
      ckpt.resume();
      store.on(Operation.CREATE).fails();
      assertThatThrownBy(() -> ckpt.save(Progress.step(2), Map.of()).join())
          .isInstanceOf(CheckpointException.SaveFailed.class);
      assertThatThrownBy(() -> ckpt.offer(Moment.Kind.STEP, Progress.step(3), Map::of))
          .isInstanceOf(CheckpointException.SaveFailed.class);
    }
    assertThat(end(1)).contains("failed").contains("SaveFailed").contains("\"step\":3");
    store.heal();
    CheckpointManager ckpt = toy().onFailure(FailurePolicy.FAIL).open();
    ckpt.resume();
    store.on(Operation.CREATE).fails();
    ckpt.save(Progress.step(2), Map.of());
    assertThatThrownBy(ckpt::close).isInstanceOf(CheckpointException.SaveFailed.class);
    assertThat(end(2)).as("found out at the close").contains("failed").contains("SaveFailed");
  }

  @Test
  void whoWasTakenOverHasNotFailed() {
    CheckpointManager first = toy().open();
    first.resume();
    first.failed(new CheckpointException.Fenced("taken over"), Progress.step(0));
    first.close();
    assertThat(end(1)).contains("closed").doesNotContain("taken over");
  }

  @Test
  void aStoreThatHangsHoldsUpTheEndNoLongerThanTheDeadline() {
    CheckpointManager ckpt = toy().deadline(Duration.ofMillis(300)).open();
    ckpt.resume();
    store.on(Operation.PUT_IF_ABSENT).key("**/ends/**").hangs();
    ckpt.failed(NO_DATA, Progress.step(0));
    long start = System.nanoTime();
    ckpt.close();
    assertThat(Duration.ofNanos(System.nanoTime() - start))
        .as("a bound far above the deadline: it hung for ever otherwise")
        .isLessThan(Duration.ofSeconds(20));
    assertThat(end(1)).isEmpty();
  }

  @Test
  void aGoalThatTheStoreDidNotAnswerForIsSaidAgainAtTheClose() {
    CheckpointManager ckpt = toy().deadline(Duration.ofMillis(300)).open();
    ckpt.resume();
    ckpt.save(Progress.step(2), Map.of()).join();
    store.on(Operation.PUT_IF_ABSENT).key("**/ends/**").hangs();
    assertThat(ckpt.complete(Map.of("steps", 2L))).isFalse();
    store.heal();
    ckpt.close();
    assertThat(end(1)).contains("completed").contains("\"steps\":2");
    try (CheckpointManager next = toy().open()) {
      assertThat(next.completed()).hasValue(Map.of("steps", 2L));
    }
  }

  @Test
  void aGoalThatWasWrittenWithoutAnAnswerIsNotContradicted() {
    CheckpointManager ckpt = toy().retries(0).open();
    ckpt.resume();
    ckpt.save(Progress.step(2), Map.of()).join();
    store.on(Operation.PUT_IF_ABSENT).key("**/ends/**").failsAfterwards();
    store.on(Operation.READ).key("**/ends/**").fails();
    assertThat(ckpt.complete(Map.of("steps", 2L))).isFalse();
    store.heal();
    String written = end(1);
    assertThat(written).contains("completed");
    ckpt.save(Progress.step(4), Map.of()).join();
    ckpt.close();
    assertThat(end(1)).as("the first word stands").isEqualTo(written);
  }

  @Test
  void whoTrainsOnAfterAGoalThatCouldNotBeSaidIsNotCompleted() {
    CheckpointManager ckpt = toy().open();
    ckpt.resume();
    ckpt.save(Progress.step(2), Map.of()).join();
    store.on(Operation.PUT_IF_ABSENT).key("**/ends/**").fails();
    assertThat(ckpt.complete(Map.of("steps", 2L))).isFalse();
    store.heal();
    ckpt.save(Progress.step(4), Map.of()).join();
    ckpt.close();
    assertThat(end(1)).contains("closed").doesNotContain("completed");
  }

  @Test
  void theFourthStartIntoTheSameFailureIsRefused(@TempDir Path folder) throws Exception {
    CheckpointStore local = Stores.local(folder);
    CheckpointManagerBuilder[] loop = new CheckpointManagerBuilder[5];
    for (int i = 0; i < loop.length; i++) {
      loop[i] =
          CheckpointManager.in(local)
              .run("toy")
              .part("toy", ToyState.random(5, 1, 50))
              .saveWhen(SaveTrigger.everySteps(2));
    }
    for (int i = 0; i < 3; i++) {
      fails(loop[i], 5, NO_DATA);
    }
    for (int i = 0; i < 2; i++) {
      assertThatThrownBy(loop[3]::open)
          .isInstanceOf(CheckpointException.CrashLoop.class)
          .hasMessageContaining("run 'toy' failed at step 5 in 3 attempts in a row (1, 2, 3)")
          .hasMessageContaining("java.lang.IllegalStateException: no data")
          .hasMessageContaining("CKPT_CRASH_LOOP=0")
          .hasMessageContaining("resume: never");
    }
    try (CheckpointManager mended = loop[4].crashLoop(0).open()) {
      assertThat(mended.attempt()).as("no attempt, no lock was left behind").isEqualTo(4);
      mended.resume();
      mended.save(Progress.step(6), Map.of()).join();
    }
    try (CheckpointManager after = loop[3].open()) {
      assertThat(after.attempt()).isEqualTo(5);
    }
    local.close();
  }

  @Test
  void aKilledStartAfterTheLastProgressDoesNotHideTheLoop() {
    for (int i = 0; i < 3; i++) {
      fails(toy(), 5, NO_DATA);
      try (CheckpointManager killed = toy().crashLoop(0).open()) {
        assertThat(killed.attempt()).isEqualTo(2 * i + 2); // it never resumes, and leaves no end
      }
    }
    assertThatThrownBy(() -> toy().open()).isInstanceOf(CheckpointException.CrashLoop.class);
  }

  @Test
  void theWaysOutAreAFreshStartAndAnOlderCheckpoint() {
    for (int i = 0; i < 3; i++) {
      fails(toy().keep(java.util.Set::copyOf), 5, NO_DATA);
    }
    assertThatThrownBy(() -> toy().resume(new Resume.Required()).open())
        .isInstanceOf(CheckpointException.CrashLoop.class);
    assertThatThrownBy(() -> toy().resume(Resume.parse("000003-000000000004-0")).open())
        .isInstanceOf(CheckpointException.CrashLoop.class);
    try (CheckpointManager older = toy().resume(Resume.parse("000001-000000000002-0")).open()) {
      assertThat(older.resume()).isPresent();
    }
    try (CheckpointManager fresh = toy().resume(new Resume.Never()).open()) {
      assertThat(fresh.resume()).isEmpty();
    }
  }

  /** A part that throws when it is looked at, or when it is restored. */
  private record Broken(ToyState toy, @Nullable RuntimeException check, RuntimeException restore)
      implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      toy.capture(sink);
    }

    @Override
    public void check(StateView view) {
      if (check != null) {
        throw check;
      }
    }

    @Override
    public void restore(StateView view) {
      throw restore;
    }
  }

  private CheckpointManagerBuilder broken(
      @Nullable RuntimeException check, RuntimeException restore) {
    return CheckpointManager.in(store)
        .run("toy")
        .part("toy", new Broken(ToyState.random(5, 1, 50), check, restore));
  }

  /** A process whose resume throws, and that tells so, as a user's loop would. */
  private static void failsToResume(CheckpointManagerBuilder builder, Throwable thrown) {
    try (CheckpointManager ckpt = builder.open()) {
      assertThatThrownBy(ckpt::resume).isSameAs(thrown);
      ckpt.failed(new IllegalStateException("told late", thrown), Progress.step(0));
    }
  }

  private Attempt attempt(int number) {
    return Checkpoints.read(whole, "toy").attempts().get(number - 1);
  }

  @Test
  void aResumeThatThrowsEachTimeIsACrashLoop() {
    fails(toy(), 4, NO_DATA);
    for (boolean atOnce : new boolean[] {true, false}) {
      int first = atOnce ? 2 : 5;
      RuntimeException thrown = new IllegalStateException(atOnce ? "bad check" : "bad restore");
      for (int attempt = first; attempt < first + 3; attempt++) {
        failsToResume(
            broken(atOnce ? thrown : null, thrown).crashLoop(attempt == first ? 0 : 3), thrown);
        assertThat(end(attempt)).contains("failed").contains("\"step\":4").doesNotContain("late");
        assertThat(record("resume/00000" + attempt + ".json").isEmpty()).isEqualTo(atOnce);
        assertThat(attempt(attempt).end()).isEqualTo(Attempt.End.FAILED);
        assertThat(attempt(attempt).started()).isEqualTo(!atOnce);
        assertThat(attempt(attempt).cause()).hasValue(thrown.toString());
        assertThat(attempt(attempt).lostSteps()).hasValue(0);
      }
      assertThatThrownBy(() -> toy().open())
          .isInstanceOf(CheckpointException.CrashLoop.class)
          .hasMessageContaining("failed at step 4 in 3 attempts in a row")
          .hasMessageContaining(thrown.toString());
    }
    assertThat(Checkpoints.read(whole, "toy").verifyRecords().problems()).isEmpty();
    try (CheckpointManager mended = toy().crashLoop(0).open()) {
      assertThat(mended.resume().orElseThrow().checkpoint().id())
          .as("nothing was lost on the way")
          .isEqualTo("000001-000000000004-0");
    }
  }

  @Test
  void aLoopOfResumesIsOverOnceAnAttemptGotFurther() throws IOException {
    fails(toy(), 4, NO_DATA);
    RuntimeException thrown = new IllegalStateException("bad check");
    for (int attempt = 2; attempt <= 4; attempt++) {
      failsToResume(broken(thrown, thrown), thrown);
    }
    assertThatThrownBy(() -> toy().open()).isInstanceOf(CheckpointException.CrashLoop.class);
    try (CheckpointManager mended = toy().keep(java.util.Set::copyOf).crashLoop(0).open()) {
      mended.resume();
      mended.save(Progress.step(6), Map.of()).join();
    }
    whole.delete(List.of("runs/toy/ends/000005.json")); // as if it was killed
    try (CheckpointManager next = toy().keep(java.util.Set::copyOf).open()) {
      assertThat(next.resume().orElseThrow().checkpoint().id()).isEqualTo("000005-000000000006-0");
    }
  }

  @Test
  void aModelThatDoesNotFitIsRecordedAndNeverALoop() {
    fails(toy(), 4, NO_DATA);
    RuntimeException other = new CheckpointException.Incompatible("10 classes, not 12");
    for (int attempt = 2; attempt <= 5; attempt++) {
      failsToResume(broken(other, other), other);
      assertThat(attempt(attempt).end()).isEqualTo(Attempt.End.FAILED);
      assertThat(attempt(attempt).cause().orElse("")).contains("10 classes");
      assertThat(attempt(attempt).step()).hasValue(4);
    }
    try (CheckpointManager mended = toy().open()) {
      assertThat(mended.resume()).isPresent();
    }
  }

  @Test
  void aStoreThatFailsAResumeIsRecordedAndNeverALoop() {
    fails(toy(), 4, NO_DATA);
    for (int attempt = 2; attempt <= 5; attempt++) {
      try (CheckpointManager ckpt = toy().open()) {
        store.on(Operation.READ).key("**/data/**").fails();
        assertThatThrownBy(ckpt::resume).isInstanceOf(UncheckedIOException.class);
        store.heal();
      }
      assertThat(attempt(attempt).end()).isEqualTo(Attempt.End.FAILED);
      assertThat(attempt(attempt).cause().orElse("")).contains("cannot resume");
    }
    try (CheckpointManager later = toy().open()) {
      assertThat(later.resume()).isPresent();
    }
  }

  @Test
  void whoWasTakenOverInItsResumeHasNotFailed() {
    RuntimeException fenced = new CheckpointException.Fenced("taken over");
    fails(toy(), 4, NO_DATA);
    failsToResume(broken(fenced, fenced), fenced);
    assertThat(end(2)).isEmpty();
  }

  @Test
  void theLimitComesFromTheConfig(@TempDir Path folder) {
    CheckpointManagerBuilder one =
        CheckpointManager.from(
                CheckpointConfig.defaults(
                    Map.of("CKPT_CRASH_LOOP", "1", "CKPT_STORE", folder.toString())))
            .run("toy");
    fails(one, 5, NO_DATA);
    assertThatThrownBy(one::open)
        .isInstanceOf(CheckpointException.CrashLoop.class)
        .hasMessageContaining("in the last attempt (1)");
  }

  @Test
  void anAttemptTellsWhatItWasStartedWith(@TempDir Path folder) throws IOException {
    CheckpointConfig config =
        CheckpointConfig.defaults(
            Map.of("CKPT_STORE", folder.toString(), "CKPT_RETRIES", "7", "CKPT_SEED", "42"));
    try (CheckpointManager ckpt =
        CheckpointManager.from(config)
            .run("toy")
            .onFailure(FailurePolicy.FAIL)
            .saveWhen(SaveTrigger.everySteps(2))
            .provenance("commit", "1234abc")
            .provenance("pid", "not mine")
            .open()) {
      assertThat(ckpt.attempt()).isEqualTo(1);
    }
    String attempt = Files.readString(folder.resolve("runs/toy/attempts/000001.json"));
    assertThat(attempt)
        .contains("\"config.retries\":\"7 (environment CKPT_RETRIES)\"")
        .contains("\"config.seed\":\"42 (environment CKPT_SEED)\"")
        .contains("\"config.stopGrace\":\"25s (default)\"")
        .contains("\"config.run\":\"toy (code)\"")
        .contains("\"config.onFailure\":\"fail (code)\"")
        .contains("\"config.save\":\"a policy (code)\"")
        .doesNotContain("config.save.")
        .doesNotContain("config.keep.every\"")
        .contains("\"commit\":\"1234abc\"")
        .contains("\"ckpt\":\"")
        .contains("\"program\":\"")
        .doesNotContain("not mine");
  }
}
