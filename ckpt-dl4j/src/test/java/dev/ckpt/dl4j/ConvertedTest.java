package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.spi.CheckpointStore;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A training goes on from a converted checkpoint as from the original. */
class ConvertedTest {

  /** Arrow is converted to one that only tests have, and to all others. */
  static List<Arguments> all() {
    List<String> formats = new ArrayList<>(Cell.FORMATS);
    formats.set(formats.indexOf("arrow"), "plain");
    return formats.stream()
        .flatMap(format -> Cell.KINDS.stream().map(kind -> Arguments.of(kind, format)))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("all")
  void aTrainingThatGoesOnFromACopyEndsWithTheSameBytesAndTheSameLog(Kind kind, String format) {
    Setup setup = Setup.PLAIN.with(kind);
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
    for (CheckpointStore each : List.of(store, copied, back)) {
      Log rest = new SmallTraining(setup, each).run();
      assertThat(rest.startedAt).containsExactly(copy.progress().step()).doesNotContain(0L);
      assertThat(rest.tensors).isEqualTo(whole.tensors);
      assertThat(rest.sha256).isEqualTo(whole.sha256);
      assertThat(rest.batches).isNotEmpty();
      assertThat(whole.batches).containsAllEntriesOf(rest.batches);
    }
  }

  private static Checkpoints.Opened open(CheckpointStore store) {
    Checkpoints checkpoints = Checkpoints.only(store);
    return checkpoints.open(checkpoints.find("latest").id());
  }
}
