package dev.ckpt;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.mend.Best;
import dev.ckpt.internal.mend.Housekeeping;
import dev.ckpt.internal.mend.StoreLimit;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Cleans up and repairs the runs of a store from outside: what {@code ckpt gc} and {@code ckpt
 * repair} do.
 *
 * <p>Whatever changes a run keeps other maintenance out and looks at the run's lock, so that a
 * training which goes on is not disturbed, and stops as soon as one starts; a store whose locks
 * guard nothing needs {@link #takeOver}. A dry run takes nothing, writes nothing, and returns the
 * same actions; how old a left-over is it measures by this machine's clock, because the store's is
 * asked by a write. An undecided id is given up before anything of it is removed. Nothing foreign
 * is touched. May be called from any thread; blocks as the store does.
 */
public final class Maintenance {

  private static final Duration GRACE = Duration.ofMinutes(10);

  private final CheckpointStore store;
  private final boolean takeOver;
  private final Duration grace;
  private final InstantSource clock;
  private final Consumer<MaintenanceAction> told;
  private final Formats formats = new Formats();

  private Maintenance(
      CheckpointStore store,
      boolean takeOver,
      Duration grace,
      InstantSource clock,
      Consumer<MaintenanceAction> told) {
    this.store = store;
    this.takeOver = takeOver;
    this.grace = grace;
    this.clock = clock;
    this.told = told;
  }

  /** Maintenance of a store, which stays the caller's. */
  public static Maintenance of(CheckpointStore store) {
    return new Maintenance(store, false, GRACE, InstantSource.system(), action -> {});
  }

  /**
   * Whether to take runs over that are in use: their processes are fenced by an attempt of their
   * own, which never starts. By default they are left alone.
   */
  public Maintenance takeOver(boolean take) {
    return new Maintenance(store, take, grace, clock, told);
  }

  /** How old a left-over must be, by the store's clock; 10 minutes unless said otherwise. */
  public Maintenance grace(Duration age) {
    if (age.isNegative()) {
      throw new IllegalArgumentException("a grace of " + age + ": it must not be negative");
    }
    return new Maintenance(store, takeOver, age, clock, told);
  }

  /** What a dry run measures ages by, which may not ask the store's clock; this machine's clock. */
  public Maintenance clock(InstantSource source) {
    return new Maintenance(store, takeOver, grace, source, told);
  }

  /**
   * Who is told of each action as soon as it is done, on the calling thread: if a later one fails,
   * that is all there is to know of what was done before.
   */
  public Maintenance telling(Consumer<MaintenanceAction> listener) {
    return new Maintenance(store, takeOver, grace, clock, listener);
  }

  /**
   * Removes left-overs: files of saves that never committed, of deletions that were cut short,
   * checkpoints of dead branches that nobody pinned, and what the policy lets go. Nothing that is
   * committed goes before the newest finite checkpoint was read back, or if the records do not tell
   * what is live. If the policy looks at a metric that no live checkpoint has, it lets nothing go,
   * and a {@link MaintenanceAction.Kind#LEAVE} whose subject is the metric says so. Hidden
   * temporary files go, too, and are no actions.
   *
   * @param keep applied to the live branch as a training would; {@code committed ->
   *     Set.copyOf(committed)} keeps all
   * @param dryRun whether only to say what would be done
   * @throws CheckpointException.Fenced if the run is in use, naming by whom
   * @throws CheckpointException.NotFound if there is no such run
   */
  public List<MaintenanceAction> collect(String run, Retention keep, boolean dryRun) {
    return using(() -> housekeeping().collect(run, keep, dryRun));
  }

  /**
   * Deletes checkpoints, the oldest first, until the shards of all runs, and what repairs moved to
   * {@code quarantine/}, together hold no more than that; of the latter nothing goes. Of each run
   * stay the newest finite one, the best by its own config and of those that {@code best} keeps,
   * and what is pinned, also if that is more. Runs in use are left alone, and said; a dry run,
   * which takes no lock, does not know which those are. That the limit could not be kept is an
   * action without a run. A run none of whose live checkpoints has a metric that its best looks at
   * loses left-overs only, and that is said.
   *
   * @param best for a run's name what counts as its best besides {@link #ownBest}
   */
  public List<MaintenanceAction> limit(long maxBytes, Map<String, Retention> best, boolean dryRun) {
    StoreLimit limit = storeLimit(maxBytes, best);
    return dryRun ? limitAfter(List.of(), maxBytes, best) : limited(limit, limit.outside(takeOver));
  }

  /**
   * A dry run of {@link #limit} as it would go once something else is done.
   *
   * @param planned what dry runs of {@link #collect} returned
   */
  public List<MaintenanceAction> limitAfter(
      List<MaintenanceAction> planned, long maxBytes, Map<String, Retention> best) {
    return limited(storeLimit(maxBytes, best), StoreLimit.dry(clock, List.copyOf(planned)));
  }

  private List<MaintenanceAction> limited(StoreLimit limit, StoreLimit.Taking taking) {
    return using(() -> limit.apply(Checkpoints.runs(store), taking, told));
  }

  /**
   * Keeps what a run calls its best, as the config of its newest process says ({@code keep.best},
   * {@code restoreBest}); it keeps nothing if that names none.
   *
   * @return empty if nobody can tell: a program, not a config, says what is kept
   */
  public Optional<Retention> ownBest(String run) {
    try {
      Best best = Best.recorded(new RunLog(store, new Keys(run)), committed -> Set.of());
      return best.untold().isPresent() ? Optional.empty() : Optional.of(best.policy());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + store.uri() + ": " + e.getMessage(), e);
    }
  }

  private StoreLimit storeLimit(long maxBytes, Map<String, Retention> best) {
    if (maxBytes < 0) {
      throw new IllegalArgumentException("a limit of " + maxBytes + " bytes");
    }
    return new StoreLimit(
        store,
        formats::named,
        maxBytes,
        run -> Best.asked(run, best.getOrDefault(run.keys().run(), committed -> Set.of())),
        grace);
  }

  /**
   * Mends what can be proven and moves aside what cannot be used: every checkpoint that is listed
   * afterwards verifies, none that verified before is lost, and no byte is invented. Reads every
   * byte of the run.
   *
   * @throws CheckpointException.Fenced if the run is in use, naming by whom
   * @throws CheckpointException.NotFound if there is no such run
   */
  public List<MaintenanceAction> repair(String run, boolean dryRun) {
    return using(() -> housekeeping().repair(run, dryRun));
  }

  private Housekeeping housekeeping() {
    return new Housekeeping(store, formats::named, takeOver, grace, clock, told);
  }

  /** Something that uses the store. */
  @FunctionalInterface
  private interface Use {
    List<MaintenanceAction> apply() throws IOException;
  }

  private List<MaintenanceAction> using(Use use) {
    try {
      return use.apply();
    } catch (IOException e) {
      throw new UncheckedIOException(
          "maintenance of "
              + store.uri()
              + " stopped: "
              + e.getMessage()
              + "; start it again when that is mended",
          e);
    }
  }
}
