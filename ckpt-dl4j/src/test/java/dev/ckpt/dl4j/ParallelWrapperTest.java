package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import dev.ckpt.spi.CheckpointStore;
import java.io.PrintStream;
import java.time.Clock;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.parallelism.ParallelWrapper;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/**
 * Several workers on one network: what can be saved is, what cannot is refused with the way out.
 */
class ParallelWrapperTest {
  private static final PrintStream ERR = System.err;

  private final CheckpointStore store = new InMemoryStore(Clock.systemUTC());

  /** It prints what its workers threw before it throws that. */
  @BeforeAll
  static void silence() {
    System.setErr(new PrintStream(PrintStream.nullOutputStream()));
  }

  @AfterAll
  static void speak() {
    System.setErr(ERR);
  }

  private void open(Consumer<Dl4jCheckpoints> use) {
    try (Dl4jCheckpoints ckpt =
        Dl4jCheckpoints.open(
            CheckpointManager.in(store).run("r").seed(5).saveWhen(SaveTrigger.everySteps(1)))) {
      use.accept(ckpt);
    }
  }

  private static DataSetIterator data() {
    return new ListDataSetIterator<DataSet>(SmallTraining.samples().asList(), 15);
  }

  private static void fit(MultiLayerNetwork net, DataSetIterator data) {
    try (ParallelWrapper wrapper =
        new ParallelWrapper.Builder<>(net)
            .workers(2)
            .averagingFrequency(1)
            .averageUpdaters(true)
            .prefetchBuffer(2)
            .build()) {
      wrapper.fit(data);
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private static void assertRefused(ThrowingCallable training) {
    assertThatThrownBy(training)
        .satisfies(
            thrown -> {
              Throwable root = thrown;
              while (root.getCause() != null) {
                root = root.getCause();
              }
              assertThat(root)
                  .isInstanceOf(UnsupportedOperationException.class)
                  .hasMessageContaining("ParallelWrapper trains copies of the network")
                  .hasMessageContaining("ckpt.endEpoch()");
            });
  }

  @Test
  void itsIteratorIsRefused() {
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          ckpt.resume(net);
          DataSetIterator ours = ckpt.iterator(data());
          assertRefused(() -> fit(net, ours));
        });
  }

  @Test
  void itsListenerIsRefused() {
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          ckpt.resume(net);
          net.setListeners(ckpt.listener());
          assertRefused(() -> fit(net, data()));
        });
  }

  @Test
  void theAveragedNetworkIsSavedAtTheEndsOfEpochsAndGoesOn() {
    INDArray[] averaged = new INDArray[2];
    int[] updates = new int[1];
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          ckpt.resume(net);
          for (int i = ckpt.progress().epoch(); i < 2; i++) {
            fit(net, data());
            ckpt.endEpoch();
          }
          averaged[0] = net.params().dup();
          averaged[1] = net.updaterState().dup();
          updates[0] = net.getIterationCount();
        });
    open(
        ckpt -> {
          MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
          assertThat(ckpt.resume(net)).isPresent();
          assertThat(ckpt.progress().epoch()).isEqualTo(2);
          assertThat(net.params()).isEqualTo(averaged[0]);
          assertThat(net.updaterState()).isEqualTo(averaged[1]);
          assertThat(net.getIterationCount()).isEqualTo(updates[0]);
          fit(net, data());
          ckpt.endEpoch();
          assertThat(ckpt.progress().epoch()).isEqualTo(3);
        });
  }
}
