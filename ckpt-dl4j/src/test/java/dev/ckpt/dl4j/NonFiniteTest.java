package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.SmallTraining.Updater;
import dev.ckpt.internal.memory.InMemoryStore;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.junit.jupiter.api.Test;

/** A network that has diverged is never what a run goes on from. */
class NonFiniteTest {

  @Test
  void aNetworkWithNanIsMarkedAndPassedOver() {
    InMemoryStore store = new InMemoryStore(Clock.systemUTC());
    try (Dl4jCheckpoints ckpt = open(store)) {
      MultiLayerNetwork net = SmallTraining.network(Updater.ADAM);
      ckpt.resume(net);
      net.fit(SmallTraining.samples());
      ckpt.step(1);
      ckpt.manager().save(ckpt.progress(), Map.of()).join();
      net.fit(SmallTraining.samples());
      net.getParam("2_W").putScalar(4, Float.NaN);
      ckpt.step(1);
      ckpt.manager().save(ckpt.progress(), Map.of()).join();
      List<Checkpoint> all = ckpt.manager().checkpoints().list();
      assertThat(all).extracting(Checkpoint::finite).containsExactlyInAnyOrder(true, false);
    }
    try (Dl4jCheckpoints ckpt = open(store)) {
      assertThat(ckpt.resume(SmallTraining.network(Updater.ADAM))).isPresent();
      assertThat(ckpt.progress().step()).isEqualTo(1);
    }
  }

  private static Dl4jCheckpoints open(InMemoryStore store) {
    return Dl4jCheckpoints.open(
        CheckpointManager.in(store).run("n").seed(5).saveWhen(SaveTrigger.onCompletion()));
  }
}
