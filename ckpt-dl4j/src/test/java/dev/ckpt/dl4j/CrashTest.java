package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.CrashingStore;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The process dies at any call into the store: whatever is left, the next one goes on from it. */
class CrashTest {
  private static final int KILLED_AT = 7;

  private static SmallTraining training(Kind kind, CheckpointStore store) {
    SmallTraining training = new SmallTraining(Setup.PLAIN.with(kind), store);
    training.epochs = 1;
    return training;
  }

  @Test
  void diedAtAnyCallANetworkGoesOnFromWhatWasCommittedOrNewer() throws IOException {
    assertGoesOn(Kind.NETWORK);
  }

  @Tag("nightly")
  @ParameterizedTest
  @EnumSource(Kind.class)
  void diedAtAnyCallAnyModelGoesOnFromWhatWasCommittedOrNewer(Kind kind) throws IOException {
    assertGoesOn(kind);
  }

  private static void assertGoesOn(Kind kind) throws IOException {
    String whole = training(kind, CrashingStore.inMemory()).run().sha256;
    boolean stopped = true;
    int restarts = 0;
    int resumed = 0;
    for (int call = 1; stopped; call++) {
      CrashingStore store = CrashingStore.inMemory();
      store.stopsAt(call);
      long committed = dies(training(kind, store));
      stopped = store.isStopped();
      store.assertNothingIsOpen();
      for (CrashingStore.Restart how : store.restarts()) {
        try (CrashingStore left = store.restarted(how)) {
          SmallTraining next = training(kind, left);
          String what = kind + " that died at call " + call + ", " + how;
          assertThat(next.run().sha256).as(what).isEqualTo(whole);
          assertThat(next.log.startedAt.get(0)).as(what).isGreaterThanOrEqualTo(committed);
          left.assertNothingIsOpen();
          restarts++;
          resumed += next.log.startedAt.get(0) > 0 ? 1 : 0;
        }
      }
    }
    assertThat(restarts).isGreaterThan(20);
    assertThat(resumed).isGreaterThan(restarts / 3);
  }

  /** Trains as far as it comes: the newest step of which it was said that it is committed. */
  private static long dies(SmallTraining training) {
    AtomicLong committed = new AtomicLong();
    training.checkpointing =
        builder ->
            builder.notify(
                new CheckpointListener() {
                  @Override
                  public void committed(Checkpoint checkpoint) {
                    committed.accumulateAndGet(checkpoint.progress().step(), Math::max);
                  }
                });
    try {
      training.run(KILLED_AT);
    } catch (CheckpointException e) {
      assertThat(e).hasMessageNotContaining("null"); // the store is gone, and that is said
    }
    return committed.get();
  }
}
