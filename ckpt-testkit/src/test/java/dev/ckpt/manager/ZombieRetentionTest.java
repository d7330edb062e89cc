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
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Cleaner;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A process falls asleep in its retention or its sweep, another one takes the run over and goes
 * back to an older checkpoint, and the first wakes up: it must not delete what the second trains
 * from.
 */
class ZombieRetentionTest {

  private MaintainedStore at = new MaintainedStore();
  private String wentOnFrom = "";
  private int successor;

  @Test
  void whatASuccessorWentBackToStaysWhereverItsPredecessorSlept() throws IOException {
    int wentOn = 0;
    int call = 1;
    for (boolean struck = true; struck; call++) {
      at = MaintainedStore.of(MaintainedStore.template());
      at.clock.pass(Duration.ofHours(1));
      wentOnFrom = "";
      AtCall asleep = new AtCall(at.store, call, this::takeOver);
      trainsAndCleansUp(asleep);
      struck = asleep.happened();
      // one that slept before its start took an attempt is the newer one, and may
      boolean isNewest = new RunLog(at.store, KEYS).newestAttempt() == successor;
      if (!wentOnFrom.isEmpty() && isNewest) {
        wentOn++;
        assertThat(at.listed("toy"))
            .as("asleep at call %s: %s", call, last(asleep))
            .contains(wentOnFrom);
        assertThat(Checkpoints.read(at.store, "toy").verify(wentOnFrom).ok()).isTrue();
      }
      assertThat(at.next()).as("asleep at call %s: %s", call, last(asleep)).isNotEqualTo("error");
    }
    System.out.println(call - 2 + " calls, the successor went on in " + wentOn);
    assertThat(call).isGreaterThan(60);
    assertThat(wentOn).isGreaterThan(40);
  }

  /** What failed half-way is tried again: its mark then stands for a manifest that is gone. */
  @Test
  void theMarkOfADeletionThatFailedHalfWayStaysThoughASuccessorCameMeanwhile() throws IOException {
    for (boolean half : new boolean[] {true, false}) {
      at = MaintainedStore.of(MaintainedStore.template());
      FaultyStore flaky = FaultyStore.around(at.store);
      RunLog run = new RunLog(flaky, KEYS);
      Step.Delete step =
          new Step.Delete(
              new MaintenanceAction(Kind.DELETE, "toy", id(1, 2), 1, "not kept"),
              (Manifest.Commit) run.manifest(parsed(id(1, 2))).orElseThrow(),
              Set.of());
      flaky.on(Operation.DELETE).key(half ? "**/data/**" : "**/manifests/**").nth(1).fails();
      Committer committer = new Committer(flaky, KEYS);
      assertThatThrownBy(() -> new Cleaner(flaky, run, committer, () -> {}).does(step))
          .isInstanceOf(IOException.class);
      Cleaner.Fence fenced =
          () -> {
            throw new CheckpointException.Fenced("taken over");
          };
      assertThatThrownBy(() -> new Cleaner(flaky, run, committer, fenced).does(step))
          .isInstanceOf(CheckpointException.Fenced.class);
      assertThat(at.listed("toy").contains(id(1, 2))).isEqualTo(!half);
      assertThat(run.deleted().contains(parsed(id(1, 2)))).isEqualTo(half);
      assertThat(Evidence.above(Optional.empty(), run).all()).isEmpty();
    }
  }

  private static String last(AtCall store) {
    return store.calls().isEmpty() ? "" : store.calls().get(store.calls().size() - 1);
  }

  /** The first: saves a step, keeps the newest only, and sweeps. */
  private static void trainsAndCleansUp(AtCall store) {
    ToyState state = fresh();
    try (CheckpointManager first =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", state)
            .keep(Retention.latest(1))
            .open()) {
      first.resume();
      state.advance(1);
      first.save(Progress.step(state.counter), Map.of("loss", 0.5)).join();
    } catch (CheckpointException e) {
      assertThat(e)
          .isInstanceOfAny(CheckpointException.Fenced.class, CheckpointException.SaveFailed.class);
    }
  }

  /** The second: goes back to a checkpoint that the first is about to delete. */
  private void takeOver() {
    try (CheckpointManager second =
        CheckpointManager.in(new Locking(at.store))
            .run("toy")
            .part("toy", fresh())
            .keep(Set::copyOf)
            .takeOver(true)
            .resume(Resume.parse(id(2, 4)))
            .open()) {
      successor = second.attempt();
      wentOnFrom = second.resume().orElseThrow().checkpoint().id();
    } catch (CheckpointException.NotFound e) {
      // it came too late, and was told so
      wentOnFrom = "";
    }
  }
}
