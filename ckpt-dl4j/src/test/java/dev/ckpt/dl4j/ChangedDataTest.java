package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;
import org.nd4j.linalg.factory.Nd4j;

/** A resume with another batch size, or with other data. */
class ChangedDataTest {
  private static final int SAMPLES = 160;
  private static final int BATCH = 16;

  /** How the batches come. */
  enum Batches {
    OF_CKPT,
    READ
  }

  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  /** The samples of each epoch that were trained, as often as they were. */
  private final TreeMap<Integer, List<Integer>> trained = new TreeMap<>();

  @BeforeEach
  void listen() throws Exception {
    EnvironmentTest.level(Environment.class, 20);
  }

  @AfterEach
  void putBack() throws Exception {
    EnvironmentTest.level(Environment.class, 40);
  }

  private Dl4jCheckpoints open() {
    return Dl4jCheckpoints.open(
        CheckpointManager.in(store).run("c").seed(5).saveWhen(SaveTrigger.everySteps(1)));
  }

  /** The first feature of a sample is its number. */
  private static DataSet numbered(int samples) {
    List<DataSet> all = SmallTraining.samples().asList();
    List<DataSet> some = new ArrayList<>();
    for (int i = 0; i < samples; i++) {
      DataSet one = all.get(i % all.size()).copy();
      one.getFeatures().putScalar(0, i);
      some.add(one);
    }
    return DataSet.merge(some);
  }

  private static DataSetIterator data(
      Dl4jCheckpoints ckpt, Batches how, int samples, int size, boolean dropLast) {
    return how == Batches.OF_CKPT
        ? ckpt.batches(numbered(samples), size, true, dropLast)
        : new ListDataSetIterator<>(numbered(samples).asList(), size);
  }

  private void note(int epoch, DataSet batch) {
    List<Integer> samples = trained.computeIfAbsent(epoch, any -> new ArrayList<>());
    for (int i = 0; i < batch.numExamples(); i++) {
      samples.add(batch.getFeatures().getInt(i, 0));
    }
  }

  /** What an attempt says that trains up to 3 epochs, unless it is killed in that batch. */
  private String train(Batches how, int samples, int size, int kill) {
    return train((ckpt, epoch) -> data(ckpt, how, samples, size, false), kill);
  }

  /** Where the batches of an epoch come from. */
  private interface DataOfEpoch {
    DataSetIterator of(Dl4jCheckpoints ckpt, int epoch);
  }

  private String train(DataOfEpoch data, int kill) {
    return train(data, 3, kill);
  }

  private String train(DataOfEpoch data, int epochs, int kill) {
    return EnvironmentTest.said(
        () -> {
          try (Dl4jCheckpoints ckpt = open()) {
            MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
            ckpt.resume(net);
            int left = ckpt.remainingEpochs(epochs);
            int first = ckpt.progress().epoch();
            int done = 0;
            for (int i = 0; i < left; i++) {
              DataSetIterator batches = ckpt.iterator(data.of(ckpt, first + i));
              batches.reset();
              while (batches.hasNext()) {
                if (done++ == kill) {
                  ckpt.manager().save(ckpt.progress(), java.util.Map.of()).join();
                  throw new Killed();
                }
                DataSet batch = batches.next();
                note(ckpt.progress().epoch(), batch);
                net.fit(batch);
              }
            }
            ckpt.complete();
          } catch (Killed e) {
            return; // as a process would be
          }
        });
  }

  @ParameterizedTest
  @EnumSource(Batches.class)
  void aBegunEpochGoesOnBehindTheSamplesThatAreDone(Batches how) {
    for (int size : new int[] {1, 8, 10, 32, 100, 160, 200}) {
      for (int kill : new int[] {5, 9, 10}) {
        ChangedDataTest one = new ChangedDataTest();
        one.train(how, SAMPLES, BATCH, kill);
        String said = one.train(how, SAMPLES, size, -1);
        String what = how + ": killed at batch " + kill + ", then batches of " + size;
        assertThat(one.trained.get(0)).as(what).doesNotHaveDuplicates();
        assertThat(one.trained.get(0)).as(what).hasSizeGreaterThan(SAMPLES - size);
        if (kill * BATCH % size == 0) {
          assertThat(one.trained.get(0)).as(what).hasSize(SAMPLES);
        }
        for (int whole : new int[] {1, 2}) {
          assertThat(one.trained.get(whole)).as(what).hasSize(SAMPLES).doesNotHaveDuplicates();
        }
        assertThat(said)
            .as(what)
            .contains("batchSize was 16 in the checkpoint and is " + size + " now")
            .contains("the learning rate is not adapted")
            .doesNotContain(" samples was");
        if (kill < SAMPLES / BATCH) {
          assertThat(said)
              .as(what)
              .contains("a begun epoch goes on behind the samples that are done")
              .contains(how == Batches.OF_CKPT ? "INFO" : "WARN");
        } else {
          // behind an epoch nothing is skipped, so nothing comes twice
          assertThat(said).as(what).contains("INFO").doesNotContain("WARN", "begun epoch");
        }
      }
    }
  }

  /** Sizes may change again, and the count of the samples that are done stays right. */
  @ParameterizedTest
  @EnumSource(Batches.class)
  void aSecondChangeInTheSameEpochTrainsNothingTwice(Batches how) {
    train(how, SAMPLES, BATCH, 5); // 80 done
    train(how, SAMPLES, 20, 2); // 120
    train(how, SAMPLES, 8, 1); // 128
    assertThat(train(how, SAMPLES, 8, -1)).as("the same").isEmpty();
    for (int epoch = 0; epoch < 3; epoch++) {
      assertThat(trained.get(epoch)).hasSize(SAMPLES).doesNotHaveDuplicates();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {80, 48, 8, 144, 176, 320})
  void otherDataAreAWarning(int samples) {
    for (Batches how : Batches.values()) {
      ChangedDataTest one = new ChangedDataTest();
      one.train(how, SAMPLES, BATCH, 13); // an epoch has been read to its end
      assertThat(one.train(how, samples, BATCH, -1))
          .as("%s", how)
          .contains("WARN")
          .contains("samples was 160 in the checkpoint and is " + samples + " now")
          .contains("whole epochs follow")
          .doesNotContain("batchSize was", "data was"); // their number says it
      assertThat(one.trained.get(2)).as("%s", how).hasSize(samples).doesNotHaveDuplicates();
      assertThat(one.train(how, samples, BATCH, -1)).as("said once").isEmpty();
    }
  }

  /** What is left of the samples when a fifth is drawn for a test. */
  private static DataSet split(int seed) {
    DataSet all = numbered(SAMPLES);
    all.shuffle(seed);
    return all.splitTestAndTrain(SAMPLES * 4 / 5).getTrain();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 3, 8, 11, 16})
  void anotherSplitOfAsManySamplesIsAWarning(int kill) {
    train((ckpt, epoch) -> ckpt.batches(split(1), BATCH, true, false), kill);
    assertThat(train((ckpt, epoch) -> ckpt.batches(split(1), BATCH, true, false), 1))
        .as("the same")
        .isEmpty();
    DataOfEpoch other = (ckpt, epoch) -> ckpt.batches(split(2), BATCH, true, false);
    assertThat(train(other, 1))
        .contains("WARN")
        .contains("data was ")
        .contains("the samples are others, or lie in another order, though they are as many")
        .contains("splitTestAndTrain")
        .doesNotContain(" samples was", "batchSize was");
    assertThat(train(other, -1)).as("said once").isEmpty();
  }

  @Test
  void oneOtherAnswerOrMaskOfFewSamplesIsAWarning() {
    DataSet labels = numbered(32);
    labels.getLabels().putScalar(7, 1, 0.5);
    DataSet masked = numbered(32);
    masked.setLabelsMaskArray(Nd4j.ones(DataType.FLOAT, 32, 1));
    for (DataSet other : List.of(labels, masked)) {
      ChangedDataTest one = new ChangedDataTest();
      one.train((ckpt, epoch) -> ckpt.batches(numbered(32), BATCH, true, false), 1);
      assertThat(one.train((ckpt, epoch) -> ckpt.batches(other, BATCH, true, false), -1))
          .contains("WARN", "data was ");
    }
  }

  @Test
  void theSameSamplesInAnotherLayoutOfMemoryAreTheSame() {
    DataSet columns = numbered(SAMPLES);
    columns.setFeatures(columns.getFeatures().dup('f'));
    train((ckpt, epoch) -> ckpt.batches(numbered(SAMPLES), BATCH, true, false), 5);
    assertThat(train((ckpt, epoch) -> ckpt.batches(columns, BATCH, true, false), -1)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void thatSamplesAreShuffledNoMoreOrFromNowOnIsSaid(boolean before) {
    for (int kill : new int[] {5, 10}) {
      ChangedDataTest one = new ChangedDataTest();
      one.train((ckpt, epoch) -> ckpt.batches(numbered(SAMPLES), BATCH, before, false), kill);
      DataOfEpoch other = (ckpt, epoch) -> ckpt.batches(numbered(SAMPLES), BATCH, !before, false);
      assertThat(one.train(other, 12))
          .contains("shuffle was " + before + " in the checkpoint and is " + !before + " now")
          .contains(kill == 5 ? "WARN" : "INFO")
          .contains(
              kill == 5
                  ? "some samples of the begun epoch come again and others only in the next one"
                  : "from here on")
          .doesNotContain(kill == 5 ? "INFO" : "WARN")
          .doesNotContain("data was");
      assertThat(one.train(other, -1)).as("said once").isEmpty();
      assertThat(one.trained.get(2)).hasSize(SAMPLES).doesNotHaveDuplicates();
    }
  }

  /** Augmented, or drawn anew: that each epoch has samples of its own is no change then. */
  @Test
  void dataOfTheirOwnInEachEpochAreNoOtherData() {
    DataOfEpoch drawn = (ckpt, epoch) -> ckpt.batches(split(epoch), BATCH, true, false);
    assertThat(train(drawn, 9)).isEmpty();
    for (int kill : new int[] {3, 4, 0, 2, -1}) {
      assertThat(train(drawn, kill)).as("%d", kill).isEmpty();
    }
  }

  @Test
  void dataOfTheirOwnInEachEpochAreNoOtherDataAtAnEpochsEndEither() {
    DataOfEpoch drawn = (ckpt, epoch) -> ckpt.batches(split(epoch), BATCH, true, false);
    for (int epochs : new int[] {2, 3, 5}) {
      assertThat(train(drawn, epochs, -1)).as("%d", epochs).isEmpty();
    }
  }

  /** A curriculum, or random lengths: how long an epoch is, is no fact then. */
  @Test
  void epochsThatDifferFromEachOtherAreNoOtherData() {
    for (int kill : new int[] {-1, 28, 3}) {
      String said =
          EnvironmentTest.said(
              () -> {
                try (Dl4jCheckpoints ckpt = open()) {
                  MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
                  ckpt.resume(net);
                  int left = ckpt.remainingEpochs(kill < 0 ? 6 : 12);
                  int done = 0;
                  for (int i = 0; i < left; i++) {
                    int samples = 40 + 20 * (ckpt.progress().epoch() % 3);
                    DataSetIterator batches =
                        ckpt.iterator(
                            new ListDataSetIterator<>(numbered(samples).asList(), BATCH), 0);
                    batches.reset();
                    while (batches.hasNext()) {
                      if (done++ == kill) {
                        throw new Killed();
                      }
                      net.fit(batches.next());
                    }
                    batches.reset();
                  }
                  ckpt.complete();
                } catch (Killed e) {
                  return; // as a process would be
                }
              });
      assertThat(said).isEmpty();
    }
  }

  private void trainGraph(Batches how, int samples, int size, int kill) {
    try (Dl4jCheckpoints ckpt = open()) {
      SameDiff graph = SmallTraining.sameDiff(Updater.ADAM);
      ckpt.resume(graph);
      DataSetIterator batches =
          new NotAsync(data(ckpt, how, samples, size, false)) {
            private static final long serialVersionUID = 1L;
            private int given;

            @Override
            public DataSet next() {
              if (given++ == kill) {
                ckpt.manager().save(ckpt.progress(), java.util.Map.of()).join();
                throw new Killed();
              }
              return super.next();
            }
          };
      ckpt.fit(
          graph,
          how == Batches.OF_CKPT && kill < 0 ? data(ckpt, how, samples, size, false) : batches,
          3);
    } catch (Killed e) {
      return; // as a process would be
    }
  }

  /** SameDiff throws in an epoch without a batch. */
  @Test
  void aGraphsEpochHasABatchThoughAllItsSamplesAreDone() {
    trainGraph(Batches.READ, SAMPLES, BATCH, 9);
    trainGraph(Batches.OF_CKPT, SAMPLES, 100, -1);
    try (Dl4jCheckpoints ckpt = open()) {
      ckpt.resume(SmallTraining.sameDiff(Updater.ADAM));
      assertThat(ckpt.progress().epoch()).isEqualTo(3);
      assertThat(ckpt.progress().step()).isEqualTo(9 + 1 + 2 * 2);
    }
  }

  @Test
  void aGraphsEpochWithoutABatchIsRefusedIfTheDataCannotGoBack() {
    trainGraph(Batches.READ, SAMPLES, BATCH, 9);
    assertThatThrownBy(() -> trainGraph(Batches.READ, SAMPLES, 100, -1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("Of epoch 0 all batches are done")
        .hasMessageContaining("give the data and the batch size of the checkpoint");
    trainGraph(Batches.READ, SAMPLES, BATCH, -1);
  }
}
