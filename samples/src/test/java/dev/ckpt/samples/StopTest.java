package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** SIGTERM: the exit is held until the training stands at a boundary and that is saved. */
class StopTest {

  @TempDir Path folder;

  @Test
  void aStopLosesNothing() throws IOException, InterruptedException {
    KilledRun run = new KilledRun(folder, new Training(Combination.PLAIN, 2));
    Attempt inEpoch = run.terminateAt(process -> process.trained().size() >= 17);
    assertThat(inEpoch.lost()).isZero();
    Attempt inValidation =
        run.terminateAt(
            process -> {
              List<String> journal = process.journal();
              return !journal.isEmpty() && journal.get(journal.size() - 1).startsWith("V ");
            });
    assertThat(inValidation.lost()).isZero();
    run.finish();
  }

  @Test
  void aStepLongerThanTheGraceKeepsTheLastCheckpointAndSaysSo()
      throws IOException, InterruptedException {
    Training training = new Training(Combination.PLAIN, 1);
    Path store = folder.resolve("store");
    List<String> arguments = new ArrayList<>(List.of("lasts", "22"));
    arguments.addAll(training.arguments(store));
    try (SampleProcess process =
        SampleProcess.start(
            folder.resolve("long"),
            TroubledDigits.class,
            arguments,
            Map.of("CKPT_STOP_GRACE", "1s"))) {
      assertThat(
              process.await(
                  () -> process.out().contains("a long step") && Commits.newestStep(store) > 0))
          .as(process.toString())
          .isTrue();
      process.terminate();
      assertThat(process.exitCode()).as(process.toString()).isEqualTo(143);
      List<Path> kept = Commits.manifests(store);
      String id = kept.get(kept.size() - 1).getFileName().toString().replace(".json", "");
      assertThat(process.err())
          .contains("no cut was saved within 1 s")
          .contains("the last committed checkpoint is kept: " + id);
    }
    assertThat(store.resolve("runs/digits-djl/ends/000001.json"))
        .content()
        .contains("\"how\":\"stopped\"")
        .contains("\"step\":22");
    SampleProcess next = SampleProcess.run(folder.resolve("next"), training.arguments(store));
    assertThat(next.sha()).isEqualTo(training.uninterrupted().sha());
  }
}
