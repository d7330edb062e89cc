package dev.ckpt;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ValuesTest {

  @Test
  void aScalarHasOneElementAndAZeroMakesEmpty() {
    assertThat(Shape.of().elements()).isEqualTo(1);
    assertThat(Shape.of().rank()).isZero();
    assertThat(Shape.of()).hasToString("()");
    assertThat(Shape.of(3, 0, 5).elements()).isZero();
    assertThat(Shape.of(3, 4)).hasToString("(3, 4)");
  }

  @Test
  void aShapeIsNotChangedThroughItsArrays() {
    long[] dims = {2, 3};
    Shape shape = Shape.of(dims);
    dims[0] = 9;
    shape.dims()[1] = 9;
    assertThat(shape).isEqualTo(Shape.of(2, 3)).isNotEqualTo(Shape.of(3, 2));
    assertThat(shape).hasSameHashCodeAs(Shape.of(2, 3));
    assertThat(Shape.of(1)).isNotEqualTo(Shape.of());
  }

  @Test
  void elementsDoNotOverflow() {
    assertThat(Shape.of(Long.MAX_VALUE).elements()).isEqualTo(Long.MAX_VALUE);
    assertThat(Shape.of(Long.MAX_VALUE, 1, 1).elements()).isEqualTo(Long.MAX_VALUE);
    assertThat(Shape.of(Long.MAX_VALUE, Long.MAX_VALUE, 0).elements()).isZero();
    for (long[] dims : new long[][] {{1L << 32, 1L << 31}, {Long.MAX_VALUE, 2}, {-1}, {0, -1}}) {
      assertThatThrownBy(() -> Shape.of(dims))
          .as(Arrays.toString(dims))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(Arrays.toString(dims));
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2})
  void aShapeIsWhatItWasMadeOf(long seed) {
    Random random = new Random(seed);
    for (int round = 0; round < 500; round++) {
      long[] dims = random.longs(random.nextInt(6), 0, 40).toArray();
      Shape shape = Shape.of(dims);
      assertThat(shape.dims()).as("seed %d, round %d", seed, round).isEqualTo(dims);
      assertThat(shape.elements()).isEqualTo(Arrays.stream(dims).reduce(1, (a, b) -> a * b));
      assertThat(shape.rank()).isEqualTo(dims.length);
      for (int i = 0; i < dims.length; i++) {
        assertThat(shape.dim(i)).isEqualTo(dims[i]);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void aTypeIsFoundByItsNameOnDisk(DType type) {
    assertThat(DType.of(type.id())).isEqualTo(type);
    assertThatThrownBy(() -> DType.of(type.name())).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> DType.of(type.id() + " "))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Names and sizes are on disk: this list may grow, never change. */
  @Test
  void typesOnDiskAreFrozen() {
    List<String> types = new ArrayList<>();
    for (DType type : DType.values()) {
      types.add(type.id() + " " + type.bytes() + (type.isFloating() ? " floating" : ""));
    }
    assertThat(types)
        .containsExactly(
            "float64 8 floating",
            "float32 4 floating",
            "float16 2 floating",
            "bfloat16 2 floating",
            "int64 8",
            "int32 4",
            "int16 2",
            "int8 1",
            "uint64 8",
            "uint32 4",
            "uint16 2",
            "uint8 1",
            "bool 1");
  }

  @Test
  void theSizeOfATensorDoesNotOverflow() {
    long most = Long.MAX_VALUE / 8;
    assertThat(TensorSpec.of("a", DType.FLOAT64, Shape.of(most)).bytes()).isEqualTo(most * 8);
    assertThat(TensorSpec.of("a", DType.INT8, Shape.of(Long.MAX_VALUE)).bytes())
        .isEqualTo(Long.MAX_VALUE);
    assertThat(TensorSpec.of("a", DType.BFLOAT16, Shape.of(3, 0)).bytes()).isZero();
    assertThat(TensorSpec.of("a", DType.FLOAT32, Shape.of()).bytes()).isEqualTo(4);
    assertThatThrownBy(() -> TensorSpec.of("w", DType.FLOAT64, Shape.of(most + 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("w: ");
    assertThatThrownBy(() -> TensorSpec.of("", DType.BOOL, Shape.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aSliceStartsInEachDimensionOfTheWhole() {
    assertThat(new Placement.Slice(Shape.of(4, 4), Shape.of(2, 0)).start().dims())
        .containsExactly(2, 0);
    assertThatThrownBy(() -> new Placement.Slice(Shape.of(4, 4), Shape.of(2)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void progressIsNeverNegative() {
    Progress.Phase phase = Progress.Phase.AFTER_STEP;
    assertThat(Progress.START).isEqualTo(new Progress(0, 0, 0, 0, phase));
    assertThat(Progress.step(Long.MAX_VALUE).step()).isEqualTo(Long.MAX_VALUE);
    assertThatThrownBy(() -> new Progress(-1, 0, 0, 0, phase))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Progress(0, -1, 0, 0, phase))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Progress(0, 0, -1, 0, phase))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> new Progress(0, 0, 0, -1, phase))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void thePhasesAreInTheOrderOfTime() {
    assertThat(Progress.Phase.AFTER_STEP).isLessThan(Progress.Phase.AFTER_EPOCH);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "auto",
        "never",
        "required",
        "000001-000000000042-0",
        "best(a)",
        "best(a, min)",
        "best(a,max)",
        "mlflow:m-123"
      })
  void aResumeIsReadAsItIsWritten(String text) {
    assertThat(Resume.parse(text).text()).isEqualTo(text);
    Map<String, Class<?>> words =
        Map.of(
            "auto", Resume.Auto.class,
            "never", Resume.Never.class,
            "required", Resume.Required.class);
    assertThat(Resume.parse(text)).isInstanceOf(words.getOrDefault(text, Resume.From.class));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "  ", "best(", "best()", "best(a", "best(a, up)", "best(a, min, 3)"})
  void aResumeWithoutMeaningIsRefused(String text) {
    assertThatThrownBy(() -> Resume.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }
}
