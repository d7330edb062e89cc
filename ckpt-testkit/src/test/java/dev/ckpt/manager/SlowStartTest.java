package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A start that verifies for longer than the grace, and a maintenance that takes its run over. */
class SlowStartTest {

  private static final Duration GRACE = Duration.ofMinutes(10);

  private MaintainedStore at = new MaintainedStore();

  @BeforeEach
  void twoBranches() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
  }

  private List<MaintenanceAction> collected() {
    return Maintenance.of(at.store).takeOver(true).collect("toy", Retention.latest(1), false);
  }

  /** What the start went on from is written down, or it was told that it is too late. */
  @Test
  void whatASlowStartGoesOnFromStaysThoughItIsTakenOverAtAnyCall() throws IOException {
    for (Duration slow : List.of(GRACE.plusMinutes(1), Duration.ofHours(23))) {
      for (int call = 1; ; call++) {
        twoBranches();
        Runnable meanwhile =
            () -> {
              at.clock.pass(slow);
              collected();
            };
        AtCall store = new AtCall(at.store, call, meanwhile);
        start(store, id(1, 3));
        if (!store.happened()) {
          assertThat(call).isGreaterThan(20);
          break;
        }
        assertThat(at.next()).as("the start after call %s of %s", call, slow).isNotEqualTo("error");
      }
    }
  }

  private static void start(CheckpointStore store, String reference) {
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", fresh())
            .keep(Set::copyOf)
            .resume(Resume.parse(reference))
            .open()) {
      ckpt.resume();
    } catch (CheckpointException.Fenced | CheckpointException.NotFound e) {
      assertThat(e).hasMessageMatching("(?s).*(attempts/00000|no checkpoint|is being deleted).*");
    }
  }

  /** Attempt 4, that took the run and said nothing since. */
  private void taken(Map<String, String> facts) throws IOException {
    AttemptRecord like = AttemptRecord.decode("", at.bytes(KEYS.attempt(3)));
    Map<String, String> provenance = new HashMap<>(like.provenance());
    provenance.putAll(facts);
    AttemptRecord silent =
        new AttemptRecord(4, 1, like.nonces(), "auto", like.seed(), at.clock.instant(), provenance);
    at.put(KEYS.attempt(4), silent.encode());
  }

  private boolean isDeleted(String id) {
    return collected().stream()
        .filter(each -> each.kind() == MaintenanceAction.Kind.DELETE)
        .anyMatch(each -> each.subject().equals(id));
  }

  @Test
  void whoSaidNothingIsWaitedForWithinTheGraceWhereverItRan() throws IOException {
    taken(Map.of("pid", ended()));
    at.clock.pass(GRACE.minusMinutes(1));
    assertThat(isDeleted(id(1, 3))).isFalse();
    at.clock.pass(Duration.ofMinutes(2));
    assertThat(isDeleted(id(1, 3))).as("its process is gone").isTrue();
  }

  @Test
  void whoMayStillVerifySomewhereIsWaitedForForADay() throws IOException {
    taken(Map.of("host", "elsewhere"));
    at.clock.pass(Duration.ofHours(23));
    assertThat(isDeleted(id(1, 3))).isFalse();
    assertThat(collected())
        .anyMatch(each -> each.reason().contains("on elsewhere); try again when it has"));
    at.clock.pass(Duration.ofHours(2));
    assertThat(isDeleted(id(1, 3))).isTrue();
  }

  @Test
  void whoSaidThatItEndedIsNotWaitedFor() throws IOException {
    taken(Map.of("host", "elsewhere"));
    EndRecord end = new EndRecord(4, EndRecord.FAILED, Map.of(), at.clock.instant());
    at.put(KEYS.end(4), end.encode());
    at.clock.pass(GRACE.plusMinutes(1));
    assertThat(isDeleted(id(1, 3))).isTrue();
  }

  @Test
  void aStartThatGotFurtherEndsTheWaiting() throws IOException {
    taken(Map.of("host", "elsewhere"));
    at.run("toy", new Resume.Auto(), 9);
    at.clock.pass(GRACE.plusMinutes(1));
    assertThat(isDeleted(id(1, 3))).isTrue();
  }

  private static String ended() throws IOException {
    Process process = new ProcessBuilder("true").start();
    process.onExit().join();
    return Long.toString(process.pid());
  }
}
