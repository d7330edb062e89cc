package dev.ckpt.mlflow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Stores;
import dev.ckpt.mlflow.internal.publish.Publisher;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

/** What is said at the end of a training. */
class EndTest extends AgainstAStandIn {
  private static final String WAYS = "the next start, or ckpt mlflow sync";

  /** What is done when one checkpoint is shown, and before the end. */
  private interface Last {
    void with(Publisher publisher, Checkpoint shown);
  }

  private void train(Duration standstill, Last last) throws IOException {
    Publisher.Patience patience =
        new Publisher.Patience(
            Duration.ofMillis(5), Duration.ofMillis(50), Duration.ofMillis(200), standstill);
    Toy toy = Toy.usual();
    try (CheckpointStore store = Stores.local(folder)) {
      Publisher publisher =
          new Publisher(
              store,
              "toy",
              MlflowRuns.options(Runs.settings(server.uri()), Map.of()),
              patience,
              InstantSource.system());
      try (CheckpointManager manager = Runs.toy(folder, toy, publisher).open()) {
        manager.resume();
        toy.advance();
        last.with(publisher, Runs.save(manager, toy));
      }
    }
  }

  /** Whether the last event of the training is in the outbox. */
  private boolean isClosing() {
    try (var files = Files.list(folder.resolve("mlflow/toy/outbox"))) {
      for (Path each : files.toList()) {
        if (Files.readString(each).contains("\"what\":\"closed\"")) {
          return true;
        }
      }
    } catch (IOException e) {
      // published meanwhile: one looks again
    }
    return false;
  }

  @Test
  void whatIsNotShownYetIsSaidThoughNoEventWaits() throws Exception {
    String told =
        Told.by(
            () -> {
              train(
                  Duration.ofSeconds(1),
                  (publisher, shown) -> {
                    Awaitility.await()
                        .atMost(Duration.ofSeconds(30))
                        .until(
                            () ->
                                server.runs.values().stream()
                                    .anyMatch(run -> run.tags.containsKey("ckpt.latest")));
                    AtomicBoolean closing = new AtomicBoolean();
                    server.plan =
                        (call, what) -> {
                          // nothing is through before the end is there: else that would wait
                          while (!closing.get()) {
                            closing.set(isClosing());
                          }
                          return what.endsWith("checkpoints.json")
                              ? StandIn.Trouble.HANG
                              : StandIn.Trouble.NONE;
                        };
                    publisher.deleted(shown);
                  });
              assertThat(folder.resolve("mlflow/toy/outbox")).isEmptyDirectory();
            });
    assertThat(told).containsOnlyOnce("MLflow does not show all of it yet").contains(WAYS);
  }

  @Test
  void whatIsShownIsNotSaidToBeMissing() throws Exception {
    String told = Told.by(() -> train(Duration.ofMinutes(1), (publisher, shown) -> {}));
    assertThat(told).contains("run 'toy' in MLflow: ").doesNotContain("ckpt mlflow sync");
  }

  @Test
  void whatWaitsIsCounted() throws Exception {
    server.plan = (call, what) -> StandIn.Trouble.ANSWER_503;
    String told = Told.by(() -> train(Duration.ofMinutes(1), (publisher, shown) -> {}));
    assertThat(told).contains("3 event(s) wait for MLflow in").doesNotContain("does not show all");
  }
}
