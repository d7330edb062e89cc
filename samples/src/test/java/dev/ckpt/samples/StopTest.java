package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.samples.KilledRun.Attempt;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
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
}
