package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import dev.ckpt.spi.CheckpointStore;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A second program, with DL4J and without any jar of ours, predicts what the trained model does.
 */
class PlainDl4jPredictsTest {

  @TempDir Path folder;

  /** Trains as the sample does, and keeps the network. */
  private static final class Asked extends DigitsDl4jTraining {
    private @Nullable MultiLayerNetwork net;

    Asked(DigitsOptions options) {
      super(options, new PrintStream(PrintStream.nullOutputStream()));
    }

    @Override
    void initialized(Dl4jCheckpoints ckpt, MultiLayerNetwork trained) {
      net = trained;
    }
  }

  /** What {@code PredictDigitsDl4j} prints. */
  private static List<String> predict(MultiLayerNetwork net) throws IOException {
    float[] pixels = DigitsData.load(Integer.MAX_VALUE).pixels(true);
    int rows = pixels.length / (DigitsData.SIDE * DigitsData.SIDE);
    INDArray outputs =
        net.output(
            Nd4j.createFromArray(pixels).reshape('c', rows, 1, DigitsData.SIDE, DigitsData.SIDE));
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < rows; i++) {
      StringBuilder line =
          new StringBuilder(Integer.toString(outputs.getRow(i).argMax(0).getInt(0)));
      for (int j = 0; j < DigitsData.CLASSES; j++) {
        int bits = Float.floatToRawIntBits(outputs.getFloat(i, j));
        line.append(' ').append(Integer.toHexString(bits));
      }
      lines.add(line.toString());
    }
    return lines;
  }

  @Test
  void itPredictsTheSameBitsFromTheZip() throws Exception {
    Path store = folder.resolve("store");
    Asked training = new Asked(DigitsOptions.parse("--dir", store.toString(), "--epochs", "3"));
    training.run();
    List<String> answers = predict(Objects.requireNonNull(training.net));
    assertThat(answers).hasSize(360).doesNotHaveDuplicates();

    Path zip = folder.resolve("model.zip");
    try (CheckpointStore opened = Stores.local(store)) {
      Dl4jCheckpoints.exportModel(Checkpoints.only(opened), "latest", zip);
    }
    Path rows = folder.resolve("digits.csv.gz");
    try (InputStream in = DigitsData.class.getResourceAsStream("digits.csv.gz")) {
      Files.copy(Objects.requireNonNull(in), rows);
    }
    Path where = Files.createDirectory(folder.resolve("plain"));
    Process process =
        PlainDjl.start(
            where,
            classPath(),
            Map.of("OMP_NUM_THREADS", "1"),
            PlainDjl.EXAMPLES.resolve("predict/PredictDigitsDl4j.java"),
            zip.toString(),
            rows.toString());
    int code = PlainDjl.exitCode(process);
    assertThat(code).as(Files.readString(where.resolve("err"))).isZero();
    assertThat(Files.readAllLines(where.resolve("out"))).isEqualTo(answers);
  }

  /** Of this test's class path all but the jars with a class of ckpt, and DJL. */
  private static String classPath() throws IOException {
    List<String> jars = new ArrayList<>();
    for (String each : System.getProperty("java.class.path").split(File.pathSeparator)) {
      if (!each.matches(".*[/\\\\]ai[/\\\\]djl[/\\\\].*") && !PlainDjl.holdsCkpt(Path.of(each))) {
        jars.add(each);
      }
    }
    assertThat(jars).anyMatch(jar -> jar.contains("deeplearning4j-nn"));
    return String.join(File.pathSeparator, jars);
  }
}
