package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.ndarray.INDArray;

/** What one framework saved, the other reads: the same names, shapes and values. */
class OtherFrameworkTest {

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
}
