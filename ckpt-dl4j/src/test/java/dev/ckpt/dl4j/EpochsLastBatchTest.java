package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Data;
import dev.ckpt.dl4j.SmallTraining.Killed;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import dev.ckpt.internal.memory.InMemoryStore;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.datasets.iterator.utilty.ListDataSetIterator;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.dataset.api.iterator.DataSetIterator;

/** A trigger by steps or time that falls on the last batch of an epoch, with none for epochs. */
class EpochsLastBatchTest {
  private static final int PER_EPOCH = SmallTraining.BATCHES / SmallTraining.EPOCHS;

  private int resumedAtTheLastBatch;

  private static SmallTraining training(Setup setup, SaveTrigger trigger) {
    SmallTraining training = new SmallTraining(setup);
    training.savesEvery = 0;
    training.checkpointing = builder -> builder.saveWhen(trigger);
    return training;
  }

  private static void assertSame(Log resumed, Log whole, String what) {
    assertThat(resumed.batches).as(what).isEqualTo(whole.batches);
    assertThat(resumed.tensors).as(what).isEqualTo(whole.tensors);
    assertThat(resumed.sha256).as(what).isEqualTo(whole.sha256);
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"NETWORK", "GRAPH", "SAMEDIFF"})
  void stepsThatFallOnItSaveThere(Kind kind) {
    List<Loop> loops = new ArrayList<>(List.of(Loop.FIT, Loop.PLAIN_FIT));
    if (kind != Kind.SAMEDIFF) {
      loops.addAll(List.of(Loop.BY_HAND, Loop.RESET_BEHIND, Loop.RESET_AND_FIT));
    }
    for (Loop loop : loops) {
      Setup setup = Setup.PLAIN.with(kind).with(loop);
      SaveTrigger trigger = SaveTrigger.everySteps(PER_EPOCH);
      Log whole = training(setup, trigger).run();
      SmallTraining killed = training(setup, trigger);
      assertThat(killed.run(2 * PER_EPOCH + 4)).isFalse();
      killed.run();
      // not more exactly: a save by steps is left out while the one before is being written
      assertThat(killed.log.startedAt.get(1))
          .as("%s", setup)
          .isIn((long) PER_EPOCH, 2L * PER_EPOCH);
      assertSame(killed.log, whole, setup.toString());
      assertThat(killed.log.executed)
          .as("%s", setup)
          .isEqualTo(
              SmallTraining.BATCHES + 2 * PER_EPOCH + 5 - killed.log.startedAt.get(1).intValue());
    }
  }

  /**
   * Else a loop that lost an epoch, or that was left early, would be called complete in silence.
   */
  @Test
  void aRunThatEndedFewerEpochsThanItsGoalIsTold() throws Exception {
    EnvironmentTest.level(Dl4jCheckpoints.class, 30);
    try {
      for (int epochs : new int[] {1, 2}) {
        String said =
            EnvironmentTest.said(
                () -> {
                  try (Dl4jCheckpoints ckpt =
                      Dl4jCheckpoints.open(
                          CheckpointManager.in(new InMemoryStore(Clock.systemUTC())).run("f"))) {
                    MultiLayerNetwork net = SmallTraining.network(SmallTraining.Updater.ADAM);
                    ckpt.resume(net);
                    DataSetIterator data =
                        ckpt.iterator(ckpt.batches(SmallTraining.samples(), 50, true, false));
                    ckpt.remainingEpochs(2);
                    for (int i = 0; i < epochs; i++) {
                      while (data.hasNext()) {
                        net.fit(data.next());
                      }
                      data.reset();
                    }
                    ckpt.complete();
                  }
                });
        if (epochs == 2) {
          assertThat(said).isEmpty();
        } else {
          assertThat(said)
              .contains("WARN")
              .contains("Run f is recorded as complete with 2 epochs, but 1 were ended");
        }
      }
    } finally {
      EnvironmentTest.level(Dl4jCheckpoints.class, 40);
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"NETWORK", "GRAPH", "SAMEDIFF"})
  void aTrainingWhoseEpochsHaveOneBatchIsSavedByTime(Kind kind) {
    SmallTraining killed = training(Setup.PLAIN.with(kind), SaveTrigger.every(Duration.ofNanos(1)));
    killed.source =
        one -> new ListDataSetIterator<>(SmallTraining.samples().asList(), SmallTraining.SAMPLES);
    killed.epochs = 12;
    assertThat(killed.run(7)).isFalse();
    killed.run();
    assertThat(killed.log.startedAt.get(1)).isBetween(1L, 7L);
    SmallTraining whole = training(Setup.PLAIN.with(kind), SaveTrigger.onCompletion());
    whole.source = killed.source;
    whole.epochs = killed.epochs;
    assertSame(killed.log, whole.run(), kind.toString());
  }

  /** Nobody but the listener knows of the epoch: it is not trained again. */
  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"NETWORK", "GRAPH", "SAMEDIFF"})
  void theListenerAloneTrainsNoEpochAgain(Kind kind) {
    Setup setup = Setup.PLAIN.with(kind).with(Loop.LISTENER_ONLY).with(Data.SYNC);
    for (SaveTrigger trigger :
        new SaveTrigger[] {SaveTrigger.everySteps(PER_EPOCH), SaveTrigger.everySteps(1)}) {
      Log whole = training(setup, trigger).run();
      for (int epoch = 0; epoch < SmallTraining.EPOCHS; epoch++) {
        int kill = (epoch + 1) * PER_EPOCH;
        String what = setup + " killed when epoch " + epoch + " has ended";
        SmallTraining killed = training(setup, trigger);
        if (epoch < SmallTraining.EPOCHS - 1) {
          assertThat(killed.run(kill)).as(what).isFalse();
          killed.run();
          assertThat(killed.log.startedAt.get(1)).as(what).isBetween(1L, (long) kill);
          assertSame(killed.log, whole, what);
        }
        assertKilledBeforeItIsCounted(setup, trigger, epoch, whole);
      }
    }
    assertThat(resumedAtTheLastBatch).as("epochs that were only ended").isPositive();
  }

  private void assertKilledBeforeItIsCounted(
      Setup setup, SaveTrigger trigger, int last, Log whole) {
    String what = setup + " killed between the last batch and the end of epoch " + last;
    SmallTraining killed = training(setup, trigger);
    killed.atEpochEnd =
        (epoch, trainee) -> {
          if (epoch == last) {
            throw new Killed();
          }
        };
    assertThat(killed.run(Integer.MAX_VALUE)).as(what).isFalse();
    killed.atEpochEnd = (epoch, trainee) -> {};
    killed.run();
    long begins = last * (long) PER_EPOCH;
    long resumed = killed.log.startedAt.get(1);
    if (last == 0) {
      assertThat(resumed).as(what).isPositive(); // how long it is, nobody could know yet
    } else {
      assertThat(resumed).as(what).isBetween(1L, begins + PER_EPOCH - 1);
    }
    resumedAtTheLastBatch += resumed == begins + PER_EPOCH ? 1 : 0;
    assertSame(killed.log, whole, what);
  }
}
