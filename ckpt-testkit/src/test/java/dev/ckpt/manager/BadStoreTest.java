package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.FailurePolicy;
import dev.ckpt.Moment;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.SaveTrigger;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.TensorSpec;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a store does to a training when it hangs, fails, is full, or does not tell. */
class BadStoreTest {
  private static final Duration DEADLINE = Duration.ofMillis(400);

  private final CheckpointStore whole = Stores.inMemory();
  private final FaultyStore store = FaultyStore.around(whole);
  private final ToyState state = ToyState.random(11, 4, 2_000);

  @AfterEach
  void letGo() {
    store.heal();
  }

  private CheckpointManagerBuilder toy() {
    return CheckpointManager.in(store)
        .run("toy")
        .part("toy", state)
        .deadline(DEADLINE)
        .retries(0)
        .saveWhen(SaveTrigger.everySteps(1));
  }

  private List<Long> committedSteps() {
    return Checkpoints.read(whole, "toy").list().stream()
        .map(each -> each.progress().step())
        .toList();
  }

  private SaveHandle step(CheckpointManager ckpt) {
    state.advance(1);
    return ckpt.save(Progress.step(state.counter), Map.of());
  }

  /** What a manager opened afterwards on the healed store restores. */
  private ToyState restored() {
    ToyState read = ToyState.random(12, 4, 2_000);
    try (CheckpointManager ckpt = CheckpointManager.in(whole).run("toy").part("toy", read).open()) {
      ckpt.resume();
    }
    return read;
  }

  @Test
  void mutationsBehindAHeldWriterDoNotReachTheDisk() throws Exception {
    ToyState expected = ToyState.random(11, 4, 2_000);
    expected.advance(1);
    try (CheckpointManager ckpt = toy().deadline(Duration.ofSeconds(30)).open()) {
      ckpt.resume();
      Gate gate = store.on(Operation.WRITE).key("**.arrow").hangs();
      SaveHandle handle = step(ckpt);
      handle.staged().toCompletableFuture().get();
      gate.awaitArrivals(1, Duration.ofSeconds(10));
      state.advance(7);
      gate.release();
      handle.join();
    }
    assertThat(restored()).isEqualTo(expected);
  }

  /** Each write of a record asks the store three times at once, which is one try. */
  @Test
  void aVoteAndACommitAreTriedAgainAsAShardIs() {
    try (CheckpointManager ckpt = toy().retries(2).deadline(Duration.ofSeconds(30)).open()) {
      ckpt.resume();
      for (String key : List.of("**/votes/**", "**/manifests/**")) {
        for (int call = 1; call <= 6; call++) {
          store.on(Operation.PUT_IF_ABSENT).key(key).nth(call).fails();
        }
        step(ckpt).join();
        store.heal();
        store.on(Operation.PUT_IF_ABSENT).key(key).nth(1).failsAfterwards();
        store.on(Operation.READ).key(key).nth(1).fails();
        step(ckpt).join();
        store.heal();
      }
    }
    assertThat(committedSteps()).contains(4L);
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void whatIsNotKnownStaysUnknownWhateverALaterTrySays() throws Exception {
    try (CheckpointManager ckpt = toy().retries(1).deadline(Duration.ofSeconds(30)).open()) {
      ckpt.resume();
      store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").fails();
      store.on(Operation.READ).key("**/manifests/**").nth(1).fails();
      SaveHandle unknown = step(ckpt);
      assertThatThrownBy(unknown::join).isInstanceOf(CheckpointException.CommitUnknown.class);
      try (Stream<CheckpointStore.Entry> shards = whole.list("runs/toy/data/", "")) {
        assertThat(shards).as("nothing is cleaned up").hasSize(1);
      }
      store.heal();
      step(ckpt).join();
    }
    assertThat(committedSteps()).hasSize(1);
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void aVoteIsNotTriedAgainBeyondTheDeadline() {
    try (CheckpointManager ckpt = toy().retries(100).deadline(Duration.ofSeconds(1)).open()) {
      ckpt.resume();
      store.on(Operation.PUT_IF_ABSENT).key("**/votes/**").fails();
      SaveHandle failed = step(ckpt);
      assertThatThrownBy(failed::join).isInstanceOf(CheckpointException.class);
    }
    assertThat(
            store.calls(Operation.PUT_IF_ABSENT).stream()
                .filter(call -> call.key().contains("/votes/")))
        .as("after 0, 0.2 and 0.6 seconds, each three times")
        .hasSizeBetween(3, 9);
  }

  @Test
  void aDiskThatIsFullOnlyWhenItIsWrittenSaysWhatToDo() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      store.on(Operation.WRITE).key("**.arrow").fails("No space left on device");
      SaveHandle failed = step(ckpt);
      assertThatThrownBy(failed::join)
          .hasMessageContaining("was not saved: No space left on device: free some, or keep fewer")
          .hasMessageContaining("the next save tries again");
      store.heal();
      step(ckpt).join();
    }
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void aWriterThatWakesUpAfterTwoLaterSavesCommitsNothing() throws Exception {
    for (String key : List.of("**.arrow", "**/votes/**", "**/manifests/**")) {
      store.heal();
      state.counter += 100;
      long first;
      Gate gate;
      try (CheckpointManager ckpt = toy().resume(new Resume.Never()).open()) {
        ckpt.resume();
        gate = store.on(Operation.WRITE, Operation.PUT_IF_ABSENT).key(key).nth(1).hangs();
        SaveHandle stuck = step(ckpt);
        first = state.counter;
        gate.awaitArrivals(1, Duration.ofSeconds(10));
        step(ckpt).join();
        step(ckpt).join();
        assertThatThrownBy(stuck::join)
            .as(key)
            .isInstanceOf(CheckpointException.class)
            .hasMessageContaining("gave up");
        gate.release();
        assertThat(ckpt.failures()).hasSize(1);
      }
      assertThat(committedSteps()).as(key).containsExactly(first + 1, first + 2);
      assertThat(restored()).isEqualTo(state);
      assertThat(Checkpoints.read(whole, "toy").list())
          .allSatisfy(
              each ->
                  assertThat(Checkpoints.read(whole, "toy").verify(each.id()).problems())
                      .isEmpty());
    }
  }

  @Test
  void aHungStoreCostsNoStepMoreThanTheDeadline() throws Exception {
    CheckpointManager ckpt = toy().stagingBudget(64 << 20).open();
    ckpt.resume();
    store.on().hangs();
    long longest = 0;
    for (int i = 0; i < 5; i++) {
      state.advance(1);
      long start = System.nanoTime();
      ckpt.offer(Moment.Kind.STEP, Progress.step(state.counter), Map::of);
      longest = Math.max(longest, System.nanoTime() - start);
    }
    assertThat(Duration.ofNanos(longest))
        .as("periodic saves wait for nothing")
        .isLessThan(DEADLINE);
    long start = System.nanoTime();
    state.advance(1);
    ckpt.save(Progress.step(state.counter), Map.of());
    ckpt.close();
    Duration closing = Duration.ofNanos(System.nanoTime() - start);
    // one deadline for the save before it, one for all of the closing, and moments
    assertThat(closing).isLessThan(DEADLINE.multipliedBy(2).plusSeconds(2));
    assertThat(ckpt.failures()).isNotEmpty();
    store.heal();
  }

  /** As after a kill -STOP, a suspended laptop, a paused container: all clocks have run on. */
  @Test
  void aWriterThatStoodStillWithTheTrainingIsNotGivenUp() throws Exception {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      Gate gate = store.on(Operation.WRITE).key("**.arrow").nth(1).hangs();
      SaveHandle frozen = step(ckpt);
      gate.awaitArrivals(1, Duration.ofSeconds(10));
      Thread.sleep(DEADLINE.multipliedBy(2).toMillis());
      gate.release();
      state.advance(1);
      ckpt.offer(Moment.Kind.STEP, Progress.step(state.counter), Map::of);
      assertThat(frozen.join().progress().step()).isEqualTo(1);
      assertThat(ckpt.failures()).isEmpty();
    }
  }

  @Test
  void whoStopsWaitingForASaveHearsThatItMayCommitYet() throws Exception {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      Gate gate = store.on(Operation.WRITE).key("**.arrow").nth(1).hangs();
      SaveHandle slow = step(ckpt);
      gate.awaitArrivals(1, Duration.ofSeconds(10));
      assertThatThrownBy(slow::join)
          .isInstanceOf(CheckpointException.CommitUnknown.class)
          .hasMessageContaining("still being written");
      gate.release();
      slow.committed().toCompletableFuture().get();
    }
    assertThat(committedSteps()).containsExactly(1L);
  }

  @Test
  void aSaveThatIsGivenUpRunsNothingOfItsCallersOnTheTrainingThread() throws Exception {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      Gate gate = store.on(Operation.WRITE).key("**.arrow").nth(1).hangs();
      SaveHandle stuck = step(ckpt);
      gate.awaitArrivals(1, Duration.ofSeconds(10));
      CompletableFuture<String> ranOn = new CompletableFuture<>();
      stuck
          .committed()
          .whenComplete((done, failure) -> ranOn.complete(Thread.currentThread().getName()));
      step(ckpt).join();
      assertThat(ranOn.get()).startsWith("ckpt-").isNotEqualTo(Thread.currentThread().getName());
      store.heal();
    }
  }

  @Test
  void aRequestedSaveThatIsRefusedIsMadeAtTheNextCut() throws Exception {
    try (CheckpointManager ckpt = toy().saveWhen(SaveTrigger.onCompletion()).open()) {
      ckpt.resume();
      step(ckpt).join();
      ckpt.requestSave("an operator");
      state.advance(1);
      SaveHandle refused = ckpt.offer(Moment.Kind.STEP, Progress.step(0), Map::of).orElseThrow();
      assertThatThrownBy(refused::join).isInstanceOf(CheckpointException.SaveFailed.class);
      ckpt.offer(Moment.Kind.STEP, Progress.step(2), Map::of).orElseThrow().join();
      assertThat(ckpt.offer(Moment.Kind.STEP, Progress.step(3), Map::of)).isEmpty();
    }
    assertThat(committedSteps()).containsExactly(1L, 2L);
  }

  @Test
  void moreThanTheBudgetToCopyAtOnceIsSaidToBeThat() {
    Checkpointable volatileState =
        new Checkpointable() {
          @Override
          public void capture(StateSink sink) {
            sink.tensor(
                TensorSpec.of("w", DType.UINT8, Shape.of(12 << 20)),
                (offset, into) -> into.position(into.limit()),
                Stability.COPY_NOW);
          }

          @Override
          public void restore(StateView view) {}
        };
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("large")
            .part("p", volatileState)
            .stagingBudget(8 << 20)
            .open()) {
      ckpt.resume();
      SaveHandle failed = ckpt.save(Progress.step(1), Map.of());
      assertThatThrownBy(failed::join)
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContainingAll("8 MiB", "copied at once", "staging.budget");
    }
  }

  @Test
  void aFullStoreFailsTheSaveAndTheNextOneWorks() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      step(ckpt).join();
      store.on(Operation.WRITE).key("**.arrow").nth(1).isFull();
      assertThatThrownBy(() -> step(ckpt).join())
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("No space left on device");
      step(ckpt).join();
      assertThat(ckpt.failures()).hasSize(1);
    }
    assertThat(committedSteps()).containsExactly(1L, 3L);
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void aFailedSaveMayBeTriedAgainAtTheSameStep() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      store.on(Operation.COMPLETE).key("**.arrow").nth(1).fails();
      assertThatThrownBy(() -> step(ckpt).join()).isInstanceOf(CheckpointException.class);
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    assertThat(committedSteps()).containsExactly(1L);
  }

  @Test
  void theCleanUpOfAFailedSaveNeverTouchesItsRetry() {
    try (CheckpointManager ckpt = toy().deadline(Duration.ofSeconds(20)).open()) {
      ckpt.resume();
      store.on(Operation.CREATE).nth(1).fails();
      store.on(Operation.LIST).key("**/votes/**").takes(Duration.ofMillis(300));
      store.on(Operation.LIST).key("**/data/**").takes(Duration.ofMillis(300));
      assertThatThrownBy(() -> step(ckpt).join()).isInstanceOf(CheckpointException.class);
      ckpt.save(Progress.step(state.counter), Map.of()).join();
      assertThat(ckpt.complete(Map.of("steps", 1L))).isTrue();
    }
    store.heal();
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void aWriteThatFailsOnceIsTriedAgainFromStaging() {
    try (CheckpointManager ckpt = toy().retries(2).deadline(Duration.ofSeconds(10)).open()) {
      ckpt.resume();
      store.on(Operation.COMPLETE).key("**.arrow").nth(1).fails();
      step(ckpt).join();
      assertThat(ckpt.failures()).isEmpty();
    }
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void aFailureReachesThePolicy() {
    CheckpointManager ckpt = toy().onFailure(FailurePolicy.FAIL).open();
    ckpt.resume();
    store.on(Operation.CREATE).nth(1).fails();
    SaveHandle failed = step(ckpt);
    assertThatThrownBy(failed::join).isInstanceOf(CheckpointException.SaveFailed.class);
    assertThatThrownBy(() -> ckpt.offer(Moment.Kind.STEP, Progress.step(2), Map::of))
        .isInstanceOf(CheckpointException.SaveFailed.class);
    store.on(Operation.CREATE).nth(1).fails();
    SaveHandle again = ckpt.save(Progress.step(3), Map.of());
    assertThatThrownBy(again::join).isInstanceOf(CheckpointException.SaveFailed.class);
    assertThatThrownBy(ckpt::close).isInstanceOf(CheckpointException.SaveFailed.class);
    ckpt.close();
    assertThat(ckpt.failures()).hasSize(2);
  }

  @Test
  void anAnswerThatWasLostIsLookedUp() {
    for (String key : List.of("**/votes/**", "**/manifests/**")) {
      state.counter += 100;
      try (CheckpointManager ckpt = toy().resume(new Resume.Never()).open()) {
        ckpt.resume();
        store.on(Operation.PUT_IF_ABSENT).key(key).nth(1).failsAfterwards();
        step(ckpt).join();
        assertThat(ckpt.failures()).isEmpty();
      }
      assertThat(restored()).isEqualTo(state);
    }
  }

  @Test
  void aFailureThatHandleAndCloseBothReportIsNotLost() {
    assertThatThrownBy(
            () -> {
              try (CheckpointManager ckpt = toy().onFailure(FailurePolicy.FAIL).open()) {
                ckpt.resume();
                store.on(Operation.CREATE).nth(1).isFull();
                step(ckpt).join();
              }
            })
        .isInstanceOf(CheckpointException.SaveFailed.class)
        .hasMessageContaining("No space left");
  }

  @Test
  void aCommitThatIsSeenAndNotKnownToBeDurableIsNotReported() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").failsAfterwards();
      SaveHandle unknown = step(ckpt);
      assertThatThrownBy(unknown::join)
          .isInstanceOf(CheckpointException.CommitUnknown.class)
          .hasMessageContaining("durable");
    }
    store.heal();
    assertThat(restored()).as("it was committed after all").isEqualTo(state);
  }

  @Test
  void aCommitNobodyCanLookUpIsLeftAlone() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").nth(1).failsAfterwards();
      store.on(Operation.READ).key("**/manifests/**").nth(1).fails();
      SaveHandle unknown = step(ckpt);
      assertThatThrownBy(unknown::join).isInstanceOf(CheckpointException.CommitUnknown.class);
    }
    store.heal();
    assertThat(restored()).as("it was committed after all").isEqualTo(state);
  }

  @Test
  void aSecondSaveAfterAnUnknownCommitHarmsNothing() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").nth(1).failsAfterwards();
      store.on(Operation.READ).key("**/manifests/**").nth(1).fails();
      SaveHandle unknown = step(ckpt);
      assertThatThrownBy(unknown::join).isInstanceOf(CheckpointException.CommitUnknown.class);
      SaveHandle again = ckpt.save(Progress.step(state.counter), Map.of());
      assertThatThrownBy(again::join).isInstanceOf(CheckpointException.CommitUnknown.class);
    }
    store.heal();
    assertThat(restored()).isEqualTo(state);
  }

  /** Whether its commit landed or not: the next save finds out, and retention does the rest. */
  @Test
  void whatGotNoAnswerLeavesNoShardBehind() {
    for (boolean landed : List.of(false, true)) {
      List<Long> told = new CopyOnWriteArrayList<>();
      CheckpointListener listener =
          new CheckpointListener() {
            @Override
            public void committed(Checkpoint checkpoint) {
              told.add(checkpoint.progress().step());
            }
          };
      try (CheckpointManager ckpt =
          toy().resume(new Resume.Never()).keep(Retention.latest(1)).notify(listener).open()) {
        ckpt.resume();
        state.counter = 0;
        for (int i = 1; i <= 20; i++) {
          if (i % 3 == 0) {
            FaultyStore.Rule put = store.on(Operation.PUT_IF_ABSENT).key("**/manifests/**");
            if (landed) {
              put.failsAfterwards();
            } else {
              put.fails();
            }
            store.on(Operation.READ).key("**/manifests/**").fails();
          }
          SaveHandle handle = step(ckpt);
          if (i % 3 == 0) {
            assertThatThrownBy(handle::join).isInstanceOf(CheckpointException.CommitUnknown.class);
          } else {
            handle.join();
          }
          store.heal();
        }
        String own = MaintainedStore.id(landed ? 2 : 1, 20);
        await()
            .untilAsserted(
                () ->
                    assertThat(shardsOf(own.substring(0, 6)))
                        .as("landed %s", landed)
                        .singleElement()
                        .asString()
                        .contains(own));
      }
      assertThat(told).as("landed %s", landed).hasSize(landed ? 20 : 14).doesNotHaveDuplicates();
    }
  }

  private List<String> shardsOf(String attempt) throws IOException {
    try (var entries = whole.list("runs/toy/data/", "")) {
      return entries
          .map(CheckpointStore.Entry::key)
          .filter(key -> key.startsWith("runs/toy/data/" + attempt))
          .toList();
    }
  }

  @Test
  void aGoalIsNotRecordedWithoutItsLastState() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      assertThat(ckpt.complete(Map.of("steps", 0L))).as("no checkpoint at all").isFalse();
      step(ckpt).join();
      store.on(Operation.WRITE).key("**.arrow").hangs();
      step(ckpt);
      state.advance(1);
      store.on(Operation.WRITE).key("**.arrow").hangs();
      ckpt.save(Progress.step(state.counter), Map.of());
      assertThat(ckpt.complete(Map.of("steps", 3L))).as("the last save failed").isFalse();
      store.heal();
    }
    try (CheckpointManager ckpt = toy().open()) {
      assertThat(ckpt.completed()).isEmpty();
    }
  }

  @Test
  void anInterruptedTrainingLosesNoSaveInFlight() {
    try (CheckpointManager ckpt = toy().deadline(Duration.ofSeconds(20)).open()) {
      ckpt.resume();
      store.on(Operation.WRITE).key("**.arrow").takes(Duration.ofMillis(100));
      step(ckpt);
      Thread.currentThread().interrupt();
    }
    assertThat(Thread.interrupted()).as("still interrupted").isTrue();
    assertThat(restored()).isEqualTo(state);
  }

  @Test
  void whatASaveCapturedIsNotKeptByItsHandle() {
    List<java.lang.ref.WeakReference<Object>> captured = new ArrayList<>();
    Checkpointable part =
        new Checkpointable() {
          @Override
          public void capture(StateSink sink) {
            byte[] copy = new byte[1_000];
            captured.add(new java.lang.ref.WeakReference<>(copy));
            sink.tensor(
                TensorSpec.of("t", DType.UINT8, Shape.of(copy.length)),
                (offset, into) -> into.put(copy, (int) offset, into.remaining()),
                Stability.STABLE_UNTIL_UPDATE);
          }

          @Override
          public void restore(StateView view) {}
        };
    try (CheckpointManager ckpt = CheckpointManager.in(store).run("weak").part("p", part).open()) {
      ckpt.resume();
      for (int i = 1; i <= 3; i++) {
        ckpt.save(Progress.step(i), Map.of()).join();
      }
      await()
          .atMost(Duration.ofSeconds(20))
          .until(
              () -> {
                System.gc();
                return captured.stream().allMatch(each -> each.get() == null);
              });
    }
  }

  @Test
  void aFirstSaveBehindAResumeIsNeverRefusedWhileItsMemoryIsPrepared() {
    ToyState large = ToyState.random(1, 10, 1 << 20);
    for (int i = 1; i <= 8; i++) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run("prepared")
              .part("p", large)
              .stagingBudget(40 << 20)
              .open()) {
        ckpt.resume();
        ckpt.save(Progress.step(i), Map.of()).join();
        assertThat(ckpt.failures()).isEmpty();
      }
    }
  }

  @Test
  void aStreamedSaveThatFailsGivesItsMemoryBack() {
    ToyState large = ToyState.random(1, 6, 1 << 20);
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("large")
            .part("p", large)
            .retries(0)
            .stagingBudget(8 << 20)
            .deadline(Duration.ofSeconds(20))
            .open()) {
      ckpt.resume();
      store.on(Operation.CREATE).nth(1).isFull();
      SaveHandle failed = ckpt.save(Progress.step(1), Map.of());
      assertThatThrownBy(failed::join)
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("No space left");
      ckpt.save(Progress.step(2), Map.of()).join();
      ckpt.save(Progress.step(3), Map.of()).join();
      assertThat(ckpt.failures()).as("counted once").hasSize(1);
    }
  }

  @Test
  void aStateThatFitsIntoTheLastPieceOfTheBudgetIsStaged() {
    try (CheckpointManager ckpt = toy().stagingBudget(1).open()) {
      ckpt.resume();
      step(ckpt).join();
    }
    assertThat(committedSteps()).containsExactly(1L);
  }

  @Test
  void aNewerAttemptFencesThisOne() {
    try (CheckpointManager old = toy().open()) {
      old.resume();
      step(old).join();
      // another process takes the run over: same medium, another store object
      FaultyStore elsewhere = FaultyStore.around(new OtherUri(whole));
      ToyState other = ToyState.random(1, 4, 2_000);
      try (CheckpointManager newer =
          CheckpointManager.in(elsewhere).run("toy").part("toy", other).open()) {
        newer.resume();
        other.advance(1);
        newer.save(Progress.step(other.counter), Map.of()).join();
        state.advance(5);
        SaveHandle zombie = old.save(Progress.step(state.counter), Map.of());
        assertThatThrownBy(zombie::join).isInstanceOf(CheckpointException.Fenced.class);
        assertThatThrownBy(() -> old.offer(Moment.Kind.STEP, Progress.step(99), Map::of))
            .isInstanceOf(CheckpointException.Fenced.class);
      }
      assertThat(committedSteps()).containsExactly(1L, 2L);
      assertThatThrownBy(old::close).isInstanceOf(CheckpointException.Fenced.class);
    }
  }

  @Test
  void aCrashAtAnyCallLeavesTheOldOrTheNewCheckpointWhole() {
    boolean stopped = true;
    int at = 0;
    while (stopped) {
      at++;
      CheckpointStore medium = Stores.inMemory();
      ToyState one = ToyState.random(5, 3, 500);
      try (CheckpointManager ckpt =
          CheckpointManager.in(medium).run("toy").part("toy", one).open()) {
        ckpt.resume();
        one.advance(1);
        ckpt.save(Progress.step(1), Map.of()).join();
      }
      FaultyStore dying = FaultyStore.around(new OtherUri(medium));
      dying.on().nth(at).stops();
      ToyState two = ToyState.random(5, 3, 500);
      try (CheckpointManager ckpt =
          CheckpointManager.in(dying).run("toy").part("toy", two).retries(0).open()) {
        ckpt.resume();
        two.advance(1);
        ckpt.save(Progress.step(two.counter), Map.of()).join();
      } catch (RuntimeException e) {
        assertThat(dying.isStopped())
            .as("call %s died of the injected stop, not of %s", at, e)
            .isTrue();
      }
      stopped = dying.isStopped();
      ToyState read = ToyState.random(6, 3, 500);
      try (CheckpointManager ckpt =
          CheckpointManager.in(new OtherUri(medium)).run("toy").part("toy", read).open()) {
        ckpt.resume();
      }
      assertThat(read.counter).as("crash at call %s", at).isIn(1L, 2L);
      ToyState expected = ToyState.random(5, 3, 500);
      expected.advance((int) read.counter);
      assertThat(read).as("crash at call %s", at).isEqualTo(expected);
    }
    System.out.println("crashed at each of " + (at - 1) + " store calls: 0 violations");
    assertThat(at).isGreaterThan(20);
  }

  @Test
  void aCleanUpThatHangsHoldsUpNeitherHandlesNorTheRecordOfTheEnd() throws Exception {
    Gate cleaning = store.on(Operation.SWEEP).hangs();
    try (CheckpointManager ckpt = toy().deadline(Duration.ofSeconds(3)).open()) {
      ckpt.resume();
      cleaning.awaitArrivals(1, Duration.ofSeconds(10));
      SaveHandle handle = step(ckpt);
      handle.staged().toCompletableFuture().get(2, TimeUnit.SECONDS);
      handle.join();
      assertThat(ckpt.complete(Map.of("steps", 1L))).isTrue();
      cleaning.release();
    }
  }

  @Test
  void aStoreThatCannotBeReadIsAnErrorAndNoFreshStart() {
    try (CheckpointManager ckpt = toy().open()) {
      ckpt.resume();
      step(ckpt).join();
    }
    store.on(Operation.READ, Operation.MAP).key("**.arrow").fails();
    try (CheckpointManager ckpt = toy().open()) {
      assertThatThrownBy(ckpt::resume).isInstanceOf(java.io.UncheckedIOException.class);
    }
    store.heal();
    Checkpoint latest = Checkpoints.read(whole, "toy").latest().orElseThrow();
    assertThat(latest.progress().step()).isEqualTo(1);
  }

  /** The medium spoils the shard of the third save behind its write. */
  @Test
  void nothingOlderIsDeletedBehindACheckpointThatCannotBeReadBack() throws Exception {
    MaintainedStore at = new MaintainedStore();
    String third = MaintainedStore.id(1, 3);
    FaultyStore spoiling = FaultyStore.around(at.store);
    Gate vote = spoiling.on(Operation.PUT_IF_ABSENT).key("**/votes/" + third + "/**").hangs();
    ToyState toy = MaintainedStore.fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(spoiling)
            .run("toy")
            .part("toy", toy)
            .keep(Retention.latest(1))
            .open()) {
      ckpt.resume();
      for (int step = 1; step <= 3; step++) {
        toy.advance(1);
        SaveHandle save = ckpt.save(Progress.step(step), Map.of());
        if (step == 3) {
          vote.awaitArrivals(1, Duration.ofSeconds(30));
          at.flip(at.shard(third), 900);
          vote.release();
        }
        save.join();
      }
    }
    assertThat(at.whole()).containsExactly(MaintainedStore.id(1, 2));
    assertThat(at.next()).isEqualTo(MaintainedStore.id(1, 2));
  }
}
