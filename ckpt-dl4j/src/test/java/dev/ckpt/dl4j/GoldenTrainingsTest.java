package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.StateView;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the adapter saved in format version 1, every later build takes up. */
class GoldenTrainingsTest {
  /** By so much may losses differ on a machine that adds in another order. */
  private static final double ROUNDING = 1e-3;

  private static final Pattern LINE = Pattern.compile("epoch \\d+ loss (\\S+) noise (\\S+)");

  static List<String> runs() {
    return GoldenTrainings.ALL;
  }

  @ParameterizedTest
  @MethodSource("runs")
  void everyByteVerifiesAndTheNewestIsWhereItWas(String run) throws IOException {
    Checkpoints golden = Checkpoints.read(GoldenTrainings.golden(run), run);
    for (Checkpoint each : golden.list()) {
      assertThat(golden.verify(each.id()).problems()).isEmpty();
    }
    assertThat(golden.verifyRecords().problems()).isEmpty();
    Checkpoint newest = golden.latest().orElseThrow();
    assertThat(newest.progress().step()).isEqualTo(12);
    assertThat(newest.progress().epoch()).isEqualTo(1);
    assertThat(newest.progress().batch()).isEqualTo(2);
  }

  /** It is saved again before anything is trained. */
  @ParameterizedTest
  @ValueSource(strings = {"network", "graph", "samediff", "arrow", "hdf5"})
  void whatIsRestoredIsWhatWasSaved(String run) throws IOException {
    CheckpointStore store = GoldenTrainings.golden(run);
    Checkpoints checkpoints = Checkpoints.read(store, run);
    Map<String, Object> saved = state(checkpoints);
    SmallTraining training = GoldenTrainings.training(run, store);
    training.afterResume = (ckpt, trainee) -> ckpt.manager().save(ckpt.progress(), Map.of()).join();
    assertThat(training.run(0)).isFalse();
    Checkpoint again = checkpoints.latest().orElseThrow();
    assertThat(again.id()).startsWith("000002-");
    assertThat(state(checkpoints)).isEqualTo(saved).hasSizeGreaterThan(15);
  }

  /** What later builds say besides, and these stores do not. */
  private static final Set<String> ADDED = Set.of("epochSamples", "batchSize", "firstBatch");

  /** All of the newest checkpoint but what belongs to the machine. */
  private static Map<String, Object> state(Checkpoints run) {
    Map<String, Object> state = new TreeMap<>();
    try (Checkpoints.Opened open = run.open(run.latest().orElseThrow().id())) {
      for (String part : open.parts()) {
        StateView view = open.view(part);
        for (String name : view.names()) {
          ByteBuffer bytes = ByteBuffer.allocate((int) view.spec(name).bytes());
          view.read(name, 0, bytes);
          state.put(part + "/" + name + " " + view.spec(name), bytes.flip());
        }
        for (String name : view.values()) {
          if (!part.equals("environment")) {
            Object value = view.value(name, Object.class);
            if (value instanceof Map<?, ?> map) {
              Map<Object, Object> old = new TreeMap<>(map);
              old.keySet().removeAll(ADDED);
              value = old;
            }
            state.put(part + "." + name, value);
          }
        }
      }
    }
    return state;
  }

  @ParameterizedTest
  @MethodSource("runs")
  void itGoesOnAsARunOfToday(String run) throws IOException {
    Log whole = GoldenTrainings.training(run, GoldenTrainings.empty()).run();
    Log golden = GoldenTrainings.training(run, GoldenTrainings.golden(run)).run();
    assertThat(golden.startedAt).containsExactly(12L);
    assertThat(golden.executed).isEqualTo(SmallTraining.BATCHES - 12);
    golden.batches.forEach(
        (iteration, line) -> {
          Matcher here = LINE.matcher(line);
          Matcher there = LINE.matcher(String.valueOf(whole.batches.get(iteration)));
          assertThat(here.matches() && there.matches()).as(line).isTrue();
          assertThat(Double.parseDouble(here.group(1)))
              .as("loss %d", iteration)
              .isCloseTo(
                  Double.parseDouble(there.group(1)),
                  org.assertj.core.data.Offset.offset(ROUNDING));
          assertThat(here.group(2)).as("stream %d", iteration).isEqualTo(there.group(2));
        });
  }
}
