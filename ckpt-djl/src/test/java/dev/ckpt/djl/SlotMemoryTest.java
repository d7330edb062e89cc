package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.util.NativeResource;
import dev.ckpt.djl.SmallTraining.Setup;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Slots belong to no manager of DJL's: nobody frees one that the optimizer no longer holds. */
class SlotMemoryTest {

  private final Optimizer optimizer = SmallTraining.adam();

  private List<NDArray> slots() {
    return new OptimizerFields(optimizer)
        .slots().values().stream()
            .flatMap(byId -> byId.values().stream())
            .flatMap(byDevice -> byDevice.values().stream())
            .toList();
  }

  private static boolean released(NDArray array) {
    return ((NativeResource<?>) array).isReleased();
  }

  @Test
  void slotsThatAResumeReplacesAreFreed() {
    // as a notebook does whose cell with the optimizer is not run again
    SmallTraining training = new SmallTraining(Setup.plain());
    training.optimizer = () -> optimizer;
    assertThat(training.run(7)).isFalse();
    List<NDArray> before = slots();
    assertThat(before).hasSize(2 * 6).noneMatch(SlotMemoryTest::released);
    training.run();
    assertThat(training.log.startedAt.get(1)).isPositive();
    assertThat(before).allMatch(SlotMemoryTest::released);
    assertThat(slots()).hasSameSizeAs(before).noneMatch(SlotMemoryTest::released);
  }
}
