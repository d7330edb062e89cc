package dev.ckpt.manager;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.NonFinitePolicy;
import dev.ckpt.Progress;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A process of its own that is asked to end at a bad moment, or whose weights go bad. */
class ProcessTest {
  private static final Map<String, String> SHORT_GRACE = Map.of("CKPT_STOP_GRACE", "2s");

  /** Far more than the grace and what may follow it, far less than the deadline of 60 s. */
  private static final int IN_TIME = 40;

  @TempDir Path folder;

  private Restored restored() throws IOException {
    ToyState state = ToyProcess.state();
    try (CheckpointStore store = Stores.local(folder.resolve("store"));
        CheckpointManager ckpt =
            CheckpointManager.in(store).run(ToyProcess.RUN).part("toy", state).open()) {
      Restored restored = ckpt.resume().orElseThrow();
      assertThat(state.counter).isEqualTo(restored.checkpoint().progress().step());
      return restored;
    }
  }

  private String end() throws IOException {
    Path end = folder.resolve("store/runs/toy/ends/000001.json");
    return Files.exists(end) ? Files.readString(end) : "";
  }

  @Test
  void aStoreThatHangsHoldsUpTheExitNoLongerThanTheGrace() throws Exception {
    try (ToyProcess process = ToyProcess.start(folder, "hangs", 20, SHORT_GRACE)) {
      process.await("hangs");
      process.await("step 40");
      process.terminate();
      assertThat(process.exitCode(IN_TIME)).isEqualTo(143);
      assertThat(process.err())
          .contains("asked to end: saving at the next cut, at most 2 s")
          .contains("the last committed checkpoint is kept: 000001-000000000019-0")
          .contains("how it ended could not be recorded");
    }
    assertThat(end()).isEmpty();
    assertThat(restored().checkpoint().id()).isEqualTo("000001-000000000019-0");
  }

  @Test
  void aStepLongerThanTheGraceKeepsTheLastCheckpointAndSaysSo() throws Exception {
    try (ToyProcess process = ToyProcess.start(folder, "lasts", 20, SHORT_GRACE)) {
      process.await("lasts");
      process.terminate();
      assertThat(process.exitCode(IN_TIME)).isEqualTo(143);
      assertThat(process.err())
          .contains("no cut was saved within 2 s")
          .contains("the last committed checkpoint is kept: 000001-000000000019-0");
    }
    assertThat(end()).contains("\"how\":\"stopped\"");
    assertThat(restored().checkpoint().id()).isEqualTo("000001-000000000019-0");
  }

  /** Of a process that was asleep meanwhile, no save hears of it before the process ends. */
  @Test
  void aStopOfWhoWasTakenOverIsSaidToBeFenced() throws Exception {
    try (ToyProcess process = ToyProcess.start(folder, "lasts", 20, SHORT_GRACE)) {
      process.await("lasts");
      try (CheckpointStore store = Stores.local(folder.resolve("store"))) {
        Maintenance.of(store).takeOver(true).collect(ToyProcess.RUN, Set::copyOf, false);
      }
      process.terminate();
      assertThat(process.exitCode(IN_TIME)).isEqualTo(143);
    }
    assertThat(end()).contains("\"how\":\"closed\"").contains("fenced by attempt 2");
  }

  @Test
  void aFailureIsRecordedThoughTheProgramExitsWithoutClosing() throws Exception {
    try (ToyProcess process = ToyProcess.start(folder, "exits", 9, Map.of())) {
      assertThat(process.exitCode(IN_TIME)).isEqualTo(1);
    }
    assertThat(end())
        .contains("\"how\":\"failed\"")
        .contains("\"cause\":\"java.lang.IllegalStateException: bad step\"")
        .contains("\"step\":8");
  }

  @ParameterizedTest
  @EnumSource
  void whateverIsNotFiniteIsNeverTheLatestNorTheBest(NonFinitePolicy policy) throws Exception {
    String said = policy.name().toLowerCase(Locale.ROOT);
    for (int attempt = 1; attempt <= 3; attempt++) {
      try (ToyProcess process =
          ToyProcess.start(folder, "nan", 12, Map.of("CKPT_NON_FINITE", said))) {
        assertThat(process.line()).isEqualTo(attempt == 1 ? "from 0" : "from 11");
        process.await("step 25");
        process.close(); // kill -9
        String err = process.err();
        switch (policy) {
          case KEEP -> assertThat(err).doesNotContain("is kept, but never the latest");
          case WARN ->
              assertThat(err)
                  .containsOnlyOnce("is kept, but never the latest or the best")
                  .contains("-000000000012-0 holds NaN or infinite values")
                  .contains("the last finite one is 000001-000000000011-0");
          case FAIL ->
              assertThat(err)
                  .contains("a checkpoint was not saved")
                  .contains("-000000000012-0 holds NaN or infinite values");
        }
        if (attempt > 1 && policy != NonFinitePolicy.FAIL) {
          assertThat(err).contains("passed over 00000" + (attempt - 1) + "-0000000000");
        }
      }
      lastFiniteOnesAreThere(policy);
    }
    goesOnMended();
  }

  private void lastFiniteOnesAreThere(NonFinitePolicy policy) throws IOException {
    try (CheckpointStore store = Stores.local(folder.resolve("store"))) {
      Checkpoints run = Checkpoints.read(store, ToyProcess.RUN);
      assertThat(run.latest().map(Checkpoint::id)).contains("000001-000000000011-0");
      assertThat(ToyProcess.steps(run.list(), true))
          .as("latest two and best")
          .contains(3L, 10L, 11L);
      assertThat(ToyProcess.steps(run.list(), false).isEmpty())
          .isEqualTo(policy == NonFinitePolicy.FAIL);
    }
  }

  /** From the last finite one; the best by the metric is finite, too. */
  private void goesOnMended() throws IOException {
    try (CheckpointStore store = Stores.local(folder.resolve("store"))) {
      ToyState best = ToyProcess.state();
      ToyState mended = ToyProcess.state();
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run(ToyProcess.RUN)
              .part("toy", mended)
              .keep(ToyProcess.policy())
              .open()) {
        ckpt.resume();
        assertThat(mended.counter).isEqualTo(11);
        mended.advance(1);
        ckpt.save(Progress.step(12), Map.of("loss", 9.0)).join();
      }
      assertThat(Checkpoints.read(store, ToyProcess.RUN).latest().map(Checkpoint::id))
          .contains("000004-000000000012-0");
      try (CheckpointManager ckpt =
          CheckpointManager.in(store)
              .run(ToyProcess.RUN)
              .part("toy", best)
              .resume(Resume.parse("best(loss, min)"))
              .open()) {
        ckpt.resume();
        assertThat(best.counter).isEqualTo(3);
      }
    }
  }
}
