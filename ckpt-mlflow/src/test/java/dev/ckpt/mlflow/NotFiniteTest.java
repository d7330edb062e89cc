package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What has diverged looks like it: MLflow makes a zero of a NaN that stands on a model. */
class NotFiniteTest extends AgainstAStandIn {
  @Test
  void aLossThatIsNoNumberIsNoneOfAModelAndOneOfTheRun() throws Exception {
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, Toy.usual(), Runs.publisher(store, Runs.settings(server.uri())))
                .open()) {
      manager.resume();
      manager
          .save(
              Progress.step(1),
              Map.of(
                  "loss",
                  Double.NaN,
                  "low",
                  Double.NEGATIVE_INFINITY,
                  "hi`gh",
                  Double.POSITIVE_INFINITY,
                  "accuracy",
                  0.5))
          .join();
    }
    StandIn.ModelState model = server.shown().get(0);
    assertThat(model.metrics)
        .containsEntry("accuracy", 0.5)
        .containsKeys("ckpt.bytes", "ckpt.norm")
        .doesNotContainKeys("loss", "low")
        .allSatisfy((key, value) -> assertThat(key).doesNotStartWith("hi_gh"));
    StandIn.RunState run = server.runs.values().iterator().next();
    assertThat(run.metrics.entrySet())
        .anyMatch(each -> each.getKey().startsWith("loss 1 ") && each.getValue().isNaN())
        .anyMatch(
            each ->
                each.getKey().startsWith("low 1 ") && each.getValue() == Double.NEGATIVE_INFINITY)
        .anyMatch(
            each ->
                each.getKey().startsWith("hi_gh") && each.getValue() == Double.POSITIVE_INFINITY);
    assertThat(model.tags.get("mlflow.note.content"))
        .contains("`loss` = NaN", "`low` = -Infinity", "`hi'gh` = Infinity")
        .doesNotContain("accuracy");
  }

  @Test
  void weightsThatAreNoNumbersHaveNoNormOfZero() throws Exception {
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder);
        CheckpointManager manager =
            Runs.toy(folder, toy, Runs.publisher(store, Runs.settings(server.uri()))).open()) {
      manager.resume();
      toy.advance();
      toy.diverged = true;
      Runs.save(manager, toy);
    }
    assertThat(server.shown())
        .singleElement()
        .satisfies(
            model -> {
              assertThat(model.metrics).containsKey("loss").doesNotContainKey("ckpt.norm");
              assertThat(model.tags.get("mlflow.note.content"))
                  .contains("It holds NaN or infinite values");
            });
    assertThat(server.runs.values().iterator().next().metrics.entrySet())
        .anyMatch(each -> each.getKey().startsWith("ckpt.norm ") && each.getValue().isNaN());
  }
}
