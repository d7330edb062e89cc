package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoints;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.NotAsync;
import dev.ckpt.dl4j.SmallTraining.Setup;
import java.io.IOException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.dataset.DataSet;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** Interrupts, failing data, and what a training leaves behind. */
class InterruptionTest {

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"NETWORK", "GRAPH", "SAMEDIFF"})
  void aStoppedNotebookGoesOnToTheSameBytes(Kind kind) {
    for (int batch : new int[] {3, 9}) { // inside an epoch, and in its last batch
      Setup setup = Setup.PLAIN.with(kind);
      String whole = new SmallTraining(setup).run().sha256;
      SmallTraining training = new SmallTraining(setup);
      training.savesEvery = 0;
      training.source = inner -> new Stopping(inner, batch + 1, Thread.currentThread());
      assertThatThrownBy(training::run)
          .isInstanceOf(CancellationException.class)
          .hasMessageContaining("is saved at step");
      assertThat(Thread.interrupted()).isFalse();
      training.source = inner -> inner;
      training.run();
      assertThat(training.log.startedAt.get(1)).as("it resumed").isPositive();
      assertThat(training.log.sha256).isEqualTo(whole);
      assertThat(training.log.executed).isEqualTo(SmallTraining.BATCHES);
    }
  }

  /** SameDiff counts an epoch before it asks for the next batch: that is the boundary then. */
  @Test
  void aStopIsHeardThoughEachEpochHasOneBatch() {
    Setup setup = Setup.PLAIN.with(Kind.SAMEDIFF).with(Data.SYNC);
    SmallTraining training = new SmallTraining(setup);
    training.savesEvery = 0;
    training.epochs = 12;
    training.source = inner -> new Stopping(whole(), 4, Thread.currentThread());
    assertThatThrownBy(training::run)
        .isInstanceOf(CancellationException.class)
        .hasMessageContaining("is saved at step 4");
    assertThat(Thread.interrupted()).isFalse();
    training.source = inner -> whole();
    training.run();
    assertThat(training.log.startedAt).containsExactly(0L, 4L);
    assertThat(training.log.executed).isEqualTo(12);
  }

  private static DataSetIterator whole() {
    return new NotAsync(
        new ListDataSetIterator<>(SmallTraining.samples().asList(), SmallTraining.SAMPLES));
  }

  /** Interrupts the training when so many batches were loaded. */
  private static final class Stopping extends NotAsync {
    private static final long serialVersionUID = 1L;
    private final int at;
    private final transient Thread training;
    private int loaded;

    Stopping(DataSetIterator inner, int at, Thread training) {
      super(inner);
      this.at = at;
      this.training = training;
    }

    @Override
    public DataSet next() {
      if (++loaded == at) {
        training.interrupt();
      }
      return super.next();
    }
  }

  /** Throws in the batch of that number, counted from the start. */
  private static final class Failing extends NotAsync {
    private static final long serialVersionUID = 1L;
    private final int at;
    private final boolean async;
    private final Throwable failure;
    private int loaded;

    Failing(DataSetIterator inner, int at, boolean async, Throwable failure) {
      super(inner);
      this.at = at;
      this.async = async;
      this.failure = failure;
    }

    @Override
    public boolean asyncSupported() {
      return async;
    }

    @Override
    public DataSet next() {
      if (loaded++ == at) {
        throw Failing.<RuntimeException>undeclared(failure);
      }
      return super.next();
    }

    /** As Kotlin and Scala throw what is checked. */
    @SuppressWarnings("unchecked")
    private static <E extends Throwable> E undeclared(Throwable thrown) throws E {
      throw (E) thrown;
    }
  }

  static Stream<Throwable> failures() {
    return Stream.of(
        new IllegalStateException("no data"),
        new StackOverflowError("no data"),
        new IOException("no data"),
        new InterruptedException("no data"));
  }

  @ParameterizedTest
  @MethodSource("failures")
  void dataThatFailsCostsNoBatchWhoeverLoadsItWhateverItThrows(Throwable failure) {
    String whole = new SmallTraining(Setup.PLAIN).run().sha256;
    for (boolean async : new boolean[] {false, true}) {
      for (Data data : Data.values()) {
        SmallTraining training = new SmallTraining(Setup.PLAIN.with(data));
        training.savesEvery = 0;
        training.checkpointing =
            builder ->
                builder.saveWhen(
                    SaveTrigger.anyOf(SaveTrigger.onException(), SaveTrigger.onCompletion()));
        training.source = inner -> new Failing(inner, 13, async, failure);
        assertThatThrownBy(training::run).isSameAs(failure);
        assertThat(Checkpoints.read(training.store, "small").attempts().get(0).end())
            .isEqualTo(Attempt.End.FAILED);
        training.source = inner -> inner;
        training.run();
        assertThat(training.log.startedAt.get(1)).isEqualTo(13);
        assertThat(training.log.executed).isEqualTo(SmallTraining.BATCHES);
        if (data != Data.SHUFFLED) {
          assertThat(training.log.sha256).isEqualTo(whole);
        }
      }
    }
  }

  /** Gives four batches, and no answer until it is let go. */
  private static final class Hanging extends NotAsync {
    private static final long serialVersionUID = 1L;
    private final transient CountDownLatch let;
    private int loaded;

    Hanging(DataSetIterator inner, CountDownLatch let) {
      super(inner);
      this.let = let;
    }

    @Override
    public boolean asyncSupported() {
      return true;
    }

    @Override
    public DataSet next() {
      if (loaded++ == 4) {
        try {
          let.await();
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
      return super.next();
    }
  }

  /** Else what the training threw would never be seen, and the run stay taken. */
  @Test
  void dataThatHangDoNotKeepAFailedTrainingFromItsEnd() {
    CountDownLatch let = new CountDownLatch(1);
    try {
      SmallTraining training = new SmallTraining(Setup.PLAIN);
      training.source = inner -> new Hanging(inner, let);
      IllegalStateException thrown = new IllegalStateException("of a listener");
      training.inUpdate =
          (iteration, trainee) -> {
            if (iteration == 3) {
              throw thrown;
            }
          };
      assertThatThrownBy(training::run).isSameAs(thrown);
      training.source = inner -> inner;
      training.inUpdate = (iteration, trainee) -> {};
      training.run();
      assertThat(training.log.startedAt.get(1)).isPositive();
    } finally {
      let.countDown();
    }
  }

  @Test
  void aTrainingLeavesNoThreadAndNoMemoryBehind() throws InterruptedException {
    SmallTraining first = new SmallTraining(Setup.PLAIN);
    first.run();
    long before = memory();
    for (int i = 0; i < 15; i++) {
      SmallTraining training = new SmallTraining(Setup.PLAIN);
      training.savesEvery = 1;
      training.run(7); // killed while batches are loaded ahead
      training.run();
    }
    assertThat(memory() - before).as("bytes of arrays").isLessThan(1 << 20);
    assertThat(Thread.getAllStackTraces().keySet())
        .extracting(Thread::getName)
        .noneMatch(name -> name.startsWith("ckpt-"));
  }

  /** What ND4J holds when the collector has told it of all that is unreachable. */
  private static long memory() throws InterruptedException {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      System.gc();
      Thread.sleep(50);
      least = Math.min(least, Pointer.totalBytes());
    }
    return least;
  }
}
