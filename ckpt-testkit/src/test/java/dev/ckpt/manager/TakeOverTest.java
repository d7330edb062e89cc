package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.FailurePolicy;
import dev.ckpt.Moment;
import dev.ckpt.Progress;
import dev.ckpt.SaveHandle;
import dev.ckpt.Stores;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A run that is opened again in the same JVM, as a notebook cell does that is run again. */
class TakeOverTest {
  private final FaultyStore store = FaultyStore.around(Stores.inMemory());

  @AfterEach
  void letGo() {
    store.heal();
  }

  private static ToyState state() {
    return ToyState.random(31, 2, 100);
  }

  private CheckpointManagerBuilder toy() {
    return CheckpointManager.in(store)
        .run("toy")
        .part("toy", state())
        .retries(0)
        .deadline(Duration.ofSeconds(30));
  }

  @Test
  void whatTheFirstOneStillHadToReportDoesNotStopTheSecond() {
    CheckpointManager first = toy().onFailure(FailurePolicy.FAIL).open();
    first.resume();
    store.on(Operation.CREATE).nth(1).fails();
    SaveHandle failed = first.save(Progress.step(1), Map.of());
    assertThatThrownBy(failed::join).isInstanceOf(CheckpointException.SaveFailed.class);
    try (CheckpointManager second = toy().open()) {
      second.resume();
      second.save(Progress.step(1), Map.of()).join();
    }
  }

  @Test
  void ofTwoThatOpenAtOnceTheLaterOneTakesOver() throws Exception {
    Gate gate = store.on(Operation.PUT_IF_ABSENT).key("**/attempts/**").nth(1).hangs();
    FutureTask<CheckpointManager> one = new FutureTask<>(toy()::open);
    new Thread(one).start();
    gate.awaitArrivals(1, Duration.ofSeconds(10));
    FutureTask<CheckpointManager> two = new FutureTask<>(toy()::open);
    untilItWaits(two);
    gate.release();
    CheckpointManager first = one.get();
    try (CheckpointManager second = two.get()) {
      assertThat(second.attempt()).isEqualTo(first.attempt() + 1);
      second.resume();
      assertThatThrownBy(first::resume)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }

  @Test
  void aCutThatTheFirstOneIsInTheMidstOfIsFinished() throws Exception {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    CheckpointManager first =
        toy()
            .saveWhen(
                moment -> {
                  inside.countDown();
                  return awaited(go);
                })
            .open();
    first.resume();
    FutureTask<Boolean> cut =
        new FutureTask<>(
            () -> first.offer(Moment.Kind.STEP, Progress.step(1), Map::of).isPresent());
    new Thread(cut).start();
    inside.await();
    FutureTask<CheckpointManager> open = new FutureTask<>(toy()::open);
    untilItWaits(open);
    go.countDown();
    assertThat(cut.get()).isTrue();
    try (CheckpointManager second = open.get()) {
      assertThat(second.resume().orElseThrow().checkpoint().progress().step()).isEqualTo(1);
      assertThatThrownBy(() -> first.offer(Moment.Kind.STEP, Progress.step(2), Map::of))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
  }

  private static boolean awaited(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
    return true;
  }

  /** Runs it on a thread of its own until it waits for another thread, or has ended. */
  private static void untilItWaits(FutureTask<?> task) throws InterruptedException {
    Thread thread = new Thread(task);
    thread.start();
    while (thread.getState() == Thread.State.NEW || thread.getState() == Thread.State.RUNNABLE) {
      Thread.sleep(1);
    }
  }
}
