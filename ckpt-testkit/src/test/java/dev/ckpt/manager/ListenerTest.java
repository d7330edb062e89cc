package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.SaveHandle;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.SaveCost;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a listener is told, and when. */
class ListenerTest {
  private final FaultyStore store = FaultyStore.around(Stores.inMemory());
  private final ToyState state = ToyState.random(3, 2, 500);
  private final List<String> events = Collections.synchronizedList(new ArrayList<>());
  private final List<SaveCost> costs = Collections.synchronizedList(new ArrayList<>());

  private final CheckpointListener listener =
      new CheckpointListener() {
        @Override
        public void reconcile(List<Checkpoint> committed) {
          events.add("reconcile"); // with the first commit or without it
        }

        @Override
        public void committed(Checkpoint checkpoint, SaveCost cost) {
          events.add("committed " + checkpoint.progress().step());
          costs.add(cost);
        }

        @Override
        public void failed(String id, Progress progress, CheckpointException failure) {
          events.add(
              "failed " + id + " " + progress.step() + " " + failure.getClass().getSimpleName());
        }

        @Override
        public void closed() {
          events.add("closed");
        }
      };

  private CheckpointManager open(Duration deadline) {
    return CheckpointManager.in(store)
        .run("toy")
        .part("toy", state)
        .retries(0)
        .deadline(deadline)
        .notify(listener)
        .open();
  }

  private SaveHandle step(CheckpointManager ckpt) {
    state.advance(1);
    return ckpt.save(Progress.step(state.counter), Map.of());
  }

  @Test
  void commitsFailuresAndTheEndAreToldInTheirOrder() {
    try (CheckpointManager ckpt = open(Duration.ofSeconds(30))) {
      ckpt.resume();
      step(ckpt).join();
      store.on(Operation.WRITE).key("**.arrow").fails();
      step(ckpt);
      step(ckpt);
    }
    assertThat(events)
        .containsExactly(
            "reconcile",
            "committed 1",
            "failed 000001-000000000002-0 2 SaveFailed",
            "failed 000001-000000000003-0 3 SaveFailed",
            "closed");
  }

  @Test
  void aSaveThatWaitsForTheOneBeforeItHasStoodStillForThatLong() throws Exception {
    try (CheckpointManager ckpt = open(Duration.ofSeconds(30))) {
      ckpt.resume();
      store.on(Operation.WRITE).key("**.arrow").nth(1).takes(Duration.ofMillis(300));
      step(ckpt);
      step(ckpt).join();
    }
    assertThat(costs).hasSize(2);
    // the first was written that long, and the second waited for it
    assertThat(costs.get(0).write()).isGreaterThanOrEqualTo(Duration.ofMillis(300));
    assertThat(costs.get(0).stall()).isPositive();
    assertThat(costs.get(1).stall()).isGreaterThan(costs.get(0).stall());
    assertThat(costs.get(1).write()).isPositive();
  }

  @Test
  void aWriterThatIsGivenUpIsToldOnce() throws Exception {
    Gate gate;
    try (CheckpointManager ckpt = open(Duration.ofMillis(300))) {
      ckpt.resume();
      gate = store.on(Operation.WRITE).key("**.arrow").nth(1).hangs();
      step(ckpt);
      gate.awaitArrivals(1, Duration.ofSeconds(10));
      step(ckpt).join();
      gate.release();
    }
    assertThat(events)
        .filteredOn(event -> event.startsWith("failed"))
        .containsExactly("failed 000001-000000000001-0 1 SaveFailed");
  }
}
