import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Predicts digits from {@code model.zip} with DL4J and nothing else. For each validation row it
 * prints the class and the ten outputs, as the bits of their floats in hex.
 *
 * <pre>java -cp DL4J PredictDigitsDl4j.java model.zip digits.csv.gz</pre>
 */
public class PredictDigitsDl4j {

  public static void main(String[] args) throws Exception {
    MultiLayerNetwork net = ModelSerializer.restoreMultiLayerNetwork(new File(args[0]));
    List<float[]> rows = validation(Path.of(args[1]));
    float[][] pixels = rows.toArray(new float[0][]);
    INDArray images = Nd4j.createFromArray(pixels).reshape('c', rows.size(), 1, 8, 8);
    INDArray outputs = net.output(images);
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < rows.size(); i++) {
      text.append(outputs.getRow(i).argMax(0).getInt(0));
      for (int j = 0; j < 10; j++) {
        text.append(' ')
            .append(Integer.toHexString(Float.floatToRawIntBits(outputs.getFloat(i, j))));
      }
      text.append('\n');
    }
    System.out.print(text);
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
}
