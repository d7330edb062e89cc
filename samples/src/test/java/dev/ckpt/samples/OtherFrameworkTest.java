package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.training.optimizer.Adam;
import ai.djl.training.optimizer.Optimizer;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.ndarray.INDArray;

/** What one framework saved, the other reads: the same names, shapes and values. */
class OtherFrameworkTest {

  private static final PrintStream NOWHERE = new PrintStream(OutputStream.nullOutputStream());

  @TempDir Path folder;

  private interface Comparison {
    void of(String name, NDArray djl, INDArray nd4j);
  }

  static List<String> formats() {
    return Combination.FORMATS;
  }

  @ParameterizedTest
  @MethodSource("formats")
  void aDjlCheckpointOpensInNd4j(String format) throws IOException, InterruptedException {
    Set<String> names =
        compare(
            DigitsDjl.class,
            format,
            (name, djl, nd4j) -> {
              assertThat(nd4j.shape()).as(name).isEqualTo(djl.getShape().getShape());
              assertThat(floats(nd4j)).as(name).isEqualTo(djl.toFloatArray());
            });
    assertThat(names)
        .anyMatch(name -> name.startsWith("optimizer/slot/means/"))
        .hasSizeGreaterThan(20);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void aDl4jCheckpointOpensInDjl(String format) throws IOException, InterruptedException {
    Set<String> names =
        compare(
            DigitsDl4j.class,
            format,
            (name, djl, nd4j) -> {
              assertThat(djl.getShape().getShape()).as(name).isEqualTo(nd4j.shape());
              assertThat(djl.toFloatArray()).as(name).isEqualTo(floats(nd4j));
            });
    assertThat(names).contains("model/0_W", "model/9_b", "updater/M/8_W", "updater/V/9_b");
  }

  private static float[] floats(INDArray array) {
    return array.dup('c').data().asFloat();
  }

  /** Trains, and reads every tensor of floats with both. */
  private Set<String> compare(Class<?> program, String format, Comparison comparison)
      throws IOException, InterruptedException {
    Path directory = folder.resolve("store");
    List<String> arguments = new ArrayList<>(List.of("--dir", directory.toString()));
    arguments.addAll(List.of("--epochs", "1", "--rows", "60", "--batch", "8", "--format", format));
    try (SampleProcess process = SampleProcess.start(folder.resolve("run"), program, arguments)) {
      assertThat(process.exitCode()).as(process.toString()).isZero();
    }
    DigitsDjl.prepare();
    try (CheckpointStore store = Stores.local(directory);
        NDManager manager = NDManager.newBaseManager();
        dev.ckpt.djl.NDArrayReader djl =
            dev.ckpt.djl.NDArrayReader.open(Checkpoints.only(store), "latest");
        dev.ckpt.dl4j.NDArrayReader nd4j =
            dev.ckpt.dl4j.NDArrayReader.open(Checkpoints.only(store), "latest")) {
      assertThat(nd4j.names()).isEqualTo(djl.names());
      for (String name : nd4j.names()) {
        if (name.startsWith("model/") || name.contains("/slot/") || name.startsWith("updater/")) {
          comparison.of(name, djl.read(manager, name), nd4j.read(name));
        }
      }
      return nd4j.names();
    }
  }

  /** What a training holds when it ends, taken from the framework that trained. */
  private record Held(long[] shape, int[] bits) {
    static Held of(NDArray array) {
      return of(array.getShape().getShape(), array.toFloatArray());
    }

    static Held of(INDArray array) {
      return of(array.shape(), floats(array));
    }

    private static Held of(long[] shape, float[] values) {
      int[] bits = new int[values.length];
      for (int i = 0; i < bits.length; i++) {
        bits[i] = Float.floatToRawIntBits(values[i]);
      }
      return new Held(shape, bits);
    }

    void assertIs(Held read, String name) {
      assertThat(read.shape).as(name).isEqualTo(shape);
      assertThat(read.bits).as(name).isEqualTo(bits);
    }
  }

  private DigitsOptions options(String format) throws DigitsOptions.UsageException {
    return DigitsOptions.parse(
        "--dir",
        folder.resolve("live").toString(),
        "--epochs",
        "2",
        "--rows",
        "60",
        "--batch",
        "8",
        "--format",
        format);
  }

  @ParameterizedTest
  @MethodSource("formats")
  void whatDjlHoldsAtTheEndIsWhatNd4jReads(String format) throws Exception {
    DigitsDjl.prepare();
    Map<String, Held> held = new TreeMap<>();
    new DigitsTraining(options(format), NOWHERE) {
      @Override
      List<TrainingListener> interference() {
        return List.of(
            new TrainingListenerAdapter() {
              @Override
              public void onEpoch(Trainer trainer) { // the last one counts
                for (var each : trainer.getModel().getBlock().getParameters()) {
                  held.put("model/" + each.getKey(), Held.of(each.getValue().getArray()));
                  for (String slot : List.of("means", "variances")) {
                    NDArray state = slot(optimizer(), slot, each.getValue().getId());
                    if (state != null) {
                      held.put("optimizer/slot/" + slot + "/" + each.getKey(), Held.of(state));
                    }
                  }
                }
              }
            });
      }
    }.run();
    assertThat(held.keySet())
        .anyMatch(name -> name.startsWith("optimizer/slot/variances/"))
        .hasSizeGreaterThan(20);
    try (CheckpointStore store = Stores.local(folder.resolve("live"));
        dev.ckpt.dl4j.NDArrayReader nd4j =
            dev.ckpt.dl4j.NDArrayReader.open(Checkpoints.only(store), "latest")) {
      assertThat(nd4j.names()).containsAll(held.keySet());
      held.forEach((name, each) -> each.assertIs(Held.of(nd4j.read(name)), name));
    }
  }

  /** Adam's own, by a parameter's id. */
  private static @Nullable NDArray slot(Optimizer adam, String slot, String id) {
    try {
      Field field = Adam.class.getDeclaredField(slot);
      field.setAccessible(true);
      Map<?, ?> ofAll = (Map<?, ?>) field.get(adam);
      return ofAll.get(id) instanceof Map<?, ?> ofDevices
          ? (NDArray) ofDevices.values().iterator().next()
          : null;
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  @ParameterizedTest
  @MethodSource("formats")
  void whatDl4jHoldsAtTheEndIsWhatDjlReads(String format) throws Exception {
    DigitsDjl.prepare();
    AtomicReference<MultiLayerNetwork> live = new AtomicReference<>();
    new DigitsDl4jTraining(options(format), NOWHERE) {
      @Override
      void initialized(Dl4jCheckpoints ckpt, MultiLayerNetwork net) {
        live.set(net);
      }
    }.run();
    MultiLayerNetwork net = Objects.requireNonNull(live.get());
    assertThat(net.getIterationCount()).isPositive();
    List<Integer> slots = new ArrayList<>();
    try (CheckpointStore store = Stores.local(folder.resolve("live"));
        NDManager manager = NDManager.newBaseManager();
        dev.ckpt.djl.NDArrayReader djl =
            dev.ckpt.djl.NDArrayReader.open(Checkpoints.only(store), "latest")) {
      Map<String, INDArray> parameters = net.paramTable();
      assertThat(parameters).hasSizeGreaterThan(10);
      parameters.forEach(
          (name, array) ->
              Held.of(array).assertIs(Held.of(djl.read(manager, "model/" + name)), name));
      for (String name : djl.names()) {
        if (name.startsWith("updater/")) {
          for (int bits : Held.of(djl.read(manager, name)).bits) {
            slots.add(bits);
          }
        }
      }
    }
    // one flat array of DL4J's, whose order is its own
    List<Integer> flat = new ArrayList<>();
    for (int bits : Held.of(net.getUpdater().getStateViewArray()).bits) {
      flat.add(bits);
    }
    slots.sort(null);
    flat.sort(null);
    assertThat(slots).hasSizeGreaterThan(1000).isEqualTo(flat);
  }
}
