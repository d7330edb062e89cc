import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.pooling.Pool;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.NoopTranslator;
import ai.djl.translate.TranslateException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * Predicts digits from {@code digits-0000.params} with DJL and nothing else. For each validation row
 * it prints the class and the ten outputs, as the bits of their floats in hex.
 *
 * <pre>java -cp DJL PredictDigits.java FOLDER model|criteria digits.csv.gz</pre>
 */
public class PredictDigits {

  public static void main(String[] args) throws Exception {
    Path folder = Path.of(args[0]);
    List<float[]> rows = validation(Path.of(args[2]));
    if (args[1].equals("model")) {
      try (Model model = Model.newInstance("digits", Device.cpu())) {
        model.setBlock(block());
        model.load(folder);
        print(model, rows);
      }
    } else {
      try (Model model = fromCriteria(folder)) {
        print(model, rows);
      }
    }
  }

  private static Model fromCriteria(Path folder)
      throws IOException, ModelNotFoundException, MalformedModelException {
    Criteria<NDList, NDList> criteria =
        Criteria.builder()
            .setTypes(NDList.class, NDList.class)
            .optModelPath(folder)
            .optModelName("digits")
            .optBlock(block())
            .optDevice(Device.cpu())
            .optTranslator(new NoopTranslator())
            .build();
    ZooModel<NDList, NDList> model = criteria.loadModel();
    return model;
  }

  private static void print(Model model, List<float[]> rows) throws TranslateException {
    try (Predictor<NDList, NDList> predictor = model.newPredictor(new NoopTranslator());
        NDManager manager = NDManager.newBaseManager(Device.cpu())) {
      float[] pixels = new float[rows.size() * 64];
      for (int i = 0; i < rows.size(); i++) {
        System.arraycopy(rows.get(i), 0, pixels, i * 64, 64);
      }
      NDArray images = manager.create(pixels, new Shape(rows.size(), 1, 8, 8));
      NDArray outputs = predictor.predict(new NDList(images)).singletonOrThrow();
      long[] classes = outputs.argMax(1).toLongArray();
      float[] values = outputs.toFloatArray();
      StringBuilder text = new StringBuilder();
      for (int i = 0; i < rows.size(); i++) {
        text.append(classes[i]);
        for (int j = 0; j < 10; j++) {
          text.append(' ').append(Integer.toHexString(Float.floatToRawIntBits(values[i * 10 + j])));
        }
        text.append('\n');
      }
      System.out.print(text);
    }
  }

  /** Every fifth row. */
  private static List<float[]> validation(Path file) throws IOException {
    List<float[]> rows = new ArrayList<>();
    try (var in =
        new BufferedReader(
            new InputStreamReader(
                new GZIPInputStream(Files.newInputStream(file)), StandardCharsets.US_ASCII))) {
      int number = 0;
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (number++ % 5 == 0) {
          String[] cells = line.split(",");
          float[] pixels = new float[64];
          for (int i = 0; i < 64; i++) {
            pixels[i] = Integer.parseInt(cells[i]) / 16f;
          }
          rows.add(pixels);
        }
      }
    }
    return rows;
  }

  /** The network that was trained. */
  private static Block block() {
    SequentialBlock block = new SequentialBlock();
    convolution(block, 64);
    convolution(block, 64);
    block.add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)));
    convolution(block, 128);
    block.add(Pool.maxPool2dBlock(new Shape(2, 2), new Shape(2, 2)));
    return block
        .add(Blocks.batchFlattenBlock())
        .add(Dropout.builder().optRate(0.25f).build())
        .add(Linear.builder().setUnits(128).build())
        .add(Activation::relu)
        .add(Dropout.builder().optRate(0.5f).build())
        .add(Linear.builder().setUnits(10).build());
  }

  private static void convolution(SequentialBlock block, int filters) {
    block
        .add(
            Conv2d.builder()
                .setKernelShape(new Shape(3, 3))
                .optPadding(new Shape(1, 1))
                .setFilters(filters)
                .build())
        .add(BatchNorm.builder().build())
        .add(Activation::relu);
  }
}
