package dev.ckpt.samples;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import org.junit.jupiter.api.Test;

class DigitsDataTest {

  @Test
  void allImagesAreThereAndTheirPixelsLieBetweenBlackAndWhite() throws IOException {
    DigitsData digits = DigitsData.load(Integer.MAX_VALUE);
    assertThat(digits.size()).isEqualTo(1797);
    try (NDManager manager = NDManager.newBaseManager("PyTorch")) {
      var training = digits.training(manager, 32, 0);
      var validation = digits.validation(manager, 32, 0);
      assertThat(training.size()).isEqualTo(1437);
      assertThat(validation.size()).isEqualTo(360);
      NDList first = validation.get(manager, 0).getData();
      assertThat(first.head().getShape()).isEqualTo(new Shape(1, 8, 8));
      // The first line of the file is a zero.
      assertThat(validation.get(manager, 0).getLabels().head().getLong()).isZero();
      assertThat(first.head().min().getFloat()).isZero();
      assertThat(first.head().max().getFloat()).isEqualTo(15 / 16f);
    }
  }
}
