package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.Forgetting.Part;
import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** The negative controls: a resume that forgets any one part must show. */
class NothingIsLeftOutTest {
  @ParameterizedTest
  @EnumSource(Part.class)
  void aForgottenPartOfANetworkShows(Part forgotten) {
    assertShows(Setup.PLAIN, forgotten);
  }

  @ParameterizedTest
  @EnumSource(Part.class)
  void aForgottenPartOfAComputationGraphShows(Part forgotten) {
    assertShows(Setup.PLAIN.with(Kind.GRAPH), forgotten);
  }

  @ParameterizedTest
  @EnumSource(value = Part.class, mode = Mode.EXCLUDE, names = "STATISTICS")
  void aForgottenPartOfASameDiffGraphShows(Part forgotten) {
    assertShows(Setup.PLAIN.with(Kind.SAMEDIFF), forgotten);
  }

  private static void assertShows(Setup setup, Part forgotten) {
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);
    assertThat(killed.run(14)).isFalse();

    AtomicReference<Forgetting> forgetting = new AtomicReference<>();
    killed.beforeResume = trainee -> forgetting.set(new Forgetting(forgotten, trainee));
    killed.afterResume =
        (ckpt, trainee) -> Objects.requireNonNull(forgetting.get()).forget(ckpt, trainee);
    killed.run();

    assertThat(killed.log.sha256.equals(whole.sha256))
        .as("same bytes without %s", forgotten)
        .isEqualTo(forgotten == Part.NOTHING || forgotten == Part.RANDOM_STREAM);
    assertThat(killed.log.batches.equals(whole.batches))
        .as("same log without %s", forgotten)
        .isEqualTo(forgotten == Part.NOTHING || forgotten == Part.STATISTICS); // for predictions
  }

  /** What a listener sees is not the end of the update: without the rest the bytes differ. */
  @Test
  void aSaveInsideTheUpdateNeedsTheConstraintsThatFollowIt() {
    Setup setup = Setup.PLAIN.with(Loop.LISTENER_ONLY).with(SmallTraining.Data.SYNC);
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);
    assertThat(killed.run(14)).isFalse();
    killed.afterResume =
        (ckpt, trainee) -> Weights.load(trainee, ckpt.manager().checkpoints(), "latest");
    killed.run();
    assertThat(killed.log.sha256).isNotEqualTo(whole.sha256);
  }
}
