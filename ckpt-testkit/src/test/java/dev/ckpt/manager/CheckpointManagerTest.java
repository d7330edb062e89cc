package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Checkpointable;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.Moment;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CheckpointManagerTest {
  private final CheckpointStore store = Stores.inMemory();

  private static CheckpointManagerBuilder toy(CheckpointStore store, ToyState state) {
    return CheckpointManager.in(store).run("toy").part("toy", state);
  }

  private static ToyState fresh() {
    return ToyState.random(7, 5, 3_000);
  }

  @Test
  void aRestartedRunEndsWithTheStateOfOneThatNeverStopped(@TempDir Path folder) {
    ToyState unbroken = fresh();
    unbroken.advance(40);

    ToyState state = fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(folder).run("toy").part("toy", state).open()) {
      assertThat(ckpt.resume()).isEmpty();
      state.advance(25);
      Checkpoint saved = ckpt.save(Progress.step(25), Map.of("loss", 0.5)).join();
      assertThat(saved.metrics()).containsEntry("loss", 0.5);
      assertThat(saved.finite()).isTrue();
      state.advance(3); // lost
    }
    ToyState again = fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(folder).run("toy").part("toy", again).open()) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().id()).isEqualTo("000001-000000000025-0");
      assertThat(restored.checkpoint().progress()).isEqualTo(Progress.step(25));
      again.advance(15);
    }
    assertThat(again).isEqualTo(unbroken);
  }

  @Test
  void whatChangesAfterStagedDoesNotReachTheStore() throws Exception {
    ToyState state = fresh();
    ToyState then = fresh();
    state.advance(3);
    then.advance(3);
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      SaveHandle handle = ckpt.save(Progress.step(3), Map.of());
      handle.staged().toCompletableFuture().join();
      state.advance(5);
      handle.join();
    }
    ToyState read = fresh();
    try (CheckpointManager ckpt = toy(store, read).open()) {
      ckpt.resume();
    }
    assertThat(read).isEqualTo(then);
  }

  @Test
  void theSeedIsDrawnOnceForABranch() {
    long first;
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      first = ckpt.seed();
      ckpt.resume();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      assertThat(ckpt.seed()).isEqualTo(first);
      assertThat(ckpt.attempt()).isEqualTo(2);
    }
    try (CheckpointManager ckpt = toy(store, fresh()).resume(new Resume.Never()).open()) {
      assertThat(ckpt.seed()).isNotEqualTo(first);
      first = ckpt.seed();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      assertThat(ckpt.seed()).as("the fresh branch is the live one").isEqualTo(first);
    }
  }

  @Test
  void aRepeatedRequestGoesOnFromWhereItsBranchGot() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).keep(java.util.Set::copyOf).open()) {
      ckpt.resume();
      for (int step = 1; step <= 3; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step), Map.of()).join();
      }
    }
    Resume back = Resume.parse("000001-000000000001-0");
    for (int round = 0; round < 3; round++) {
      ToyState again = fresh();
      try (CheckpointManager ckpt =
          toy(store, again).keep(java.util.Set::copyOf).resume(back).open()) {
        ckpt.resume();
        assertThat(again.counter).isEqualTo(1 + round);
        again.advance(1);
        ckpt.save(Progress.step(again.counter), Map.of()).join();
      }
    }
    ToyState last = fresh();
    try (CheckpointManager ckpt = toy(store, last).open()) {
      ckpt.resume();
    }
    assertThat(last.counter).isEqualTo(4);
    assertThat(Checkpoints.read(store, "toy").list())
        .extracting(Checkpoint::id)
        .containsExactly(
            "000001-000000000001-0",
            "000002-000000000002-0",
            "000003-000000000003-0",
            "000004-000000000004-0");
  }

  @Test
  void onlyTheLastThreeAndPinnedOnesStay() {
    ToyState state = fresh();
    List<String> events = Collections.synchronizedList(new ArrayList<>());
    CheckpointListener listener =
        new CheckpointListener() {
          @Override
          public void committed(Checkpoint checkpoint) {
            events.add("+" + checkpoint.progress().step());
          }

          @Override
          public void deleted(Checkpoint checkpoint) {
            events.add("-" + checkpoint.progress().step());
          }
        };
    try (CheckpointManager ckpt =
        toy(store, state).keep(Retention.latest(3)).notify(listener).open()) {
      ckpt.resume();
      for (int step = 1; step <= 6; step++) {
        state.advance(1);
        Checkpoint saved = ckpt.save(Progress.step(step), Map.of()).join();
        if (step == 2) {
          Checkpoints.read(store, "toy").pin(saved.id());
        }
      }
    }
    assertThat(Checkpoints.read(store, "toy").list())
        .extracting(each -> each.progress().step())
        .containsExactly(2L, 4L, 5L, 6L);
    assertThat(events).contains("+1", "-1", "+6", "-3").doesNotContain("-2", "-4");
  }

  @Test
  void onlyWhatIsCommittedIsPinned() throws Exception {
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    Checkpoints checkpoints = Checkpoints.read(store, "toy");
    assertThatThrownBy(() -> checkpoints.pin("000009-000000000001-0"))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining("000009-000000000001-0");
    checkpoints.pin("000001-000000000001-0");
    try (var pins = store.list("runs/toy/pins/", "")) {
      assertThat(pins.map(CheckpointStore.Entry::key))
          .containsExactly("runs/toy/pins/000001-000000000001-0");
    }
  }

  @Test
  void aPartThatACheckpointDoesNotHoldIsNotFound() {
    ToyState state = fresh();
    Checkpointable empty =
        new Checkpointable() {
          @Override
          public void capture(StateSink sink) {}

          @Override
          public void restore(StateView view) {
            assertThat(view.names()).isEmpty();
          }
        };
    try (CheckpointManager ckpt = toy(store, state).part("empty", empty).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    try (Checkpoints.Opened open = Checkpoints.read(store, "toy").open("000001-000000000001-0")) {
      assertThat(open.view("toy").names()).isNotEmpty();
      assertThatThrownBy(() -> open.view("tooy"))
          .isInstanceOf(CheckpointException.NotFound.class)
          .hasMessageContainingAll("tooy", "[toy]");
    }
    ToyState renamed = fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(store).run("toy").part("tooy", renamed).open()) {
      assertThatThrownBy(ckpt::resume).isInstanceOf(CheckpointException.Incompatible.class);
    }
    try (CheckpointManager ckpt = toy(store, state).part("empty", empty).open()) {
      assertThat(ckpt.resume()).isPresent();
    }
  }

  @Test
  void theNamesOfRunsCostOneLookEachHoweverMuchTheyHold() throws Exception {
    for (String name : List.of("a", "a-b", "a.b", "b", "a0")) {
      try (CheckpointManager ckpt =
          CheckpointManager.in(store).run(name).part("p", fresh()).open()) {
        ckpt.resume();
        for (int step = 1; step <= 4; step++) {
          ckpt.save(Progress.step(step), Map.of()).join();
        }
      }
    }
    long[] seen = {0};
    CheckpointStore counting =
        new OtherUri(store) {
          @Override
          public java.util.stream.Stream<Entry> list(String prefix, String after)
              throws java.io.IOException {
            return super.list(prefix, after).peek(entry -> seen[0]++);
          }
        };
    assertThat(Checkpoints.runs(counting)).containsExactly("a", "a-b", "a.b", "a0", "b");
    assertThat(seen[0]).isEqualTo(5);
  }

  @Test
  void aDeadlineThatNobodyLivesToSeeIsRefused() {
    assertThatThrownBy(() -> toy(store, fresh()).deadline(Duration.ofDays(400_000)).open())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("deadline");
  }

  @Test
  void theSameStateIsSavedOnce() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      SaveHandle first = ckpt.save(Progress.step(1), Map.of());
      assertThat(ckpt.save(Progress.step(1), Map.of())).isSameAs(first);
      first.join();
      assertThat(ckpt.save(Progress.step(1), Map.of())).isSameAs(first);
    }
  }

  @Test
  void progressThatGoesBackHarmsNothingThatIsCommitted() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      for (int step = 1; step <= 2; step++) {
        state.advance(1);
        ckpt.save(Progress.step(step * 10), Map.of()).join();
      }
      assertThat(ckpt.save(Progress.step(10), Map.of()).join().id())
          .as("the checkpoint that this id already has")
          .isEqualTo("000001-000000000010-0");
      assertThatThrownBy(() -> ckpt.save(Progress.step(15), Map.of()).join())
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("went back");
    }
    Checkpoints checkpoints = Checkpoints.read(store, "toy");
    assertThat(checkpoints.list())
        .extracting(each -> each.progress().step())
        .containsExactly(10L, 20L);
    assertThat(checkpoints.list()).allMatch(each -> checkpoints.verify(each.id()).ok());
  }

  @Test
  void whoOnlyLooksAtACompletedRunLeavesItCompleted() {
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(5), Map.of());
      ckpt.complete(Map.of("steps", 5L));
    }
    for (int look = 0; look < 3; look++) {
      try (CheckpointManager ckpt = toy(store, fresh()).open()) {
        assertThat(ckpt.completed()).isPresent();
        ckpt.resume();
      }
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(6), Map.of()).join();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      assertThat(ckpt.completed()).as("it was trained on since").isEmpty();
    }
  }

  @Test
  void aCompletedRunThatStartsFromAnotherThanItsFinalStateIsNotComplete() throws IOException {
    List<String> ids = new ArrayList<>();
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ids.add(ckpt.save(Progress.step(4), Map.of()).join().id());
      ids.add(ckpt.save(Progress.step(5), Map.of()).join().id());
      ckpt.complete(Map.of("steps", 5L));
    }
    try (CheckpointManager ckpt = toy(store, fresh()).resume(new Resume.From(ids.get(0))).open()) {
      ckpt.resume();
      assertThat(ckpt.completed()).as("went back").isEmpty();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).resume(new Resume.From(ids.get(1))).open()) {
      ckpt.resume();
      assertThat(ckpt.completed()).as("forth again").isPresent();
    }
    store.delete(List.of("runs/toy/data/" + ids.get(1) + "/rank-00000-of-00001.arrow"));
    for (boolean repaired : new boolean[] {false, true}) {
      if (repaired) {
        Maintenance.of(store).takeOver(true).repair("toy", false);
      }
      try (CheckpointManager ckpt = toy(store, fresh()).open()) {
        assertThat(ckpt.resume().orElseThrow().checkpoint().id()).isEqualTo(ids.get(0));
        assertThat(ckpt.completed()).as("the final state is lost, repaired %s", repaired).isEmpty();
      }
    }
  }

  @Test
  void theLatestHoldsNoNaNIfAnyDoesNot() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
      state.tensors.put("layer2/weight", withNaN(3_000));
      ckpt.save(Progress.step(2), Map.of()).join();
    }
    assertThat(Checkpoints.read(store, "toy").latest().orElseThrow().progress().step())
        .isEqualTo(1);
  }

  @Test
  void theNewestFiniteCheckpointIsTheOneToResumeFrom() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(1), Map.of()).join();
      state.advance(1);
      state.tensors.put("layer2/weight", withNaN(3_000));
      assertThat(ckpt.save(Progress.step(2), Map.of()).join().finite()).isFalse();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(restored.checkpoint().progress().step()).isEqualTo(1);
      assertThat(restored.skipped()).singleElement().asString().contains("NaN");
    }
  }

  private static float[] withNaN(int elements) {
    float[] values = new float[elements];
    values[elements - 1] = Float.NaN;
    return values;
  }

  @Test
  void aCompletedRunSaysSo() {
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of());
      assertThat(ckpt.complete(Map.of("epochs", 20L))).isTrue();
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      assertThat(ckpt.completed()).isEqualTo(Optional.of(Map.of("epochs", 20L)));
    }
  }

  @Test
  void aStateLargerThanTheBudgetIsStreamed() {
    ToyState state = ToyState.random(3, 12, 1 << 20);
    try (CheckpointManager ckpt =
        toy(store, state).stagingBudget(8 << 20).deadline(Duration.ofSeconds(20)).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
      assertThat(ckpt.failures()).isEmpty();
    }
    ToyState read = ToyState.random(4, 12, 1 << 20);
    try (CheckpointManager ckpt = toy(store, read).open()) {
      ckpt.resume();
    }
    assertThat(read).isEqualTo(state);
  }

  @Test
  void aSecondOpenInTheSameJvmTakesOver() {
    CheckpointManager first = toy(store, fresh()).open();
    first.resume();
    try (CheckpointManager second = toy(store, fresh()).open()) {
      second.resume();
      assertThatThrownBy(() -> first.save(Progress.step(1), Map.of()))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
      second.save(Progress.step(1), Map.of()).join();
    }
  }

  @Test
  void anotherStructureIsRefusedAndNothingIsChanged() {
    ToyState state = fresh();
    try (CheckpointManager ckpt = toy(store, state).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of()).join();
    }
    ToyState other = ToyState.random(1, 6, 10);
    try (CheckpointManager ckpt = toy(store, other).open()) {
      assertThatThrownBy(ckpt::resume).isInstanceOf(CheckpointException.Incompatible.class);
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      assertThat(ckpt.resume()).isPresent();
    }
  }

  @Test
  void whatIsAskedForAndNotThereIsAnError() {
    assertThatThrownBy(() -> toy(store, fresh()).resume(new Resume.Required()).open())
        .isInstanceOf(CheckpointException.NotFound.class);
    assertThatThrownBy(
            () -> toy(store, fresh()).resume(Resume.parse("000001-000000000009-0")).open())
        .isInstanceOf(CheckpointException.NotFound.class);
    assertThatThrownBy(() -> toy(store, fresh()).resume(Resume.parse("best(acc)")).open())
        .isInstanceOf(CheckpointException.NotFound.class);
  }

  @Test
  void aFailedCaptureFailsThatSaveAlone() {
    boolean[] broken = {true};
    ToyState state = fresh();
    Checkpointable part =
        new Checkpointable() {
          @Override
          public void capture(StateSink sink) {
            state.capture(sink);
            if (broken[0]) {
              throw new IllegalStateException("closed array");
            }
          }

          @Override
          public void restore(StateView view) {
            state.restore(view);
          }
        };
    try (CheckpointManager ckpt = CheckpointManager.in(store).run("toy").part("p", part).open()) {
      ckpt.resume();
      assertThatThrownBy(() -> ckpt.save(Progress.step(1), Map.of()).join())
          .isInstanceOf(CheckpointException.SaveFailed.class)
          .hasMessageContaining("closed array");
      broken[0] = false;
      ckpt.save(Progress.step(1), Map.of()).join();
      assertThat(ckpt.failures()).hasSize(1);
    }
  }

  @Test
  void behindItsCompletionNothingIsTrainedOnByTheSameManager() {
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(3), Map.of());
      assertThat(ckpt.complete(Map.of("steps", 3L))).isTrue();
      ckpt.offer(Moment.Kind.COMPLETION, Progress.step(3), Map::of);
      assertThatThrownBy(() -> ckpt.offer(Moment.Kind.STEP, Progress.step(4), Map::of))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("is recorded as complete at step 3")
          .hasMessageContaining("open it again");
    }
    try (CheckpointManager ckpt = toy(store, fresh()).open()) {
      ckpt.resume();
      ckpt.offer(Moment.Kind.STEP, Progress.step(4), Map::of);
    }
  }
}
