package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.SaveHandle;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import dev.ckpt.testkit.Gate;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A start that sleeps before any one of its calls, while another process takes the run and saves.
 */
@Tag("anyjdk")
class OvertakenStartTest {

  private MaintainedStore at = new MaintainedStore();

  @Test
  void itGoesOnFromWhatIsThereOrIsToldThatItWasTakenOver() throws IOException {
    List<Resume> starts = List.of(new Resume.Auto(), new Resume.Required(), Resume.parse(id(1, 2)));
    int cases = 0;
    int fenced = 0;
    for (Resume how : starts) {
      for (Resume other : List.of(new Resume.Auto(), Resume.parse(id(1, 3)), new Resume.Never())) {
        for (int call = 1; ; call++) {
          at = MaintainedStore.of(MaintainedStore.template());
          AtCall store = new AtCall(at.store, call, () -> trains(at.store, other));
          if (!isResumed(store, how)) {
            fenced++;
          }
          if (!store.happened()) {
            assertThat(call).isGreaterThan(20);
            break;
          }
          assertThat(at.start()).as("after call %s", call).isNotEqualTo("error");
          cases++;
        }
      }
    }
    System.out.printf("a start that is overtaken: %d cases, %d told of it%n", cases, fenced);
    assertThat(fenced).isPositive().isLessThan(cases);
  }

  /**
   * The first save of a run is at its commit when the run is taken over; the commit lands when the
   * second attempt has begun with nothing.
   */
  @Test
  void aFirstCommitThatLandsLateIsGoneOnFromIfWhoTookTheRunOverSavedNothing() throws Exception {
    for (Resume taker : List.of(new Resume.Auto(), new Resume.Never())) {
      for (Second second : Second.values()) {
        at = new MaintainedStore();
        FaultyStore slow = FaultyStore.around(at.store);
        Gate commit = slow.on(Operation.PUT_IF_ABSENT).key("**/manifests/**").nth(1).hangs();
        ToyState state = fresh();
        CheckpointManager first = opened(slow, state, new Resume.Auto());
        first.resume();
        state.advance(1);
        SaveHandle landing = first.save(Progress.step(1), Map.of());
        commit.awaitArrivals(1, Duration.ofSeconds(30));
        FaultyStore dies = FaultyStore.around(at.store);
        CheckpointManager taking = opened(dies, state, taker);
        assertThat(taking.resume()).isEmpty();
        commit.release();
        landing.join();
        second.with(taking, dies);
        dies.on().stops();
        first.close();
        boolean goesOn = taker instanceof Resume.Auto && second != Second.SAVES;
        String expected = goesOn ? id(1, 1) : second == Second.SAVES ? id(2, 2) : "fresh";
        assertThat(at.next()).as("%s, %s", taker, second).isEqualTo(expected);
        assertThat(Checkpoints.read(at.store, "toy").verifyRecords().problems())
            .as("%s, %s", taker, second)
            .isEmpty();
        assertThat(at.start()).isEqualTo(expected);
      }
    }
  }

  /** Nor is it asked for a record that is there. */
  @Test
  void ofTwoLateCommitsTheOlderIsNotTakenIfTheNewerIsDamaged() throws IOException {
    MaintainedStore late = new MaintainedStore();
    late.run("toy", new Resume.Auto(), 1);
    MaintainedStore later = new MaintainedStore();
    later.run("toy", new Resume.Auto());
    later.run("toy", new Resume.Auto(), 2);
    at = new MaintainedStore();
    for (int attempt = 1; attempt <= 3; attempt++) {
      at.run("toy", new Resume.Auto());
    }
    TreeMap<String, byte[]> objects = at.objects();
    late.objects().forEach((key, bytes) -> lands(objects, key, id(1, 1), bytes));
    later.objects().forEach((key, bytes) -> lands(objects, key, id(2, 2), bytes));
    assertThat(MaintainedStore.of(objects).next()).isEqualTo(id(2, 2));
    String manifest = KEYS.manifest(parsed(id(2, 2)));
    for (boolean lost : new boolean[] {false, true}) {
      at = MaintainedStore.of(objects);
      if (lost) {
        Checkpoints.read(at.store, "toy").pin(id(2, 2));
        at.store.delete(List.of(manifest));
      } else {
        at.flip(manifest, 120);
      }
      at.clock.pass(Duration.ofHours(1));
      assertThatThrownBy(() -> at.run("toy", new Resume.Auto()))
          .isInstanceOf(CheckpointException.Corrupt.class)
          .hasMessageContaining("another branch has " + id(2, 2));
      at.run("toy", Resume.parse(id(1, 1)), 3);
      assertThat(at.listed("toy")).as("the way out").contains(id(1, 1));
    }
  }

  private static void lands(TreeMap<String, byte[]> objects, String key, String id, byte[] bytes) {
    if (key.contains(id)) {
      objects.put(key, bytes);
    }
  }

  /** What who took the run over does before it dies. */
  private enum Second {
    NOTHING,
    FAILS_TO_SAVE,
    GIVES_UP,
    SAVES;

    void with(CheckpointManager taking, FaultyStore store) throws IOException {
      if (this == NOTHING) {
        return;
      }
      if (this == GIVES_UP) {
        byte[] abort = new Manifest.Abort(parsed(id(2, 2)), "its save failed").encode();
        store.putIfAbsent(KEYS.manifest(parsed(id(2, 2))), ByteBuffer.wrap(abort));
        return;
      }
      if (this == FAILS_TO_SAVE) {
        store.on(Operation.PUT_IF_ABSENT).key("**/votes/**").fails();
      }
      SaveHandle save = taking.save(Progress.step(2), Map.of());
      if (this == SAVES) {
        save.join();
      } else {
        assertThatThrownBy(save::join).isInstanceOf(CheckpointException.SaveFailed.class);
      }
    }
  }

  private static CheckpointManager opened(CheckpointStore store, ToyState state, Resume how) {
    return CheckpointManager.in(new OtherUri(store))
        .run("toy")
        .part("toy", state)
        .keep(Set::copyOf)
        .retries(0)
        .takeOver(true)
        .resume(how)
        .open();
  }

  private static void trains(CheckpointStore store, Resume how) {
    ToyState state = fresh();
    try (CheckpointManager ckpt =
        CheckpointManager.in(new OtherUri(store))
            .run("toy")
            .part("toy", state)
            .keep(Set::copyOf)
            .takeOver(true)
            .resume(how)
            .open()) {
      ckpt.resume();
      state.advance(1);
      ckpt.save(Progress.step(state.counter), Map.of()).join();
    }
  }

  /** Not an error of its own, whatever it saw: the run is whole. */
  private static boolean isResumed(CheckpointStore store, Resume how) {
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", fresh())
            .keep(Set::copyOf)
            .resume(how)
            .open()) {
      ckpt.resume();
      return true;
    } catch (CheckpointException.Fenced e) {
      return false;
    }
  }
}
