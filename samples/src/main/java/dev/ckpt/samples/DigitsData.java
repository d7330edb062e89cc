package dev.ckpt.samples;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import java.io.BufferedReader;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;

/** The UCI digits: 1,797 grey images of 8x8 pixels. Every fifth validates. */
public final class DigitsData {

  /** Pixels in a row, and rows. */
  public static final int SIDE = 8;

  static final int CLASSES = 10;

  private static final int PIXELS = SIDE * SIDE;
  private static final int VALIDATES = 5;
  private static final float BRIGHTEST = 16;

  private final float[] pixels;
  private final long[] labels;

  private DigitsData(float[] pixels, long[] labels) {
    this.pixels = pixels;
    this.labels = labels;
  }

  /** All images, or only the first {@code rows}. */
  public static DigitsData load(int rows) throws IOException {
    List<String> lines;
    try (InputStream resource = DigitsData.class.getResourceAsStream("digits.csv.gz")) {
      if (resource == null) {
        throw new FileNotFoundException("digits.csv.gz is missing from the class path");
      }
      var text = new InputStreamReader(new GZIPInputStream(resource), StandardCharsets.US_ASCII);
      lines = new BufferedReader(text).lines().limit(rows).toList();
    }
    float[] pixels = new float[lines.size() * PIXELS];
    long[] labels = new long[lines.size()];
    for (int row = 0; row < labels.length; row++) {
      String[] cells = lines.get(row).split(",", -1);
      for (int i = 0; i < PIXELS; i++) {
        pixels[row * PIXELS + i] = Integer.parseInt(cells[i]) / BRIGHTEST;
      }
      labels[row] = Integer.parseInt(cells[PIXELS]);
    }
    return new DigitsData(pixels, labels);
  }

  int size() {
    return labels.length;
  }

  /** The four of five rows that train, in an order drawn anew for each epoch. */
  public ArrayDataset training(NDManager manager, int batch, int prefetch) {
    return dataset(manager, batch, prefetch, false);
  }

  /** Every fifth row, in order. */
  ArrayDataset validation(NDManager manager, int batch, int prefetch) {
    return dataset(manager, batch, prefetch, true);
  }

  private ArrayDataset dataset(NDManager manager, int batch, int prefetch, boolean validation) {
    long[] answers = labels(validation);
    float[] images = pixels(validation);
    var builder =
        new ArrayDataset.Builder()
            .setData(manager.create(images, new Shape(answers.length, 1, SIDE, SIDE)))
            .optLabels(manager.create(answers))
            .setSampling(batch, !validation);
    if (prefetch > 0) {
      builder.optPrefetchNumber(prefetch);
    }
    return builder.build();
  }

  /** Grey values from 0 to 1, image by image, row by row. */
  float[] pixels(boolean validation) {
    int[] rows = rows(validation);
    float[] images = new float[rows.length * PIXELS];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(pixels, rows[i] * PIXELS, images, i * PIXELS, PIXELS);
    }
    return images;
  }

  /** The digit of each image. */
  long[] labels(boolean validation) {
    return IntStream.of(rows(validation)).mapToLong(row -> labels[row]).toArray();
  }

  private int[] rows(boolean validation) {
    return IntStream.range(0, labels.length)
        .filter(row -> (row % VALIDATES == 0) == validation)
        .toArray();
  }
}
