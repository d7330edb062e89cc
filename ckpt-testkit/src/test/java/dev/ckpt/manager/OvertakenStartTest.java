package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A start that sleeps before any one of its calls, while another process takes the run and saves.
 */
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
