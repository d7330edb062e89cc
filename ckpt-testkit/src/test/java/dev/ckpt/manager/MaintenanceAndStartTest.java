package dev.ckpt.manager;

import static dev.ckpt.manager.MaintainedStore.KEYS;
import static dev.ckpt.manager.MaintainedStore.fresh;
import static dev.ckpt.manager.MaintainedStore.id;
import static dev.ckpt.manager.MaintainedStore.parsed;
import static org.assertj.core.api.Assertions.assertThat;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Maintenance;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * A start at each call of a maintenance, and a maintenance at each call of a start. Whatever meets
 * what: the start goes on, or says why not; what it goes on from and what it saved stay; the next
 * one finds the newest, and is never fresh without being asked.
 */
@Tag("anyjdk")
class MaintenanceAndStartTest {

  private enum Doing {
    COLLECT,
    LIMIT,
    REPAIR,
    REPAIR_OF_A_WAY_BACK;

    void in(CheckpointStore store, boolean takeOver) {
      Maintenance maintenance = Maintenance.of(store).takeOver(takeOver);
      switch (this) {
        case COLLECT -> maintenance.collect("toy", Retention.latest(1), false);
        case LIMIT -> maintenance.limit(1, Map.of(), false);
        case REPAIR, REPAIR_OF_A_WAY_BACK -> maintenance.repair("toy", false);
      }
    }

    MaintainedStore store() throws IOException {
      MaintainedStore at = MaintainedStore.of(MaintainedStore.template());
      if (this == REPAIR) {
        at.flip(at.shard(id(3, 6)), 700);
        at.flip(KEYS.manifest(parsed(id(2, 4))), 150);
        at.flip(KEYS.vote(parsed(id(1, 1)), 0), 20);
        at.flip(KEYS.end(1), 90);
      } else if (this == REPAIR_OF_A_WAY_BACK) {
        at.flip(KEYS.resume(2), 150);
      }
      return at;
    }
  }

  private static final Pattern SUBJECT = Pattern.compile("\\d{6}-\\d{12}-\\d|\\d{6}(?=\\.json)");

  private static final Resume AUTO = new Resume.Auto();

  /** Of the branch that was left: whoever collects would delete it. */
  private static final Resume BACK = Resume.parse(id(1, 3));

  /** Live, and nothing that a policy keeps. */
  private static final Resume OLD = Resume.parse(id(1, 2));

  private static final Resume NEVER = new Resume.Never();

  private final MatrixTable table = new MatrixTable("a maintenance and a start, in memory");

  @Test
  void aStartAtAnyCallOfAMaintenanceKeepsWhatItUsesAndMakes() throws IOException {
    for (Doing doing : Doing.values()) {
      startDuring(doing, false, AUTO, false);
      startDuring(doing, false, BACK, true);
    }
    startDuring(Doing.COLLECT, true, BACK, false);
    checked("maintenance-and-start.txt");
  }

  @Test
  void aMaintenanceAtAnyCallOfAStartCostsItNothingSilently() throws IOException {
    for (boolean takeOver : new boolean[] {false, true}) {
      maintenanceDuring(Doing.COLLECT, takeOver, BACK);
      maintenanceDuring(Doing.REPAIR, takeOver, AUTO);
    }
    checked("start-and-maintenance.txt");
  }

  @Test
  @Tag("nightly")
  void everyStartMeetsEveryMaintenanceAtEveryCall() throws IOException {
    for (Doing doing : Doing.values()) {
      for (Resume how : List.of(AUTO, BACK, OLD, NEVER)) {
        for (boolean takeOver : new boolean[] {false, true}) {
          startDuring(doing, takeOver, how, false);
          startDuring(doing, takeOver, how, true);
          maintenanceDuring(doing, takeOver, how);
        }
      }
    }
    checked("maintenance-and-start-all.txt");
  }

  private void checked(String file) {
    table.print(file);
    assertThat(table.violations()).isEmpty();
  }

  /** What one start found, did, and is owed. */
  private static final class Start implements AutoCloseable {
    private final MaintainedStore at;
    private final Resume how;
    private final boolean stays;
    private @Nullable CheckpointManager ckpt;
    private @Nullable CheckpointException refused;
    private Set<String> whole = Set.of();
    private Optional<String> applied = Optional.empty();
    private Optional<String> made = Optional.empty();
    private boolean fenced;
    private int step;

    Start(MaintainedStore at, Resume how, boolean stays) {
      this.at = at;
      this.how = how;
      this.stays = stays;
    }

    /** Starts in the medium as another process sees it. */
    void in(CheckpointStore store) {
      try {
        CheckpointManager opened =
            CheckpointManager.in(store)
                .run("toy")
                .part("toy", fresh())
                .keep(Set::copyOf)
                .seed(11)
                .resume(how)
                .open();
        ckpt = opened;
        whole = at.whole();
        applied = opened.resume().map(from -> from.checkpoint().id());
        step = applied.map(from -> (int) parsed(from).step()).orElse(0);
        save();
        if (!stays) {
          close();
        }
      } catch (CheckpointException e) {
        refused = e;
        fenced = e instanceof CheckpointException.Fenced;
        close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    void save() {
      CheckpointManager open = ckpt;
      if (open != null && !fenced) {
        try {
          open.save(Progress.step(++step), Map.of()).join();
          made = Optional.of(id(open.attempt(), step));
        } catch (CheckpointException.Fenced e) {
          fenced = true;
        }
      }
    }

    @Override
    public void close() {
      CheckpointManager open = ckpt;
      ckpt = null;
      if (open != null) {
        try {
          open.close();
        } catch (CheckpointException.Fenced e) {
          fenced = true;
        }
      }
    }
  }

  private void startDuring(Doing doing, boolean takeOver, Resume how, boolean stays)
      throws IOException {
    TreeMap<String, byte[]> objects = doing.store().objects();
    Set<String> nexts = nexts(doing, objects);
    String kind = stays ? "start that stays" : "start";
    MatrixTable.Row row = table.row(doing + (takeOver ? " taking over, " : ", ") + how.text());
    for (int call = 1; ; call++) {
      MaintainedStore at = MaintainedStore.of(objects);
      try (Start start = new Start(at, how, stays)) {
        AtCall store = new AtCall(at.store, call, () -> start.in(new Locking(at.store)));
        String where = doing + ", " + kind + " " + how.text() + " at " + call;
        try {
          boolean stopped = maintained(doing, store, takeOver);
          if (!store.happened()) {
            break;
          }
          boolean taken = isTaken(store.calls().subList(0, call - 1), takeOver);
          start.save();
          start.close();
          // a maintenance that takes over later may fence this start, none that held the run before
          if (taken || !takeOver) {
            assertThat(start.fenced).as("fenced").isFalse();
          }
          check(at, start, nexts, taken);
          if (taken && start.refused == null) {
            Set<String> changed = changedSince(store.calls(), call);
            assertThat(changed).as("changed after the start").hasSizeLessThan(2);
            // after its very last step there is none to be kept from
            boolean over = isChange(store.calls().get(store.calls().size() - 1));
            assertThat(stopped || changed.isEmpty() || over).as("it noticed").isTrue();
          }
        } catch (AssertionError | RuntimeException e) {
          table.violated(row, where, e, store.calls());
        }
        row.count(kind);
        row.calls++;
        row.distinct++;
      }
    }
  }

  /** Of which ids or attempts something was changed by and after that call: one step is of one. */
  private static Set<String> changedSince(List<String> calls, int call) {
    Set<String> changed = new TreeSet<>();
    for (String each : calls.subList(call - 1, calls.size())) {
      if (isChange(each)) {
        SUBJECT.matcher(each).results().forEach(found -> changed.add(found.group()));
      }
    }
    return changed;
  }

  private static boolean isChange(String call) {
    return call.startsWith("put") || call.startsWith("create") || call.startsWith("delete");
  }

  /** Whether the maintenance had the run before a start came. */
  private static boolean isTaken(List<String> before, boolean takeOver) {
    String last = takeOver ? "put " + KEYS.attempts() : "lock " + KEYS.lock();
    return before.stream().anyMatch(call -> call.startsWith(last));
  }

  private void maintenanceDuring(Doing doing, boolean takeOver, Resume how) throws IOException {
    TreeMap<String, byte[]> objects = doing.store().objects();
    Set<String> nexts = nexts(doing, objects);
    String kind = "maintenance";
    MatrixTable.Row row = table.row(doing + (takeOver ? " taking over, " : ", ") + how.text());
    int missed = 0; // threads race: one run may make a call less
    for (int call = 1; missed < 2; call++) {
      MaintainedStore at = MaintainedStore.of(objects);
      AtCall store =
          new AtCall(at.store, call, () -> maintained(doing, new Locking(at.store), takeOver));
      try (Start start = new Start(at, how, false)) {
        start.in(store);
        start.close();
        if (!takeOver) {
          assertThat(start.fenced).as("fenced").isFalse();
        }
        check(at, start, nexts, false);
      } catch (AssertionError | RuntimeException e) {
        table.violated(row, doing + " in " + how.text() + " at " + call, e, store.calls());
      }
      missed = store.happened() ? 0 : missed + 1;
      row.count(kind);
      row.calls++;
      row.distinct++;
    }
  }

  /** Whether it was stopped, by a start or by who holds the run. */
  private static boolean maintained(Doing doing, CheckpointStore store, boolean takeOver) {
    try {
      doing.in(store, takeOver);
      return doing == Doing.LIMIT;
    } catch (CheckpointException.Fenced e) {
      return true;
    }
  }

  /** What a start takes before a maintenance, and after it. */
  private static Set<String> nexts(Doing doing, TreeMap<String, byte[]> objects)
      throws IOException {
    MaintainedStore at = MaintainedStore.of(objects);
    Set<String> nexts = new TreeSet<>(Set.of(at.next()));
    doing.in(at.store, false);
    nexts.add(at.next());
    return nexts;
  }

  /**
   * What must be when both are over.
   *
   * @param kept whether the start came during the maintenance, which then deletes nothing more
   */
  private static void check(MaintainedStore at, Start start, Set<String> nexts, boolean kept)
      throws IOException {
    String next = at.next();
    Set<String> whole = at.whole();
    if (start.refused != null && !start.fenced) {
      // what it asked for was being deleted, or is damaged and not mended yet
      boolean auto = start.how.equals(AUTO);
      assertThat(start.refused)
          .as("a start that fails")
          .isInstanceOfAny(CheckpointException.NotFound.class, CheckpointException.Corrupt.class);
      assertThat(!auto || nexts.contains("error")).as("it may fail: " + start.refused).isTrue();
    }
    start.made.ifPresent(made -> assertThat(next).as("the next start").isEqualTo(made));
    if (kept) {
      assertThat(whole).as("kept for who started").containsAll(start.whole);
    }
    if (kept && start.refused == null) {
      start.applied.ifPresent(applied -> assertThat(whole).as("what it used").contains(applied));
    }
    if (start.made.isEmpty()) {
      boolean never = start.how.equals(NEVER);
      Set<String> may = new TreeSet<>(nexts);
      start.applied.ifPresent(may::add);
      if (never) {
        may.add("fresh");
      }
      if (start.fenced) {
        may.add(start.how.text());
      }
      assertThat(next).as("the next start").isIn(may);
    }
  }
}
