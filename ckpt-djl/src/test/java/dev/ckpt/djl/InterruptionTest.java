package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListenerAdapter;
import dev.ckpt.SaveTrigger;
import dev.ckpt.djl.SmallTraining.Log;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Place;
import dev.ckpt.djl.SmallTraining.Setup;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Ends that are not kills: what throws where, and what is saved then. */
class InterruptionTest {
  private static Setup onlyOnException(Place place) {
    return Setup.plain().with(place).with(SaveTrigger.onException());
  }

  @ParameterizedTest
  @EnumSource(Place.class)
  void anExceptionOfAListenerAtTheEndOfAnEpochLosesNothing(Place place) {
    Log whole = new SmallTraining(onlyOnException(place)).run();

    SmallTraining broken = new SmallTraining(onlyOnException(place));
    broken.listener = new ThrowsAtTheSecondEpoch();
    assertThatThrownBy(broken::run).hasMessage("second epoch");
    broken.listener = new TrainingListenerAdapter() {};
    broken.run();

    // all batches of two epochs were done; the second validation is repeated
    assertThat(broken.log.startedAt).containsExactly(0L, 20L);
    assertThat(broken.log.executed).isEqualTo(whole.executed);
    assertThat(broken.log.sha256).isEqualTo(whole.sha256);
    assertThat(broken.log.batches).isEqualTo(whole.batches);
    assertThat(broken.log.epochs).isEqualTo(whole.epochs);
  }

  private static final class ThrowsAtTheSecondEpoch extends TrainingListenerAdapter {
    private int epochs;

    @Override
    public void onEpoch(Trainer trainer) {
      if (++epochs == 2) {
        throw new IllegalStateException("second epoch");
      }
    }
  }

  @Test
  void anExceptionOfTheDataSavesTheBoundaryBeforeIt() {
    Setup setup = onlyOnException(Place.LAST).with(SmallTraining.Order.READ);
    Log whole = new SmallTraining(setup).run();

    SmallTraining broken = new SmallTraining(setup);
    broken.dataFailsAt = 13;
    assertThatThrownBy(broken::run).hasMessage("no data");
    broken.dataFailsAt = Integer.MAX_VALUE;
    broken.run();

    assertThat(broken.log.startedAt).containsExactly(0L, 13L);
    assertThat(broken.log.sha256).isEqualTo(whole.sha256);
    assertThat(broken.log.batches).isEqualTo(whole.batches);
  }

  /** Data of the user's own that draws, and breaks once behind that. */
  private static final class DrawsAndBreaks extends ArrayDataset {
    private final Random random;
    private int left;

    DrawsAndBreaks(ArrayDataset.Builder builder, Random random, int left) {
      super(builder);
      this.random = random;
      this.left = left;
    }

    @Override
    public Batch getByIndices(NDManager manager, long... indices) {
      float noise = random.nextFloat();
      if (--left == 0) {
        throw new IllegalStateException("broke");
      }
      Batch batch = super.getByIndices(manager, indices);
      batch.getData().head().addi(noise);
      return batch;
    }
  }

  @Test
  void whatWasDrawnForABatchThatIsNotThereIsDrawnAgain() {
    List<String> ends = new ArrayList<>();
    for (int breaks : new int[] {0, 14}) {
      SmallTraining training = new SmallTraining(onlyOnException(Place.LAST));
      int[] left = {breaks};
      Random[] random = new Random[1];
      training.afterResume = (ckpt, trainer) -> random[0] = ckpt.random("data");
      training.dataset =
          (builder, which) ->
              which == 1 ? new DrawsAndBreaks(builder, random[0], left[0]) : builder.build();
      if (breaks > 0) {
        assertThatThrownBy(training::run).hasMessage("broke");
        left[0] = 0;
      }
      training.run();
      ends.add(training.log.sha256 + training.log.executed);
    }
    assertThat(ends.get(1)).isEqualTo(ends.get(0));
  }

  @Test
  void anExceptionInsideAStepSavesNothing() {
    Setup setup = onlyOnException(Place.LAST);
    SmallTraining broken = new SmallTraining(setup);
    assertThat(broken.run(4)).isFalse();
    broken.run();
    assertThat(broken.log.startedAt).containsExactly(0L, 0L);
  }

  @Test
  void anOptimizerOfOnesOwnIsSavedWithItsCounter() {
    Setup setup = Setup.plain().with(CountingOptimizer::new);
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);
    assertThat(killed.run(14)).isFalse();
    killed.run();
    assertThat(killed.log.startedAt).containsExactly(0L, 12L);
    assertThat(killed.log.sha256).isEqualTo(whole.sha256);
  }

  @Test
  void aFrozenParameterStaysFrozenAndItsUpdateIsNotWaitedFor() {
    Setup setup = Setup.plain();
    List<float[]> kept = new ArrayList<>();
    SmallTraining training = new SmallTraining(setup);
    training.afterResume =
        (ckpt, trainer) -> {
          Parameter first = Parameters.of(trainer).byName().values().iterator().next();
          if (ckpt.progress().step() == 0) {
            first.freeze(true);
          } else {
            assertThat(first.requiresGradient()).isFalse();
          }
          kept.add(first.getArray().toFloatArray());
        };
    assertThat(training.run(14)).isFalse();
    training.run();
    assertThat(training.log.startedAt).containsExactly(0L, 12L);
    assertThat(kept).hasSize(2);
    assertThat(kept.get(1)).as("twelve updates later").isEqualTo(kept.get(0));
  }

  @Test
  void closingTwiceIsOneClose() {
    DjlCheckpoints ckpt =
        DjlCheckpoints.open(new SmallTraining(Setup.plain().with(Loop.FIT)).checkpoints());
    ckpt.close();
    ckpt.close();
  }
}
