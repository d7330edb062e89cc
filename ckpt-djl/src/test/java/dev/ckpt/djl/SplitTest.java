package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.RandomAccessDataset;
import dev.ckpt.CheckpointException;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What of a divided dataset may change between two attempts: nothing by which validation leaks. */
class SplitTest {
  private final NDManager manager = NDManager.newBaseManager(Device.cpu());

  @AfterEach
  void close() {
    manager.close();
  }

  private ArrayDataset whole(int size) {
    return new ArrayDataset.Builder()
        .setData(manager.zeros(new Shape(size, 1)))
        .setSampling(8, false)
        .build();
  }

  /** The facts of a checkpoint. */
  private static Map<String, ?> saved(
      RandomAccessDataset training, RandomAccessDataset validation) {
    Environment environment = new Environment();
    Split split = new Split(environment);
    split.training(training);
    split.validation(validation);
    split.check();
    environment.fact("validation.size", Long.toString(validation.size()));
    return environment.read();
  }

  private static Split resumed(Map<String, ?> facts) {
    Environment environment = new Environment();
    environment.write(facts);
    return new Split(environment);
  }

  /** Of 160 samples 0 to 31 were validated, and 32 to 159 trained. */
  @ParameterizedTest
  @CsvSource({
    "160, 32, 160, 0, 32, ''",
    "240, 32, 240, 0, 32, ''",
    "160, 64, 160, 0, 32, ''",
    "160, 32, 160, 0, 16, ''",
    "160, 0, 160, 0, 32, 32 samples of the validation data are in the training data",
    "160, 32, 160, 16, 48, 16 samples of the validation data are in the training data",
    "240, 48, 240, 0, 48, both another part of the whole",
    "160, 32, 144, 144, 160, both another part of the whole"
  })
  void whatCannotLeakIsCarriedOnAndTheRestRefusedBeforeABatch(
      int size, int from, int to, int validatedFrom, int validatedTo, String refusal)
      throws Exception {
    ArrayDataset before = whole(160);
    Map<String, ?> facts = saved(before.subDataset(32, 160), before.subDataset(0, 32));
    ArrayDataset now = whole(size);
    Split split = resumed(facts);
    split.training(now.subDataset(from, to));
    split.validation(now.subDataset(validatedFrom, validatedTo));
    if (refusal.isEmpty()) {
      split.check();
      split.check();
    } else {
      assertThatThrownBy(split::check)
          .isInstanceOf(CheckpointException.Incompatible.class)
          .hasMessageContaining(refusal)
          .hasMessageContaining("initFrom");
    }
  }

  @Test
  void aSplitThatIsDrawnAnewIsRefused() throws Exception {
    Function<Integer, RandomAccessDataset[]> split =
        seed -> {
          ai.djl.util.RandomUtils.RANDOM.setSeed(seed);
          try {
            return whole(160).randomSplit(8, 2);
          } catch (Exception e) {
            throw new AssertionError(e);
          }
        };
    RandomAccessDataset[] first = split.apply(1);
    Map<String, ?> facts = saved(first[0], first[1]);
    for (int seed : new int[] {1, 2}) {
      RandomAccessDataset[] parts = split.apply(seed);
      Split again = resumed(facts);
      again.training(parts[0]);
      again.validation(parts[1]);
      if (seed == 1) {
        again.check();
      } else {
        assertThatThrownBy(again::check)
            .hasMessageContaining("both another part")
            .hasMessageContaining("before randomSplit");
      }
    }
  }

  @Test
  void aValidationSetOfItsOwnLetsTheTrainingPartGrow() throws Exception {
    ArrayDataset other = whole(40);
    Map<String, ?> facts = saved(whole(160).subDataset(0, 100), other);
    Split split = resumed(facts);
    split.training(whole(160).subDataset(0, 150));
    assertThatThrownBy(split::check)
        .hasMessageContaining("none is given")
        .hasMessageContaining("ckpt.validation(...)");
    split.validation(other);
    split.check();
    ArrayDataset trained = whole(160);
    Split leaking = resumed(facts);
    leaking.training(trained.subDataset(0, 150));
    leaking.validation(trained);
    assertThatThrownBy(leaking::check).hasMessageContaining("150 samples of the validation data");
  }

  @Test
  void aPartOfAPartIsKnownByItsPlacesInTheWhole() throws Exception {
    ArrayDataset whole = whole(100);
    DataFacts.Part part = DataFacts.part(whole.subDataset(20, 80).subDataset(10, 20)).orElseThrow();
    assertThat(part.members().stream()).containsExactly(30, 31, 32, 33, 34, 35, 36, 37, 38, 39);
    assertThat(part.whole()).isSameAs(whole);
    assertThat(DataFacts.part(whole)).isEmpty();
  }
}
