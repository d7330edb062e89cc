package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.djl.DjlCheckpoints;
import dev.ckpt.spi.CheckpointStore;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.ResourceLock;

/** A second program, with DJL and without any jar of ours, predicts what the trained model does. */
@ResourceLock("the engine of this JVM")
class PlainDjlPredictsTest {

  /** Every fifth of 1,797. */
  private static final int ROWS = 360;

  @TempDir Path folder;

  /** Trains as the sample does, and asks the model while it is still the trainer's. */
  private static final class Asked extends DigitsTraining {
    private List<String> answers = List.of();

    Asked(DigitsOptions options) {
      super(options, new PrintStream(PrintStream.nullOutputStream()));
    }

    @Override
    List<TrainingListener> interference() {
      return List.of(
          new TrainingListenerAdapter() {
            @Override
            public void onTrainingEnd(Trainer trainer) {
              answers = predict(trainer.getModel());
            }
          });
    }
  }

  /** What {@code PredictDigits} prints. */
  private static List<String> predict(Model model) {
    List<String> lines = new ArrayList<>();
    try (Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator());
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      ArrayDataset rows = DigitsData.load(Integer.MAX_VALUE).validation(manager, ROWS, 0);
      Batch all = rows.getData(manager).iterator().next();
      NDArray outputs = predictor.predict(all.getData()).singletonOrThrow();
      long[] classes = outputs.argMax(1).toLongArray();
      float[] values = outputs.toFloatArray();
      for (int i = 0; i < classes.length; i++) {
        StringBuilder line = new StringBuilder(Long.toString(classes[i]));
        for (int j = 0; j < DigitsData.CLASSES; j++) {
          int bits = Float.floatToRawIntBits(values[i * DigitsData.CLASSES + j]);
          line.append(' ').append(Integer.toHexString(bits));
        }
        lines.add(line.toString());
      }
      return lines;
    } catch (IOException | TranslateException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void itPredictsTheSameBitsThroughModelLoadAndThroughCriteria() throws Exception {
    DigitsDjl.prepare();
    Asked training =
        new Asked(
            DigitsOptions.parse("--dir", folder.resolve("store").toString(), "--epochs", "3"));
    training.run();
    assertThat(training.answers).hasSize(ROWS);

    Path exported = folder.resolve("model");
    try (CheckpointStore store = Stores.local(folder.resolve("store"));
        Model ours = Model.newInstance("ours", Device.cpu())) {
      ours.setBlock(DigitsNetwork.block());
      DjlCheckpoints.loadWeights(ours, store, "latest");
      assertThat(predict(ours)).isEqualTo(training.answers);
      DjlCheckpoints.exportModel(Checkpoints.only(store), "latest", exported, "digits");
    }
    try (var files = Files.list(exported)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactly("digits-0000.params");
    }

    Path rows = folder.resolve("digits.csv.gz");
    try (InputStream in = DigitsData.class.getResourceAsStream("digits.csv.gz")) {
      Files.copy(java.util.Objects.requireNonNull(in), rows);
    }
    for (String way : List.of("model", "criteria")) {
      assertThat(plain(way, exported, rows)).as(way).isEqualTo(training.answers);
    }
  }

  private List<String> plain(String way, Path exported, Path rows)
      throws IOException, InterruptedException {
    Path where = Files.createDirectory(folder.resolve("plain-" + way));
    Process process =
        PlainDjl.start(
            where,
            PlainDjl.classPath(),
            Map.of(),
            PlainDjl.EXAMPLES.resolve("predict/PredictDigits.java"),
            exported.toString(),
            way,
            rows.toString());
    int code = PlainDjl.exitCode(process);
    assertThat(code).as(Files.readString(where.resolve("err"))).isZero();
    return Files.readAllLines(where.resolve("out"));
  }

  @Test
  void noClassOfOursCanBeLoadedThere() throws Exception {
    List<URL> places = new ArrayList<>();
    for (String each : PlainDjl.classPath().split(File.pathSeparator)) {
      assertThat(PlainDjl.holdsCkpt(Path.of(each))).as(each).isFalse();
      places.add(Path.of(each).toUri().toURL());
    }
    try (URLClassLoader loader =
        new URLClassLoader(places.toArray(URL[]::new), ClassLoader.getPlatformClassLoader())) {
      assertThat(loader.loadClass("ai.djl.Model").getClassLoader()).isSameAs(loader);
      for (Class<?> ours :
          List.of(DjlCheckpoints.class, Checkpoints.class, CheckpointStore.class)) {
        assertThatThrownBy(() -> loader.loadClass(ours.getName()))
            .isInstanceOf(ClassNotFoundException.class);
      }
    }
  }
}
