package dev.ckpt.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.util.Progress;
import dev.ckpt.CheckpointException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

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
  private static Map<String, ?> saved(Dataset training, @Nullable Dataset validation) {
    return trainedOn(Map.of(), training, validation);
  }

  /** An attempt that begins with the facts of a checkpoint; those of one of its own. */
  private static Map<String, ?> trainedOn(
      Map<String, ?> facts, Dataset training, @Nullable Dataset validation) {
    Environment environment = new Environment();
    environment.write(facts);
    check(new Split(environment), training, validation);
    size(environment, "training.size", training);
    size(environment, "validation.size", validation);
    return environment.read();
  }

  private static void size(Environment environment, String name, @Nullable Dataset dataset) {
    if (dataset instanceof RandomAccessDataset indexed) {
      environment.fact(name, Long.toString(indexed.size()));
    }
  }

  private static void check(Split split, Dataset training, @Nullable Dataset validation) {
    split.training(training);
    if (validation != null) {
      split.validation(validation);
    }
    split.check();
  }

  private static Split resumed(Map<String, ?> facts) {
    Environment environment = new Environment();
    environment.write(facts);
    return new Split(environment);
  }

  /** Of which nothing is known. */
  private static Dataset opaque() {
    return new Dataset() {
      @Override
      public Iterable<Batch> getData(NDManager manager) {
        throw new AssertionError("not read");
      }

      @Override
      public void prepare(@Nullable Progress progress) {}
    };
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
  void withoutValidationTheTrainingPartMayBeAnyOther() throws Exception {
    Map<String, ?> facts = saved(whole(160).subDataset(0, 100), null);
    facts = trainedOn(facts, whole(160).subDataset(0, 140), null);
    facts = trainedOn(facts, whole(160), null);
    // and a validation set of its own may come later, but none of what was trained
    trainedOn(facts, whole(160), whole(40));
    ArrayDataset cut = whole(160);
    Split leaking = resumed(facts);
    assertThatThrownBy(() -> check(leaking, cut.subDataset(40, 160), cut.subDataset(0, 40)))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("the training data has been another part as well")
        .hasMessageContaining("initFrom");
  }

  @Test
  void asManyOtherSamplesWithoutValidationLookDrawnAnew() throws Exception {
    Map<String, ?> facts = saved(whole(160).subDataset(0, 128), null);
    Split split = resumed(facts);
    assertThatThrownBy(() -> check(split, whole(160).subDataset(32, 160), null))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("ckpt.validation(...)")
        .hasMessageContaining("before randomSplit");
    assertThatThrownBy(() -> check(split, whole(160).subDataset(32, 160), null))
        .as("asked again")
        .hasMessageContaining("before randomSplit");
    Split one = new Split(new Environment());
    for (int i = 0; i < 3; i++) { // what a loop takes in turn is its own affair
      check(one, whole(160).subDataset(i * 32, 128), null);
      check(one, whole(160).subDataset(i, 96 + i), null);
    }
  }

  @Test
  void aValidationSetOfAnyClassIsKnownAgain() throws Exception {
    Map<String, ?> facts = saved(whole(160).subDataset(0, 100), opaque());
    facts = trainedOn(facts, whole(160).subDataset(0, 140), opaque());
    assertThat(facts).doesNotContainKey("validation.size");
    trainedOn(facts, whole(160).subDataset(0, 150), opaque());
  }

  @Test
  void ofARunWhoseTrainingPartWasChangedTheValidationPartMayNot() throws Exception {
    ArrayDataset first = whole(160);
    Map<String, ?> facts = saved(first.subDataset(32, 160), first.subDataset(0, 32));
    ArrayDataset second = whole(160);
    facts = trainedOn(facts, second.subDataset(64, 160), second.subDataset(0, 32));
    ArrayDataset third = whole(160);
    Split leaking = resumed(facts); // 32 to 63 were trained by the first
    assertThatThrownBy(() -> check(leaking, third.subDataset(64, 160), third.subDataset(32, 64)))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("in this run the training data has been another part as well");
    facts = trainedOn(facts, third.subDataset(32, 160), third.subDataset(0, 32));
    Split still = resumed(facts);
    assertThatThrownBy(() -> check(still, third.subDataset(32, 160), third.subDataset(0, 16)))
        .hasMessageContaining("in this run the training data has been another part as well");
  }

  @Test
  void whatOneProcessTrainsCountsForItsNextFit() throws Exception {
    ArrayDataset whole = whole(160);
    Split split = new Split(new Environment());
    check(split, whole.subDataset(32, 160), whole.subDataset(0, 32));
    assertThatThrownBy(() -> check(split, whole.subDataset(0, 128), whole.subDataset(128, 160)))
        .isInstanceOf(CheckpointException.Incompatible.class)
        .hasMessageContaining("both another part");
    check(split, whole.subDataset(64, 160), whole.subDataset(0, 32));
    assertThatThrownBy(() -> check(split, whole.subDataset(64, 160), whole.subDataset(32, 64)))
        .hasMessageContaining("has been another part as well");
  }

  @Test
  void whatIsEvaluatedBesidesIsTheProgramsAffair() throws Exception {
    ArrayDataset whole = whole(160);
    RandomAccessDataset training = whole.subDataset(48, 160);
    List<Dataset> others =
        List.of(training, whole.subDataset(48, 80), whole(40), whole.subDataset(32, 48));
    Map<String, ?> facts = Map.of();
    for (int start = 0; start < 3; start++) {
      Environment environment = new Environment();
      environment.write(facts);
      Split split = new Split(environment);
      for (int epoch = 0; epoch < 2; epoch++) {
        check(split, training, whole.subDataset(0, 32));
        others.forEach(
            other -> {
              split.validation(other);
              split.check();
            });
      }
      facts = environment.read();
    }
    Split leaking = resumed(facts);
    assertThatThrownBy(() -> check(leaking, training, whole.subDataset(0, 64)))
        .hasMessageContaining("16 samples of the validation data are in the training data");
  }

  /** A baseline: a test set, before anything is trained. */
  @Test
  void whatIsEvaluatedFirstIsNotTakenForTheValidation() throws Exception {
    ArrayDataset whole = whole(200);
    Environment environment = new Environment();
    Split split = new Split(environment);
    split.evaluated(whole.subDataset(0, 20));
    check(split, whole.subDataset(60, 200), whole.subDataset(20, 60));
    split.evaluated(whole.subDataset(0, 20));
    Map<String, Object> facts = new HashMap<>(environment.read());
    assertThat(
            new HashMap<String, Object>(saved(whole.subDataset(60, 200), whole.subDataset(20, 60))))
        .containsAllEntriesOf(facts);

    Split leaking = resumed(facts);
    leaking.evaluated(whole.subDataset(0, 20));
    assertThatThrownBy(() -> check(leaking, whole.subDataset(20, 160), whole.subDataset(160, 200)))
        .hasMessageContaining("both another part");
  }

  @Test
  void theValidationMayBeWrappedBeforeTheTrainingData() throws Exception {
    ArrayDataset whole = whole(200);
    Environment environment = new Environment();
    Split split = new Split(environment);
    RandomAccessDataset validation = whole.subDataset(20, 60);
    split.validation(validation);
    split.training(whole.subDataset(60, 200));
    split.validation(whole.subDataset(0, 20));
    split.check();
    split.evaluated(validation);
    split.evaluated(whole.subDataset(0, 20));
    split.check();
    assertThat(environment.read().get("validation.subset"))
        .isEqualTo(saved(whole.subDataset(60, 200), validation).get("validation.subset"));
  }

  @Test
  void whatFitIsGivenIsTheValidationAlsoBehindAStop() throws Exception {
    ArrayDataset whole = whole(200);
    RandomAccessDataset training = whole.subDataset(40, 200);
    Split split = new Split(new Environment());
    check(split, training, whole.subDataset(0, 40));
    split.training(training);
    split.validates(whole.subDataset(100, 140));
    assertThatThrownBy(split::check)
        .hasMessageContaining("40 samples of the validation data are in the training data");
    split.validates(whole.subDataset(0, 40));
    split.check();
  }

  @Test
  void anAttemptThatDoesNotWrapItsDataForgetsNoSplit() throws Exception {
    ArrayDataset whole = whole(160);
    Map<String, ?> facts = saved(whole.subDataset(32, 160), whole.subDataset(0, 32));
    Environment unwrapped = new Environment();
    unwrapped.write(facts);
    assertThat(unwrapped.read()).isEqualTo(facts);
    Split split = resumed(unwrapped.read());
    assertThatThrownBy(() -> check(split, whole.subDataset(0, 128), whole.subDataset(128, 160)))
        .hasMessageContaining("both another part");
  }

  /** Of 160 samples the first 32 are validated, first none of them trained, then 16. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void ofAFileThatWasLoadedTwiceNothingIsSaidThatCannotBeKnown(boolean twice) throws Exception {
    ArrayDataset first = whole(160);
    Map<String, ?> facts =
        saved(first.subDataset(32, 160), (twice ? whole(160) : first).subDataset(0, 32));
    ArrayDataset now = whole(160);
    RandomAccessDataset validation = (twice ? whole(160) : now).subDataset(0, 32);
    RandomAccessDataset training = now.subDataset(64, 160);
    String said = Told.by(() -> check(resumed(facts), training, validation));
    assertThat(said).contains("WARN").contains("The training data is another part");
    if (twice) {
      assertThat(said)
          .contains("If that is the same data, loaded twice, nothing shows that they share no")
          .doesNotContain("by the indices of both");
    } else {
      assertThat(said).contains("by the indices of both").doesNotContain("loaded twice");
    }
    RandomAccessDataset leaking = now.subDataset(16, 160);
    if (twice) {
      assertThat(Told.by(() -> check(resumed(facts), leaking, validation)))
          .contains("loaded twice, nothing shows that they share no")
          .doesNotContain("by the indices of both");
    } else {
      assertThatThrownBy(() -> check(resumed(facts), leaking, validation))
          .hasMessageContaining("16 samples of the validation data are in the training data");
    }
  }

  @Test
  void aWholeThatIsCutLaterLeaks() throws Exception {
    Map<String, ?> facts = saved(whole(160), whole(40));
    ArrayDataset cut = whole(160);
    Split split = resumed(facts);
    assertThatThrownBy(() -> check(split, cut.subDataset(32, 160), cut.subDataset(0, 32)))
        .hasMessageContaining("both another part");
    Split other = resumed(facts);
    assertThatThrownBy(() -> check(other, cut, cut.subDataset(0, 32)))
        .hasMessageContaining("32 samples of the validation data are in the training data");
  }

  @Test
  void theOrderOfAPartMakesNoOtherOne() throws Exception {
    ArrayDataset whole = whole(6);
    Map<String, ?> facts =
        saved(whole.subDataset(List.of(3L, 1L, 5L)), whole.subDataset(List.of(0L, 2L)));
    Map<String, ?> again =
        trainedOn(facts, whole.subDataset(List.of(5L, 3L, 1L)), whole.subDataset(List.of(2L, 0L)));
    assertThat(again).doesNotContainKey("training.subset.changed");
    assertThat(again.get("training.subset")).isEqualTo(facts.get("training.subset"));
    assertThat(again.get("training.subset.order")).isNotEqualTo(facts.get("training.subset.order"));
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
