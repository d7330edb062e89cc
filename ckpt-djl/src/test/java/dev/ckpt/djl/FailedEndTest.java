package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.training.Trainer;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListenerAdapter;
import dev.ckpt.CheckpointException;
import dev.ckpt.SaveTrigger;
import dev.ckpt.Stores;
import dev.ckpt.djl.SmallTraining.Loop;
import dev.ckpt.djl.SmallTraining.Order;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is recorded of a training that threw. */
class FailedEndTest {
  private final CheckpointStore store = Stores.inMemory();

  private SmallTraining training(Setup setup) {
    return new SmallTraining(setup.with(SaveTrigger.onCompletion()), store);
  }

  private String record(String folder, int attempt) {
    String run = dev.ckpt.Checkpoints.runs(store).get(0);
    ByteBuffer bytes = ByteBuffer.allocate(64 << 10);
    try {
      store.read(String.format("runs/%s/%s/%06d.json", run, folder, attempt), 0, bytes);
    } catch (IOException e) {
      return "";
    }
    return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @EnumSource(names = {"FIT", "EASY_TRAIN"})
  void dataThatThrowIsTheEndInEveryLoop(Loop loop) {
    SmallTraining broken = training(Setup.plain().with(Order.READ).with(loop));
    broken.dataFailsAt = 13;
    assertThatThrownBy(broken::run).hasMessage("no data");
    assertThat(record("ends", 1))
        .contains("\"how\":\"failed\"")
        .contains("no data")
        .contains("\"step\":13");
    assertThat(record("attempts", 1)).contains("\"djl\":\"0.");
  }

  @Test
  void aListenerThatThrowsIsTheEnd() {
    SmallTraining broken = training(Setup.plain());
    broken.listener =
        new TrainingListenerAdapter() {
          @Override
          public void onEpoch(Trainer trainer) {
            throw new OutOfMemoryError("of a listener");
          }
        };
    assertThatThrownBy(broken::run).isInstanceOf(OutOfMemoryError.class);
    assertThat(record("ends", 1)).contains("java.lang.OutOfMemoryError: of a listener");
  }

  @Test
  void aLoopOfOnesOwnTellsWhatNobodyElseSees() {
    SmallTraining own = training(Setup.plain().with(Loop.EASY_TRAIN));
    own.afterResume = (ckpt, trainer) -> ckpt.failed(new IllegalStateException("of the loop"));
    own.run(3);
    assertThat(record("ends", 1)).as("it trained on").doesNotContain("of the loop");
    own.afterResume =
        (ckpt, trainer) -> {
          IllegalStateException thrown = new IllegalStateException("of the loop");
          ckpt.failed(thrown);
          throw thrown;
        };
    assertThatThrownBy(own::run).hasMessage("of the loop");
    assertThat(record("ends", 2)).contains("\"how\":\"failed\"").contains("of the loop");
  }

  @Test
  void stoppingEarlyIsNoFailure() {
    SmallTraining early = training(Setup.plain());
    early.afterResume = (ckpt, trainer) -> ckpt.failed(new EarlyStoppedException(1, "enough"));
    early.run();
    assertThat(record("ends", 1)).contains("completed");
  }

  @Test
  void theSameFailureIsNotRunIntoForEver() {
    for (int i = 0; i < 3; i++) {
      SmallTraining broken = training(Setup.plain().with(Order.READ));
      broken.dataFailsAt = 13;
      assertThatThrownBy(broken::run).hasMessage("no data");
    }
    assertThatThrownBy(training(Setup.plain().with(Order.READ))::run)
        .isInstanceOf(CheckpointException.CrashLoop.class)
        .hasMessageContaining("at step 13")
        .hasMessageContaining("no data");
  }
}
