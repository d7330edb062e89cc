package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static dev.ckpt.manager.MaintainedStore.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A maintenance that meets a start takes its mark back: the start must not believe the mark. */
class TakenBackDeletionTest {

  private MaintainedStore at = new MaintainedStore();

  @BeforeEach
  void twoBranches() throws IOException {
    at = MaintainedStore.of(MaintainedStore.template());
  }

  /** The mark goes after so many looks, and with it the manifest if the deletion goes on. */
  private final class Marked extends Locking {
    private final String id;
    private final boolean goesOn;
    private int looks;

    Marked(String id, int looks, boolean goesOn) throws IOException {
      super(at.store);
      this.id = id;
      this.looks = looks;
      this.goesOn = goesOn;
      at.put(KEYS.deleted(parsed(id)), text("retention"));
    }

    @Override
    public synchronized Stream<Entry> list(String prefix, String after) throws IOException {
      if (prefix.equals(KEYS.deleted()) && looks-- == 0) {
        at.store.delete(List.of(goesOn ? KEYS.manifest(parsed(id)) : KEYS.deleted(parsed(id))));
      }
      return super.list(prefix, after);
    }
  }

  private static String resumed(CheckpointStore store, String reference) {
    try (CheckpointManager ckpt =
        CheckpointManager.in(store)
            .run("toy")
            .part("toy", fresh())
            .keep(Retention.latest(9))
            .resume(Resume.parse(reference))
            .open()) {
      return ckpt.resume().orElseThrow().checkpoint().id();
    }
  }

  @Test
  void anIdWhoseDeletionIsTakenBackIsFound() throws IOException {
    for (int looks = 0; looks < 4; looks++) {
      assertThat(resumed(new Marked(id(1, 3), looks, false), id(1, 3))).isEqualTo(id(1, 3));
      twoBranches();
    }
  }

  @Test
  void theBestIsNoSecondBestForAMarkThatIsTakenBack() throws IOException {
    for (int looks = 0; looks < 4; looks++) {
      assertThat(resumed(new Marked(id(3, 6), looks, false), "best(loss)")).isEqualTo(id(3, 6));
      twoBranches();
    }
  }

  @Test
  void aReferenceAskedForAgainGoesOnFromTheNewestThoughItIsMarkedForAMoment() throws IOException {
    for (int looks = 0; looks < 4; looks++) {
      assertThat(resumed(new Marked(id(3, 6), looks, false), id(1, 2))).isEqualTo(id(3, 6));
      twoBranches();
    }
  }

  @Test
  void whatIsReallyDeletedIsNotFound() throws IOException {
    Marked store = new Marked(id(1, 3), 2, true);
    assertThatThrownBy(() -> resumed(store, id(1, 3)))
        .isInstanceOf(CheckpointException.NotFound.class);
    assertThat(resumed(new Marked(id(3, 6), 2, true), "best(loss)")).isEqualTo(id(2, 5));
  }

  @Test
  void aDeletionThatWasCutShortIsSaidAndHoldsNoStartForEver() throws IOException {
    at.put(KEYS.deleted(parsed(id(1, 3))), text("retention"));
    assertThatThrownBy(() -> resumed(new Locking(at.store), id(1, 3)))
        .isInstanceOf(CheckpointException.NotFound.class)
        .hasMessageContaining(id(1, 3) + " is being deleted, or its deletion was cut short");
    assertThat(resumed(new Locking(at.store), id(1, 2))).isEqualTo(id(3, 6));
  }
}
