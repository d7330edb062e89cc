package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Saves that fail so that nobody can say what became of them. */
@Tag("anyjdk")
class SavesWithoutAWordTest {

  /** Two would look as if the records of the run were lost. */
  @Test
  void savesThatFailAndCannotBeCleanedUpLeaveOneIdWithoutAWordAtMost() throws IOException {
    for (String failing : List.of("**/votes/**", "**/manifests/**")) {
      CheckpointStore store = Stores.inMemory();
      FaultyStore faulty = FaultyStore.around(store);
      ToyState state = MaintainedStore.fresh();
      try (CheckpointManager ckpt =
          CheckpointManager.in(faulty).run("toy").part("toy", state).open()) {
        ckpt.resume();
        faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(failing).fails();
        faulty.on(FaultyStore.Operation.DELETE).fails();
        for (int step = 1; step <= 4; step++) {
          state.advance(1);
          try {
            ckpt.save(Progress.step(step), Map.of()).join();
          } catch (CheckpointException e) {
            continue; // as it must
          }
          throw new AssertionError("saved in spite of the faults");
        }
      } catch (CheckpointException e) {
        // close says it, too
      }
      RunLog run = new RunLog(store, KEYS);
      NavigableSet<CheckpointId> voted = run.idsUnder(KEYS.votes());
      assertThat(
              run.idsUnder(KEYS.data()).stream()
                  .filter(id -> undecided(run, id) && !voted.contains(id)))
          .as(failing)
          .hasSizeLessThanOrEqualTo(1);
      try (CheckpointManager ckpt =
          CheckpointManager.in(store).run("toy").part("toy", MaintainedStore.fresh()).open()) {
        assertThat(ckpt.resume()).isEmpty();
      }
    }
  }

  @Test
  void oneKeyThatDoesNotAnswerEndsNoLaterSave() throws Exception {
    for (String key : List.of(id(1, 1), id(1, 2), id(2, 4))) {
      for (String how : List.of("neither write nor read", "foreign", "hangs")) {
        CheckpointStore store = Stores.inMemory();
        int first = parsed(key).attempt() == 1 ? 1 : 4;
        if (first > 1) {
          saves(store, 1, 3, Duration.ofSeconds(60), () -> {});
        }
        FaultyStore faulty = FaultyStore.around(store);
        String manifest = KEYS.manifest(parsed(key));
        boolean hangs = how.equals("hangs");
        List<Integer> failed =
            saves(
                faulty,
                first,
                first + 9,
                Duration.ofMillis(hangs ? 500 : 60_000),
                () -> {
                  if (how.equals("foreign")) {
                    put(store, manifest, "13 stray ones");
                  } else if (hangs) {
                    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(manifest).hangs();
                  } else {
                    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(manifest).fails();
                    faulty.on(FaultyStore.Operation.READ).key(manifest).fails();
                  }
                });
        faulty.heal();
        // who asks a key that hangs hangs, too, once
        assertThat(failed).as("%s %s", key, how).hasSizeLessThanOrEqualTo(hangs ? 2 : 1);
        assertThat(failed).contains((int) parsed(key).step());
        try (CheckpointManager ckpt =
            CheckpointManager.in(store).run("toy").part("toy", MaintainedStore.fresh()).open()) {
          assertThat(ckpt.resume().orElseThrow().checkpoint().progress().step())
              .isEqualTo(first + 9);
        }
      }
    }
  }

  private static void put(CheckpointStore store, String key, String text) {
    try {
      store.putIfAbsent(key, ByteBuffer.wrap(MaintainedStore.text(text)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Saves these steps, and says which of them failed. */
  private static List<Integer> saves(
      CheckpointStore store, int from, int to, Duration deadline, Runnable resumed) {
    ToyState state = MaintainedStore.fresh();
    List<Integer> failed = new ArrayList<>();
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", state)
            .keep(Set::copyOf)
            .deadline(deadline)
            .retries(0)
            .open()) {
      ckpt.resume();
      resumed.run();
      for (int step = from; step <= to; step++) {
        state.advance(step - (int) state.counter);
        try {
          ckpt.save(Progress.step(step), Map.of()).join();
        } catch (CheckpointException e) {
          failed.add(step);
        }
      }
    } catch (CheckpointException e) {
      assertThat(failed).as("close says it, too").isNotEmpty();
    }
    return failed;
  }

  @Test
  void whatLeavesNeitherVoteNorDecisionEndsAFewSavesAndNoMore() throws IOException {
    CheckpointStore store = Stores.inMemory();
    FaultyStore faulty = FaultyStore.around(store);
    for (String key : List.of(KEYS.manifest(parsed(id(1, 2))), KEYS.vote(parsed(id(1, 2)), 0))) {
      faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(key).fails();
      faulty.on(FaultyStore.Operation.READ).key(key).fails();
    }
    assertThat(saves(faulty, 1, 20, Duration.ofSeconds(60), () -> {})).containsExactly(2, 3, 4, 5);
    RunLog run = new RunLog(store, KEYS);
    assertThat(run.idsUnder(KEYS.data()).stream().filter(id -> undecided(run, id)))
        .containsExactly(parsed(id(1, 2)));
  }

  @Test
  void whatIsGivenUpAndCannotBeCleanedUpEndsNoLaterSave() throws IOException {
    CheckpointStore store = Stores.inMemory();
    FaultyStore faulty = FaultyStore.around(store);
    faulty.on(FaultyStore.Operation.PUT_IF_ABSENT).key(KEYS.vote(parsed(id(1, 2)), 0)).fails();
    faulty.on(FaultyStore.Operation.DELETE).key("**/" + id(1, 2) + "/**").fails();
    assertThat(saves(faulty, 1, 6, Duration.ofSeconds(60), () -> {})).containsExactly(2);
    assertThat(new RunLog(store, KEYS).isAborted(parsed(id(1, 2)))).isTrue();
  }

  private static boolean undecided(RunLog run, CheckpointId id) {
    try {
      return run.isUndecided(id);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
