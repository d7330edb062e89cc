package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.Attempt;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.Progress;
import dev.ckpt.Retention;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Who is taken over was not killed: it is fenced, and says by whom. */
class FencedEndTest {

  private MaintainedStore at = new MaintainedStore();

  @BeforeEach
  void threeAttempts() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
  }

  private Attempt fourth() {
    return Checkpoints.read(at.store, "toy").attempts().get(3);
  }

  private void takeOver() {
    Maintenance.of(at.store).takeOver(true).collect("toy", Set::copyOf, false);
  }

  @Test
  void aTrainingThatAMaintenanceFencedIsSaidToBeFencedAndRecordsItself() {
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      ckpt.resume();
      takeOver();
      assertThat(fourth().end()).as("before it notices").isEqualTo(Attempt.End.CLOSED);
      assertThat(fourth().cause().orElseThrow()).startsWith("fenced by attempt 5, a clean-up");
      assertThat(fourth().endedAt()).isEmpty();
      assertThatThrownBy(() -> ckpt.save(Progress.step(20), Map.of()).join())
          .isInstanceOf(CheckpointException.Fenced.class);
      assertThatThrownBy(ckpt::close).isInstanceOf(CheckpointException.Fenced.class);
    }
    assertThat(fourth().end()).isEqualTo(Attempt.End.CLOSED);
    assertThat(fourth().cause()).contains("fenced by attempt 5");
    assertThat(fourth().endedAt()).isPresent();
    assertThat(fourth().step()).hasValue(20);
  }

  @Test
  void aStartThatIsFencedInItsResumeSaysSoAndBeganNothing() {
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      takeOver();
      assertThatThrownBy(ckpt::resume).isInstanceOf(CheckpointException.Fenced.class);
    }
    assertThat(fourth().end()).isEqualTo(Attempt.End.CLOSED);
    assertThat(fourth().cause()).contains("fenced by attempt 5");
    assertThat(fourth().endedAt()).isPresent();
    assertThat(fourth().step()).isEmpty();
    assertThat(fourth().started()).isFalse();
    assertThat(Checkpoints.read(at.store, "toy").verifyRecords().problems()).isEmpty();
  }

  /** Its record may make its branch the live one: what it goes on from is no longer its own. */
  @Test
  void aStartThatIsTakenOverAsItWritesWhatItGoesOnFromAppliesNothing() {
    ToyState state = fresh();
    OtherUri medium =
        new OtherUri(at.store) {
          @Override
          public Decision putIfAbsent(String key, ByteBuffer small) throws IOException {
            if (key.equals(KEYS.resume(4))) {
              takeOver();
            }
            return super.putIfAbsent(key, small);
          }
        };
    try (CheckpointManager ckpt =
        CheckpointManager.in(medium).run("toy").part("toy", state).keep(Set::copyOf).open()) {
      assertThatThrownBy(ckpt::resume).isInstanceOf(CheckpointException.Fenced.class);
    }
    assertThat(state.counter).isZero();
    assertThat(fourth().cause()).contains("fenced by attempt 5");
  }

  @Test
  void aTrainingThatAnotherStartFencedSaysByWhich() {
    try (CheckpointManager ckpt = at.builder("toy", fresh()).open()) {
      ckpt.resume();
      try (CheckpointManager other =
          CheckpointManager.in(new OtherUri(at.store))
              .run("toy")
              .part("toy", fresh())
              .keep(Retention.latest(9))
              .open()) {
        other.resume();
      }
      assertThatThrownBy(() -> ckpt.save(Progress.step(20), Map.of()).join())
          .isInstanceOf(CheckpointException.Fenced.class);
      assertThatThrownBy(ckpt::close).isInstanceOf(CheckpointException.Fenced.class);
    }
    assertThat(fourth().cause()).contains("fenced by attempt 5");
  }
}
