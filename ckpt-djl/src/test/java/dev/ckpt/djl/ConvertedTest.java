package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.djl.SmallTraining.Log;
import dev.ckpt.djl.SmallTraining.Setup;
import dev.ckpt.spi.CheckpointStore;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A training goes on from a converted checkpoint as from the original. */
class ConvertedTest {

  /** What Arrow is converted to: one that only tests have, and all others. */
  static Stream<String> formats() {
    return Stream.concat(
        Stream.of("plain"), ExactResumeTest.FORMATS.stream().filter(each -> !each.equals("arrow")));
  }

  @ParameterizedTest
  @MethodSource("formats")
  void aTrainingThatGoesOnFromACopyEndsWithTheSameBytesAndTheSameLog(String format) {
    Setup setup = Setup.plain().prefetching();
    Log whole = new SmallTraining(setup).run();
    CheckpointStore store = Stores.inMemory();
    CheckpointStore copied = Stores.inMemory();
    assertThat(new SmallTraining(setup, store).run(14)).as("killed").isFalse();
    Checkpoint copy;
    try (Checkpoints.Opened open = open(store)) {
      copy = open.convert(format, copied, "small", false, bytes -> {});
    }
    CheckpointStore back = Stores.inMemory();
    try (Checkpoints.Opened open = open(copied)) {
      open.convert("arrow", back, "small", false, bytes -> {});
    }
    for (CheckpointStore each : new CheckpointStore[] {store, copied, back}) {
      Log rest = new SmallTraining(setup, each).run();
      assertThat(rest.startedAt).containsExactly(copy.progress().step()).doesNotContain(0L);
      assertThat(rest.tensors).isEqualTo(whole.tensors);
      assertThat(rest.sha256).isEqualTo(whole.sha256);
      assertThat(rest.batches).isNotEmpty();
      assertThat(whole.batches).containsAllEntriesOf(rest.batches);
      assertThat(whole.epochs).containsAllEntriesOf(rest.epochs);
    }
  }

  private static Checkpoints.Opened open(CheckpointStore store) {
    Checkpoints checkpoints = Checkpoints.only(store);
    return checkpoints.open(checkpoints.find("latest").id());
  }
}
