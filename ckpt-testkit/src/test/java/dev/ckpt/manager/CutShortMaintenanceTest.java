package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.Maintenance;
import dev.ckpt.Retention;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.testkit.FaultyStore;
import dev.ckpt.testkit.FaultyStore.Operation;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The process dies after each call of a maintenance that changes something. */
class CutShortMaintenanceTest {

  private static final Operation[] CHANGES = {
    Operation.PUT_IF_ABSENT,
    Operation.CREATE,
    Operation.WRITE,
    Operation.COMPLETE,
    Operation.DELETE,
    Operation.SWEEP
  };

  private final Consumer<CheckpointStore> repair =
      store -> Maintenance.of(store).repair("toy", false);

  @Test
  void aRepairThatIsCutShortAnywhereIsFinishedByTheNext() throws IOException {
    MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
    at.flip(KEYS.manifest(parsed(id(2, 5))), 150);
    at.flip(at.shard(id(3, 6)), 700);
    at.flip(KEYS.vote(parsed(id(2, 4)), 0), 20);
    at.put(KEYS.vote(parsed(id(1, 1)), 0), new byte[0]);
    at.flip(KEYS.end(1), 90);
    at.put(KEYS.manifest(parsed(id(1, 3))), new byte[3]);
    cutShort("repair", at.objects(), repair);
  }

  @Test
  void whileTheRecordOfAResumeIsMendedNoStartGoesAnotherWay() throws IOException {
    for (int attempt = 1; attempt <= 3; attempt++) {
      MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
      at.flip(KEYS.resume(attempt), 150);
      cutShort("repair of resume " + attempt, at.objects(), repair);
    }
  }

  @Test
  void aLiveBranchOfWhichNothingIsLeftIsNeverAFreshStart() throws IOException {
    MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
    for (String id : List.of(id(1, 1), id(1, 2), id(2, 4), id(2, 5), id(3, 6), id(3, 7))) {
      at.flip(at.shard(id), 600);
    }
    cutShort("repair of nothing", at.objects(), repair);
  }

  @Test
  void aCollectionThatIsCutShortAnywhereIsFinishedByTheNext() throws IOException {
    cutShort(
        "collect",
        MaintainedStore.of(MaintainedStore.template()).objects(),
        store -> Maintenance.of(store).collect("toy", Retention.latest(1), false));
  }

  @Test
  void aLimitThatIsCutShortAnywhereIsFinishedByTheNext() throws IOException {
    cutShort(
        "limit",
        MaintainedStore.of(MaintainedStore.template()).objects(),
        store -> Maintenance.of(store).limit(1, Map.of(), false));
  }

  private static void cutShort(
      String what, TreeMap<String, byte[]> objects, Consumer<CheckpointStore> maintenance)
      throws IOException {
    MaintainedStore uncut = MaintainedStore.of(objects);
    String before = uncut.next();
    Set<String> wholeBefore = uncut.whole();
    maintenance.accept(uncut.store);
    Set<String> whole = uncut.whole();
    String next = uncut.next();
    int cases = 0;
    boolean more = true;
    for (int call = 1; more; call++) {
      for (boolean startBetween : new boolean[] {false, true}) {
        MaintainedStore at = MaintainedStore.of(objects);
        FaultyStore dying = FaultyStore.around(at.store);
        // what it leaves before the next change is what it leaves after this one
        dying.on(CHANGES).nth(call).stopsAfterwards();
        try {
          maintenance.accept(dying);
          more = false;
        } catch (UncheckedIOException | CheckpointException.CommitUnknown e) {
          assertThat(dying.isStopped()).isTrue();
        }
        // the lock of a process goes with it
        MaintainedStore then = MaintainedStore.of(at.objects());
        String as = what + " cut short at change " + call;
        String between = startBetween ? then.start() : then.next();
        assertThat(between).as(as).isIn(before, next, "error").isNotEqualTo("fresh");
        if (!before.equals("error")) {
          assertThat(between).as(as).isNotEqualTo("error");
        }
        then = MaintainedStore.of(then.objects());
        maintenance.accept(then.store);
        // who started in between goes on from there
        assertThat(then.next()).as(as).isIn(next, startBetween ? between : next);
        // it passes over the one with a NaN, which leaves it on a dead branch
        if (!startBetween || what.startsWith("repair")) {
          assertThat(then.whole()).as(as).isEqualTo(whole);
        }
        if (!startBetween) {
          assertThat(then.keys()).as(as).containsAll(uncut.keys());
        }
        cases++;
      }
    }
    System.out.println(what + ": " + cases + " cases; " + wholeBefore.size() + " whole before");
  }
}
