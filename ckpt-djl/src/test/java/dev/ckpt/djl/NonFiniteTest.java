package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.TrainingDivergedException;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Retention;
import dev.ckpt.Stores;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A training whose learning rate explodes: its weights are no numbers any more. */
class NonFiniteTest {
  private static final int LAST_SOUND_UPDATE = 12;
  private static final int SAVE_EVERY = 1;

  private final CheckpointStore store = Stores.inMemory();
  private final List<Checkpoint> committed = Collections.synchronizedList(new ArrayList<>());
  private NonFinitePolicy policy = NonFinitePolicy.WARN;

  private SmallTraining training(boolean explodes) {
    Tracker rate =
        update -> explodes && update > LAST_SOUND_UPDATE ? Float.POSITIVE_INFINITY : 0.05f;
    Setup setup =
        Setup.plain()
            .savingEvery(SAVE_EVERY)
            .with(() -> Optimizer.sgd().setLearningRateTracker(rate).build());
    SmallTraining training = new SmallTraining(setup, store);
    training.watchesDivergence = false;
    training.checkpointing =
        builder ->
            builder
                .nonFinite(policy)
                .notify(
                    new CheckpointListener() {
                      @Override
                      public void committed(Checkpoint checkpoint) {
                        committed.add(checkpoint);
                      }
                    })
                .keep(
                    Retention.anyOf(
                        Retention.latest(1), Retention.best("train_loss", Retention.Mode.MIN, 1)));
    return training;
  }

  private List<Checkpoint> list() {
    return Checkpoints.read(store, "small").list();
  }

  /** With DJL's default listeners, whose exception makes a crash loop of it. */
  @Test
  void aTrainingThatDivergesEachTimeIsStoppedWithTheCause() {
    for (int attempt = 1; attempt <= 3; attempt++) {
      SmallTraining exploding = training(true);
      exploding.watchesDivergence = true;
      assertThatThrownBy(exploding::run).isInstanceOf(TrainingDivergedException.class);
      assertThat(exploding.log.startedAt).containsExactly(attempt == 1 ? 0L : LAST_SOUND_UPDATE);
      assertThat(Checkpoints.read(store, "small").latest().orElseThrow().progress().step())
          .isEqualTo(LAST_SOUND_UPDATE);
    }
    assertThatThrownBy(training(true)::run)
        .isInstanceOf(CheckpointException.CrashLoop.class)
        .hasMessageContaining("at step " + (LAST_SOUND_UPDATE + 1))
        .hasMessageContaining("The Loss became NaN");
  }

  @ParameterizedTest
  @EnumSource
  void aRestartGoesOnFromTheLastFiniteOne(NonFinitePolicy each) {
    policy = each;
    List<Long> startedAt = new ArrayList<>();
    Checkpoint last = null;
    for (int attempt = 1; attempt <= 3; attempt++) {
      SmallTraining exploding = training(true);
      int kill = attempt == 1 ? 18 : 7; // well behind the last sound update
      String log = Told.by(() -> assertThat(exploding.run(kill)).isFalse());
      startedAt.addAll(exploding.log.startedAt);
      Checkpoint latest = Checkpoints.read(store, "small").latest().orElseThrow();
      if (last == null) {
        last = latest;
        assertThat(latest.finite()).isTrue();
        assertThat(latest.progress().step()).isEqualTo(LAST_SOUND_UPDATE);
      }
      assertThat(latest).as("nothing newer that is finite").isEqualTo(last);
      switch (each) {
        case KEEP -> assertThat(log).doesNotContain("never the latest or the best");
        case WARN ->
            assertThat(log)
                .containsOnlyOnce("is kept, but never the latest or the best")
                .contains("the last finite one is " + last.id());
        case FAIL ->
            assertThat(log).contains("NaN or infinite values, and nonFinite is set to fail");
      }
      assertThat(list().stream().anyMatch(checkpoint -> !checkpoint.finite()))
          .isEqualTo(each != NonFinitePolicy.FAIL);
    }
    long step = Objects.requireNonNull(last).progress().step();
    assertThat(startedAt).containsExactly(0L, step, step);
    Checkpoint best =
        committed.stream()
            .filter(Checkpoint::finite)
            .min(Comparator.comparingDouble(checkpoint -> checkpoint.metrics().get("train_loss")))
            .orElseThrow();
    assertThat(list()).as("the best finite one was not evicted").contains(best);

    SmallTraining mended = training(false);
    mended.run();
    assertThat(mended.log.startedAt).containsExactly(step);
    assertThat(Checkpoints.read(store, "small").latest().orElseThrow().finite()).isTrue();
  }
}
