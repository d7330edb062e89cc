package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.id;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * A retention deletes a checkpoint while somebody looks at it, before any one of his calls: that is
 * no damage.
 */
class DeletedMeanwhileTest {

  /** Looks at a store. */
  private interface Look {
    /** Returns whether it found the checkpoint whole. */
    boolean isWhole(AtCall store) throws IOException;
  }

  private static int whenever(String id, Look look) throws IOException {
    TreeMap<String, byte[]> template = MaintainedStore.template();
    int found = 0;
    int gone = 0;
    for (int call = 1; ; call++) {
      MaintainedStore at = MaintainedStore.of(template);
      AtCall watched =
          new AtCall(
              at.store,
              call,
              () ->
                  assertThat(
                          Maintenance.of(at.store)
                              .clock(at.clock)
                              .collect("toy", Retention.latest(1), false))
                      .extracting(MaintenanceAction::subject)
                      .contains(id));
      if (look.isWhole(watched)) {
        found++;
      } else {
        gone++;
      }
      if (!watched.happened()) {
        assertThat(found).as("not even undisturbed").isPositive();
        assertThat(gone).as("never seen").isPositive();
        return call - 1;
      }
    }
  }

  @Test
  void whoVerifiesFindsItWholeOrNotAtAll() throws IOException {
    int calls =
        whenever(
            id(2, 4),
            store -> {
              try {
                assertThat(Checkpoints.read(store, "toy").verify(id(2, 4)).problems())
                    .as("calls %s", store.calls())
                    .isEmpty();
                return true;
              } catch (CheckpointException.NotFound e) {
                return false;
              }
            });
    System.out.printf("a retention before each of %d calls of a verify%n", calls);
  }

  @Test
  void whoOpensItFindsItWholeOrNotAtAll() throws IOException {
    int calls =
        whenever(
            id(2, 4),
            store -> {
              try {
                Checkpoints.read(store, "toy").open(id(2, 4)).close();
                return true;
              } catch (CheckpointException.NotFound e) {
                return false;
              }
            });
    System.out.printf("a retention before each of %d calls of an open%n", calls);
  }

  @Test
  void whoAsksWhatARepairWouldDoHearsOfNoDamage() throws IOException {
    int calls =
        whenever(
            id(2, 4),
            store -> {
              List<MaintenanceAction> dry = Maintenance.of(store).repair("toy", true);
              assertThat(dry)
                  .extracting(MaintenanceAction::kind)
                  .as("calls %s", store.calls())
                  .doesNotContain(Kind.QUARANTINE, Kind.RESTORE);
              return !store.happened();
            });
    System.out.printf("a retention before each of %d calls of a dry repair%n", calls);
  }

  /** The other way round: the first commit of a run lands while its records are looked at. */
  @Test
  void whoVerifiesTheRecordsWhileTheFirstCommitLandsHearsOfNoDamage() throws IOException {
    MaintainedStore made = new MaintainedStore();
    made.run("toy", new Resume.Auto(), 1);
    TreeMap<String, byte[]> before = made.objects();
    before.remove(MaintainedStore.KEYS.end(1));
    String manifest = MaintainedStore.KEYS.manifest(MaintainedStore.parsed(id(1, 1)));
    ByteBuffer commit = ByteBuffer.wrap(before.remove(manifest)).asReadOnlyBuffer();
    for (int call = 1; ; call++) {
      MaintainedStore at = MaintainedStore.of(before);
      AtCall watched = new AtCall(at.store, call, () -> put(at, manifest, commit));
      assertThat(Checkpoints.read(watched, "toy").verifyRecords().problems())
          .as("before call %s", call)
          .isEmpty();
      if (!watched.happened()) {
        System.out.printf("a commit before each of %d calls of a look at records%n", call - 1);
        return;
      }
    }
  }

  private static void put(MaintainedStore at, String key, ByteBuffer bytes) {
    try {
      at.store.putIfAbsent(key, bytes.duplicate());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
