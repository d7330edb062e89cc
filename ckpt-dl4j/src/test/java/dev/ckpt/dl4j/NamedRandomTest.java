package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** {@code ckpt.random(name)} within the data: however they are loaded, and after a resume. */
class NamedRandomTest {

  static Stream<Setup> setups() {
    Setup plain = Setup.PLAIN;
    return Stream.of(
        plain,
        plain.with(Data.SYNC),
        plain.with(Data.SHUFFLED),
        plain.with(Loop.PLAIN_FIT).with(Data.SYNC),
        plain.with(Loop.BY_HAND),
        plain.with(Kind.GRAPH).with(Data.SHUFFLED),
        plain.with(Kind.TWO_INPUTS),
        plain.with(Kind.SAMEDIFF));
  }

  /** Batches that are scaled by what a stream draws, in each reset and for each batch. */
  private static SmallTraining augmented(Setup setup) {
    SmallTraining training = new SmallTraining(setup);
    AtomicReference<Dl4jCheckpoints> attached = new AtomicReference<>();
    training.afterResume = (ckpt, trainee) -> attached.set(ckpt);
    training.source =
        users -> {
          Dl4jCheckpoints ckpt = Objects.requireNonNull(attached.get());
          users.setPreProcessor(
              batch ->
                  batch.setFeatures(
                      batch
                          .getFeatures()
                          .mul(1 + 0.2 * ckpt.random("augmentation").nextGaussian())));
          return setup.data() == Data.SHUFFLED ? users : new Tilted(users, ckpt.random("tilt"));
        };
    return training;
  }

  /** Draws something for a whole epoch as well. */
  private static final class Tilted extends NotAsync {
    private static final long serialVersionUID = 1L;
    private final transient DataSetIterator users;
    private final transient Random random;
    private double tilt;

    Tilted(DataSetIterator users, Random random) {
      super(users);
      this.users = users;
      this.random = random;
    }

    @Override
    public void reset() {
      tilt = random.nextGaussian();
      super.reset();
    }

    @Override
    public DataSet next() {
      DataSet batch = super.next();
      batch.setFeatures(batch.getFeatures().add(0.1 * tilt));
      return batch;
    }

    @Override
    public boolean asyncSupported() {
      return users.asyncSupported();
    }
  }

  @ParameterizedTest
  @MethodSource("setups")
  void whatTheDataDrawFromAStreamIsTheSameAfterAResume(Setup setup) {
    Log whole = augmented(setup).run();
    assertThat(whole.sha256).as("it matters").isNotEqualTo(new SmallTraining(setup).run().sha256);
    for (int kill : new int[] {4, 10, 17}) {
      SmallTraining killed = augmented(setup);
      assertThat(killed.run(kill)).isFalse();
      Log resumed = killed.run();
      assertThat(resumed.startedAt.get(1)).isBetween(kill / 3L * 3 - 3, (long) kill);
      assertThat(resumed.batches).as("killed in batch %s", kill).isEqualTo(whole.batches);
      assertThat(resumed.sha256).as("killed in batch %s", kill).isEqualTo(whole.sha256);
    }
  }

  @Test
  void itIsTheSameWhoeverLoads() {
    assertThat(augmented(Setup.PLAIN.with(Data.SYNC)).run().sha256)
        .isEqualTo(augmented(Setup.PLAIN).run().sha256);
  }

  /** Else a training that draws from the same stream would depend on how far is loaded ahead. */
  @Test
  void loadingLeavesTheStreamOfTheTrainingAlone() {
    List<List<Double>> drawn = new ArrayList<>();
    for (int ahead : new int[] {0, 3}) {
      List<Double> inTraining = new ArrayList<>();
      try (Dl4jCheckpoints ckpt =
          Dl4jCheckpoints.open(
              CheckpointManager.in(new InMemoryStore(Clock.systemUTC())).run("n").seed(5))) {
        ckpt.resume(SmallTraining.network(Updater.ADAM));
        Random random = ckpt.random("both");
        DataSetIterator users = ckpt.batches(SmallTraining.samples(), 50, true, false);
        List<Double> inData = new ArrayList<>();
        users.setPreProcessor(batch -> inData.add(random.nextDouble()));
        DataSetIterator batches = ckpt.iterator(users, ahead);
        while (batches.hasNext()) {
          batches.next();
          inTraining.add(random.nextDouble());
        }
        assertThat(inData)
            .hasSize(3)
            .doesNotHaveDuplicates()
            .doesNotContainAnyElementsOf(inTraining);
      }
      drawn.add(inTraining);
    }
    assertThat(drawn.get(0)).doesNotHaveDuplicates().isEqualTo(drawn.get(1));
  }
}
