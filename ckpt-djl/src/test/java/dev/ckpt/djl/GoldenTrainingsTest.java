package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.nn.Parameter;
import ai.djl.training.Trainer;
import ai.djl.training.evaluator.TopKAccuracy;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Progress;
import dev.ckpt.djl.SmallTraining.Log;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the adapter saved in format version 1, every later build takes up. */
class GoldenTrainingsTest {
  /** By so much may losses differ on a machine that adds in another order. */
  private static final double ROUNDING = 1e-3;

  private static final Pattern LINE =
      Pattern.compile("loss (\\S+) (\\S+) at (\\d+/\\d+ noise \\S+)");

  private static final Set<String> TWO_CHECKPOINTS = Set.of("adam", "arrow", "hdf5", "stopped");

  /** Where the newest checkpoint stands. */
  private static final Map<String, Progress> NEWEST =
      Map.of(
          "adam", new Progress(15, 1, 5, 230, Progress.Phase.AFTER_STEP),
          "arrow", new Progress(15, 1, 5, 230, Progress.Phase.AFTER_STEP),
          "hdf5", new Progress(15, 1, 5, 230, Progress.Phase.AFTER_STEP),
          "adamw", new Progress(7, 0, 7, 112, Progress.Phase.AFTER_STEP),
          "momentum", new Progress(3, 0, 6, 96, Progress.Phase.AFTER_STEP),
          "stopped", new Progress(20, 2, 0, 300, Progress.Phase.AFTER_EPOCH),
          "tuned", new Progress(4, 0, 4, 64, Progress.Phase.AFTER_STEP));

  static List<String> runs() {
    return GoldenTrainings.ALL;
  }

  private static Checkpoint newest(CheckpointStore store, String run) {
    return Checkpoints.read(store, run).latest().orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("runs")
  void everyByteVerifiesAndTheNewestIsWhereItWas(String run) throws IOException {
    InMemoryStore store = GoldenTrainings.golden();
    Checkpoints golden = Checkpoints.read(store, run);
    assertThat(golden.list()).hasSize(TWO_CHECKPOINTS.contains(run) ? 2 : 1);
    for (Checkpoint each : golden.list()) {
      assertThat(golden.verify(each.id()).problems()).isEmpty();
    }
    assertThat(golden.verifyRecords().problems()).isEmpty();
    assertThat(newest(store, run).progress()).isEqualTo(NEWEST.get(run));
  }

  /** It is saved again before anything is trained: weights, slots, counters, streams, position. */
  @ParameterizedTest
  @MethodSource("runs")
  void whatIsRestoredIsWhatWasSaved(String run) throws IOException {
    StateText saved = StateText.exact(GoldenTrainings.golden(), run);
    assertThat(savedAgain(run, (ckpt, trainer) -> {})).isEqualTo(saved);
    assertThat(saved.lines()).hasSizeGreaterThan(20);
  }

  @Test
  void aRestoreThatForgetsAnythingShows() throws IOException {
    StateText saved = StateText.exact(GoldenTrainings.golden(), "adam");
    assertThat(savedAgain("adam", (ckpt, trainer) -> ckpt.random("noise").nextInt()).other(saved))
        .containsExactly("random");
    assertThat(
            savedAgain(
                    "adam",
                    (ckpt, trainer) ->
                        Parameters.of(trainer)
                            .byName()
                            .values()
                            .iterator()
                            .next()
                            .getArray()
                            .addi(1e-6f))
                .other(saved))
        .containsExactly("model");
    assertThat(
            savedAgain("adam", (ckpt, trainer) -> ckpt.session().position().batchDone(1))
                .other(saved))
        .containsExactly("position");
    assertThat(
            savedAgain("adam", (ckpt, trainer) -> trainer.getLoss().resetAccumulator("train/epoch"))
                .other(saved))
        .containsExactly("evaluators");
  }

  private static StateText savedAgain(String run, BiConsumer<DjlCheckpoints, Trainer> between)
      throws IOException {
    InMemoryStore store = GoldenTrainings.golden();
    Checkpoint golden = newest(store, run);
    SmallTraining training = GoldenTrainings.training(run, store);
    training.afterResume =
        (ckpt, trainer) -> {
          assertThat(ckpt.progress()).isEqualTo(golden.progress());
          between.accept(ckpt, trainer);
          ckpt.manager().save(golden.progress(), Map.of()).join();
          throw new SmallTraining.Killed();
        };
    assertThat(training.run(Integer.MAX_VALUE)).isFalse();
    assertThat(newest(store, run).id()).startsWith("000002-").endsWith(golden.id().substring(6));
    return StateText.exact(store, run);
  }

  /**
   * Positions and random streams are equal on every machine, and so are the batches that each loss
   * is of.
   */
  @ParameterizedTest
  @ValueSource(strings = {"adam", "adamw", "momentum", "tuned"})
  void theTrainingGoesOnToItsEndAsIfItHadNeverBeenKilled(String run) throws IOException {
    Log rest = resumed(run).run();
    Log whole = uninterrupted(run);
    Progress at = newest(GoldenTrainings.golden(), run).progress();
    long done = at.epoch() * 10L + at.batch();
    assertThat(rest.startedAt).containsExactly(at.step());
    assertThat(whole.batches).hasSize(30);
    assertThat(rest.batches.keySet())
        .containsExactlyElementsOf(whole.batches.keySet().stream().skip(done).toList());
    assertThat(rest.epochs.keySet()).isSubsetOf(whole.epochs.keySet()).contains(3);
    assertThat(rest.tensors.keySet()).isEqualTo(whole.tensors.keySet());
    System.out.printf("%s: greatest difference of a loss %g%n", run, difference(rest, whole));
    assertThat(difference(rest, whole)).isLessThan(ROUNDING);
  }

  /** As from a machine that adds in another order. */
  @ParameterizedTest
  @ValueSource(strings = {"adam", "adamw", "momentum", "tuned"})
  void thatBearsOtherLastBits(String run) throws IOException {
    SmallTraining other = resumed(run);
    other.afterResume = (ckpt, trainer) -> blur(trainer, 1e-6f);
    double difference = difference(other.run(), uninterrupted(run));
    System.out.printf("%s, weights a millionth off: %g%n", run, difference);
    assertThat(difference).isPositive().isLessThan(ROUNDING);
  }

  private static void blur(Trainer trainer, float by) {
    Random random = new Random(1);
    for (Parameter parameter : Parameters.of(trainer).byName().values()) {
      float[] values = parameter.getArray().toFloatArray();
      for (int i = 0; i < values.length; i++) {
        values[i] += random.nextBoolean() ? by : -by;
      }
      parameter.getArray().set(FloatBuffer.wrap(values));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"adam", "adamw", "momentum", "tuned"})
  void thatNoticesAnotherOrder(String run) throws IOException {
    SmallTraining other = resumed(run);
    other.seedEngine = () -> seed -> Seeding.seedDefaultEngine(seed + 1);
    double difference = difference(other.run(), uninterrupted(run));
    System.out.printf("%s, another order: %g%n", run, difference);
    assertThat(difference).isGreaterThan(10 * ROUNDING);
  }

  /** Without the other runs: a fine-tuned one never looks for its source again. */
  private static SmallTraining resumed(String run) throws IOException {
    return GoldenTrainings.training(run, GoldenTrainings.golden(run));
  }

  private static Log uninterrupted(String run) throws IOException {
    return GoldenTrainings.training(
            run, run.equals("tuned") ? GoldenTrainings.golden("adam") : GoldenTrainings.empty())
        .run();
  }

  private static double difference(Log rest, Log whole) {
    double greatest = 0;
    for (Map.Entry<Long, String> each : rest.batches.entrySet()) {
      Matcher now = line(each.getValue());
      Matcher then = line(whole.batches.getOrDefault(each.getKey(), ""));
      assertThat(now.group(3)).as("place and noise").isEqualTo(then.group(3));
      for (int i = 1; i <= 2; i++) {
        double loss = Double.parseDouble(now.group(i));
        greatest = Math.max(greatest, Math.abs(loss - Double.parseDouble(then.group(i))));
      }
    }
    return greatest;
  }

  private static Matcher line(String text) {
    Matcher found = LINE.matcher(text);
    assertThat(found.matches()).as(text).isTrue();
    return found;
  }

  @Test
  void whatStoppedEarlyStaysStopped() throws IOException {
    SmallTraining stopped = resumed("stopped");
    Log log = stopped.run();
    assertThat(log.startedAt).containsExactly(20L);
    assertThat(log.executed).isZero();
  }

  @Test
  void todaysCodeWritesTheSameFormat() throws IOException {
    InMemoryStore golden = GoldenTrainings.golden();
    InMemoryStore today = GoldenTrainings.written(GoldenTrainings.ALL);
    assertThat(GoldenTrainings.objects(today).keySet())
        .isEqualTo(GoldenTrainings.objects(golden).keySet());
    for (String run : GoldenTrainings.ALL) {
      assertThat(StateText.ofAnyMachine(today, run)).isEqualTo(StateText.ofAnyMachine(golden, run));
    }
  }

  @Test
  void aFormatThatDriftedShows() throws IOException {
    StateText golden = StateText.ofAnyMachine(GoldenTrainings.golden(), "adam");
    assertThat(drifted(training -> {}).other(golden)).isEmpty();
    assertThat(drifted(training -> training.optimizer = SmallTraining::momentum).other(golden))
        .containsExactly("environment", "optimizer");
    assertThat(
            drifted(training -> training.evaluators = List.of(new TopKAccuracy("top2", 2)))
                .other(golden))
        .contains("evaluators", "listeners");
    assertThat(drifted(training -> training.validates = 41).other(golden)).contains("environment");
    Map<String, String> lines = new TreeMap<>(golden.lines());
    String name = lines.keySet().stream().filter(each -> each.contains("slot/")).findFirst().get();
    lines.computeIfPresent(name, (key, text) -> text.replace("float32", "float64"));
    assertThat(new StateText(lines).other(golden)).containsExactly("optimizer");
  }

  /** Run adam, changed, up to where the golden one was killed. */
  private static StateText drifted(Consumer<SmallTraining> change) throws IOException {
    InMemoryStore store = GoldenTrainings.empty();
    SmallTraining training = GoldenTrainings.training("adam", store);
    change.accept(training);
    assertThat(training.run(16)).isFalse();
    return StateText.ofAnyMachine(store, "adam");
  }

  @Test
  void aFlippedBitIsNoGoldenStore() throws IOException {
    Map<String, byte[]> objects = GoldenTrainings.objects(GoldenTrainings.golden("adamw"));
    String shard = objects.keySet().stream().filter(k -> k.endsWith(".arrow")).findFirst().get();
    objects.computeIfPresent(
        shard,
        (key, bytes) -> {
          bytes[bytes.length / 2] ^= 1;
          return bytes;
        });
    InMemoryStore store = GoldenTrainings.store(objects);
    String id = Checkpoints.read(store, "adamw").list().get(0).id();
    assertThat(Checkpoints.read(store, "adamw").verify(id).problems()).isNotEmpty();
    assertThatThrownBy(() -> GoldenTrainings.training("adamw", store).run())
        .isInstanceOf(CheckpointException.class)
        .hasMessageContaining(id);
  }
}
