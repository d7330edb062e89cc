package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.time.Clock;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.adapter.MultiDataSetIteratorAdapter;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Iterators whose order a resume cannot repeat are told by their first batch. */
class DataOrderTest {
  private static final int BATCH = 16;
  private static final String OTHER = "gives other batches than before the resume";

  private CheckpointStore store = new InMemoryStore(Clock.systemUTC());
  private String sha256 = "";

  @BeforeEach
  void listen() throws Exception {
    EnvironmentTest.level(TrainingLoop.class, 30);
  }

  @AfterEach
  void putBack() throws Exception {
    EnvironmentTest.level(TrainingLoop.class, 40);
  }

  /** Shuffles what it had shuffled before, at each reset, as MnistDataSetIterator does. */
  private static final class Shuffling extends NotAsync {
    private static final long serialVersionUID = 1L;
    private final transient List<DataSet> samples;
    private final transient Random random;
    private transient DataSetIterator batches;

    Shuffling(Random random) {
      super(new ListDataSetIterator<>(SmallTraining.samples().asList(), BATCH));
      this.samples = SmallTraining.samples().asList();
      this.random = random;
      this.batches = new ListDataSetIterator<>(samples, BATCH);
    }

    @Override
    public boolean asyncSupported() {
      return true;
    }

    @Override
    public void reset() {
      Collections.shuffle(samples, random);
      batches = new ListDataSetIterator<>(samples, BATCH);
    }

    @Override
    public boolean hasNext() {
      return batches.hasNext();
    }

    @Override
    public DataSet next() {
      return batches.next();
    }
  }

  /**
   * What an attempt says that trains 4 epochs.
   *
   * @param kill in this batch, behind a save, counted from its start
   */
  private String train(DataSetIterator data, boolean evaluates, int kill) {
    return EnvironmentTest.said(
        () -> {
          try (Dl4jCheckpoints ckpt =
              Dl4jCheckpoints.open(
                  CheckpointManager.in(store)
                      .run("o")
                      .seed(5)
                      .saveWhen(SaveTrigger.onCompletion()))) {
            MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
            DataSetIterator killing =
                new NotAsync(ckpt.iterator(data)) {
                  private static final long serialVersionUID = 1L;
                  private int asked;

                  @Override
                  public DataSet next() {
                    if (asked++ == kill) {
                      ckpt.manager().save(ckpt.progress(), Map.of()).join();
                      throw new Killed();
                    }
                    return super.next();
                  }
                };
            net.addListeners(
                new BaseTrainingListener() {
                  @Override
                  public void onEpochEnd(Model model) {
                    if (evaluates) {
                      data.reset();
                      net.evaluate(data);
                    }
                  }
                });
            ckpt.resume(net);
            int left = ckpt.remainingEpochs(4);
            if (left > 0) {
              net.fit(killing, left);
            }
            ckpt.complete();
            sha256 = ckpt.sha256();
          } catch (Killed e) {
            return; // as a process would be
          }
        });
  }

  /** Inside an epoch, and at its beginning; in the first one and in a later one. */
  private static final int[] KILLS = {5, 10, 13, 20, 27};

  @Test
  void aSeededShuffleOfItsOwnIsRepeated() {
    train(new Shuffling(new Random(4)), false, -1);
    String whole = sha256;
    for (int kill : KILLS) {
      store = new InMemoryStore(Clock.systemUTC());
      train(new Shuffling(new Random(4)), false, kill);
      assertThat(train(new Shuffling(new Random(4)), false, -1)).as("killed at %s", kill).isEmpty();
      assertThat(sha256).as("killed at %s", kill).isEqualTo(whole);
    }
  }

  @Test
  void anEvaluationThatResetsItInBetweenIsTold() {
    for (int kill : KILLS) {
      store = new InMemoryStore(Clock.systemUTC());
      train(new Shuffling(new Random(4)), true, kill);
      String said = train(new Shuffling(new Random(4)), true, -1);
      if (kill > 10) {
        assertThat(said)
            .as("killed at %s", kill)
            .contains("WARN")
            .contains(OTHER)
            .contains("Evaluate on another iterator");
      }
      assertThat(train(new Shuffling(new Random(4)), true, -1)).as("said once").isEmpty();
    }
  }

  @Test
  void aShuffleThatNobodyCanRepeatIsTold() {
    for (int kill : KILLS) {
      store = new InMemoryStore(Clock.systemUTC());
      train(new Shuffling(new Random(4)), false, kill);
      assertThat(train(new Shuffling(new Random(8)), false, -1))
          .as("killed at %s", kill)
          .contains("WARN")
          .contains(OTHER);
    }
  }

  @Test
  void dataThatComeInOneOrderAreNotTold() {
    for (int kill : KILLS) {
      for (boolean evaluates : new boolean[] {false, true}) {
        store = new InMemoryStore(Clock.systemUTC());
        List<DataSet> samples = SmallTraining.samples().asList();
        train(new ListDataSetIterator<>(samples, BATCH), evaluates, kill);
        assertThat(train(new ListDataSetIterator<>(samples, BATCH), evaluates, -1))
            .as("killed at %s", kill)
            .isEmpty();
      }
    }
  }

  /** A MultiDataSetIterator does not say how large its batches are. */
  @Test
  void batchesOfSeveralInputsThatHaveAnotherSizeAreTold() {
    for (int size : new int[] {BATCH, 8}) {
      String said =
          EnvironmentTest.said(
              () -> {
                try (Dl4jCheckpoints ckpt =
                    Dl4jCheckpoints.open(CheckpointManager.in(store).run("o").seed(5))) {
                  var net = SmallTraining.graph(Updater.ADAM);
                  ckpt.resume(net);
                  var batches =
                      ckpt.iterator(
                          new MultiDataSetIteratorAdapter(
                              new ListDataSetIterator<>(SmallTraining.samples().asList(), size)));
                  for (int i = 0; i < 3; i++) {
                    net.fit(batches.next());
                  }
                  assertThat(batches.hasNext()).isTrue(); // the boundary
                  ckpt.manager().save(ckpt.progress(), Map.of()).join();
                }
              });
      if (size == BATCH) {
        assertThat(said).isEmpty();
      } else {
        assertThat(said)
            .contains("WARN")
            .contains("The first batch of epoch 0 had 16 samples in the checkpoint and has 8 now");
      }
    }
  }
}
