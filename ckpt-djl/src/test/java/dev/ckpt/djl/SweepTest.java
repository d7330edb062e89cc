package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.SaveTrigger;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Trainings of one program in one store, which differ in their parameters alone. */
class SweepTest {
  private static final List<Integer> WIDTHS = List.of(4, 8, 12);

  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  /** No run name is set: the parameters name it. */
  private static SmallTraining training(CheckpointStore in, int width) {
    SmallTraining training = new SmallTraining(Setup.plain(), in);
    training.block =
        small ->
            new SequentialBlock()
                .add(Linear.builder().setUnits(width).build())
                .add(Linear.builder().setUnits(3).build());
    training.checkpointing =
        unused ->
            CheckpointManager.in(in)
                .seed(99)
                .saveWhen(SaveTrigger.everyEpoch())
                .parameters(Map.of("width", width, "optimizer", "adam"));
    return training;
  }

  @Test
  void theParametersNameTheRunAndEachGoesOnWithItsOwn() {
    Map<Integer, SmallTraining> killed = new TreeMap<>();
    for (int width : WIDTHS) {
      SmallTraining training = training(store, width);
      assertThat(training.run(14)).isFalse();
      killed.put(width, training);
    }
    List<String> runs = Checkpoints.runs(store);
    assertThat(runs).hasSize(WIDTHS.size());
    killed.forEach(
        (width, training) -> {
          String name = "-optimizer-adam_width-" + width;
          String run = runs.stream().filter(each -> each.endsWith(name)).findFirst().orElseThrow();
          String whole = training(new InMemoryStore(Clock.systemUTC()), width).run().sha256;
          assertThat(training.run().sha256).as(run).isEqualTo(whole);
          assertThat(training.log.startedAt).as(run).containsExactly(0L, 12L);
          assertThat(Checkpoints.read(store, run).attempts())
              .hasSize(2)
              .allSatisfy(
                  each ->
                      assertThat(each.provenance())
                          .containsEntry("param.width", "" + width)
                          .containsEntry("param.optimizer", "adam"));
        });
    assertThat(Checkpoints.runs(store)).as("no run besides").isEqualTo(runs);
  }
}
