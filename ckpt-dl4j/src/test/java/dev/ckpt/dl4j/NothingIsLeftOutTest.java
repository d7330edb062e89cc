package dev.ckpt.dl4j;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.dl4j.SmallTraining.Kind;
import dev.ckpt.dl4j.SmallTraining.Log;
import dev.ckpt.dl4j.SmallTraining.Loop;
import dev.ckpt.dl4j.SmallTraining.Setup;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.nd4j.linalg.factory.Nd4j;

/** The negative controls: a resume that forgets any one part must show. */
class NothingIsLeftOutTest {
  enum Part {
    NOTHING,
    WEIGHTS,
    SLOTS,
    COUNTERS,
    POSITION,
    ND4J_RANDOM,
    RANDOM_STREAM
  }

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
  @EnumSource(Part.class)
  void aForgottenPartOfASameDiffGraphShows(Part forgotten) {
    assertShows(Setup.PLAIN.with(Kind.SAMEDIFF), forgotten);
  }

  private static void assertShows(Setup setup, Part forgotten) {
    Log whole = new SmallTraining(setup).run();
    SmallTraining killed = new SmallTraining(setup);
    assertThat(killed.run(14)).isFalse();

    Map<String, ByteBuffer> fresh = new HashMap<>();
    killed.beforeResume =
        trainee -> {
          trainee.parameters().forEach((name, region) -> fresh.put(name, copyOf(region)));
          trainee.slots().forEach((name, region) -> fresh.put("/" + name, copyOf(region)));
        };
    killed.afterResume = (ckpt, trainee) -> forget(forgotten, ckpt, trainee, fresh);
    killed.run();

    assertThat(killed.log.sha256.equals(whole.sha256))
        .as("same bytes without %s", forgotten)
        .isEqualTo(forgotten == Part.NOTHING || forgotten == Part.RANDOM_STREAM);
    assertThat(killed.log.batches.equals(whole.batches))
        .as("same log without %s", forgotten)
        .isEqualTo(forgotten == Part.NOTHING);
  }

  private static void forget(
      Part part, Dl4jCheckpoints ckpt, Trainee trainee, Map<String, ByteBuffer> fresh) {
    assertThat(ckpt.progress().batch()).as("resumed inside an epoch").isPositive();
    switch (part) {
      case NOTHING -> {}
      case WEIGHTS -> trainee.parameters().forEach((name, region) -> fill(region, fresh.get(name)));
      case SLOTS -> trainee.slots().forEach((name, region) -> fill(region, fresh.get("/" + name)));
      case COUNTERS -> trainee.counters(0, trainee.epoch());
      case POSITION -> {
        Map<String, Object> state = new HashMap<>(ckpt.session().position().read());
        state.put("batch", 0);
        ckpt.session().position().write(state);
      }
      case ND4J_RANDOM -> Nd4j.getRandom().setSeed(1);
      case RANDOM_STREAM -> ckpt.random("noise").setSeed(1);
    }
  }

  private static ByteBuffer copyOf(Region region) {
    ByteBuffer copy = ByteBuffer.allocate((int) region.spec().bytes());
    region.copy(0, copy);
    return copy.flip();
  }

  private static void fill(Region region, @Nullable ByteBuffer saved) {
    ByteBuffer bytes = Objects.requireNonNull(saved);
    region.window(0, bytes.capacity()).put(bytes.duplicate());
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
