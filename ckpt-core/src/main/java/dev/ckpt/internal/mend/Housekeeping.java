package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.Retention;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Cleaner;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Collects and repairs runs from outside: plans, takes the run, plans again on what it holds then,
 * and does it. A dry run stops at the first plan.
 */
public final class Housekeeping {
  private static final Logger log = LoggerFactory.getLogger(Housekeeping.class);

  private final CheckpointStore store;
  private final Function<String, ShardFormat> formats;
  private final boolean takeOver;
  private final Duration grace;
  private final InstantSource clock;
  private final Consumer<MaintenanceAction> told;

  /**
   * @param takeOver whether to take over runs that are in use
   * @param grace how old a left-over must be, by the store's clock
   * @param clock in its place for a dry run
   * @param told of each action as soon as it is done
   */
  public Housekeeping(
      CheckpointStore store,
      Function<String, ShardFormat> formats,
      boolean takeOver,
      Duration grace,
      InstantSource clock,
      Consumer<MaintenanceAction> told) {
    this.store = store;
    this.formats = formats;
    this.takeOver = takeOver;
    this.grace = grace;
    this.clock = clock;
    this.told = told;
  }

  /** Finds out what is to be done. */
  @FunctionalInterface
  private interface Planning<T> {
    List<T> plan(RunLog run, Instant before) throws IOException;
  }

  /** Does a part of it. */
  @FunctionalInterface
  interface Doing<T> {
    MaintenanceAction does(T step) throws IOException;
  }

  /**
   * Who does it.
   *
   * @param begun whether what failed last came so far that it cannot be taken back
   */
  private record Worker<T>(Doing<T> doing, BooleanSupplier begun) {}

  /** Removes what is left over, on dead branches, or let go by the policy. */
  public List<MaintenanceAction> collect(String name, Retention keep, boolean dryRun)
      throws IOException {
    RunLog run = known(name);
    return apply(
        run,
        (log, before) -> collection(log, before, keep),
        Step::action,
        hold -> {
          Cleaner cleaner = new Cleaner(store, run, new Committer(store, run.keys()), hold::check);
          return new Worker<>(cleaner::does, cleaner::begun);
        },
        dryRun);
  }

  private List<Step> collection(RunLog run, Instant before, Retention keep) throws IOException {
    Review review = Review.of(store, run, new ReadBack(store, formats), before);
    List<Step> steps = new ArrayList<>(review.unclear());
    List<Manifest.Commit> dead = review.dead();
    steps.addAll(
        review.deletions(
            dead.stream().filter(review::isOld).toList(), "it lies on a branch that was left"));
    steps.addAll(review.young(dead));
    List<Step> unknown = review.unknown(keep.metrics());
    steps.addAll(
        unknown.isEmpty()
            ? review.deletions(review.surplus(keep), "the policy does not keep it")
            : unknown);
    // last: to give an id up takes room, which a full disk has only by now
    steps.addAll(review.leftOvers(id -> true));
    return steps;
  }

  /** Mends what is proven, and moves aside what cannot be used. */
  public List<MaintenanceAction> repair(String name, boolean dryRun) throws IOException {
    RunLog run = known(name);
    return apply(
        run,
        (log, before) -> Repair.plan(store, log, formats, before),
        Mending::action,
        hold -> {
          Repair repair = new Repair(store, run, hold::check);
          return new Worker<>(repair::does, repair::begun);
        },
        dryRun);
  }

  private RunLog known(String name) throws IOException {
    Keys keys = new Keys(name);
    if (!Hold.exists(store, keys)) {
      throw new CheckpointException.NotFound("there is no run '" + name + "' in " + store.uri());
    }
    return new RunLog(store, keys);
  }

  private <T> List<MaintenanceAction> apply(
      RunLog run,
      Planning<T> planning,
      Function<T, MaintenanceAction> action,
      Function<Hold, Worker<T>> held,
      boolean dryRun)
      throws IOException {
    if (dryRun) {
      // the store's clock is asked by a write
      Instant before = clock.instant().minus(grace);
      List<MaintenanceAction> planned = planning.plan(run, before).stream().map(action).toList();
      planned.forEach(told);
      return planned;
    }
    try (Hold hold = Hold.take(store, run, takeOver)) {
      Worker<T> worker = held.apply(hold);
      List<MaintenanceAction> done = new ArrayList<>();
      // first, because it needs no room, and what filled the disk is often an unfinished file
      int files = store.sweep(run.keys().root(), before());
      log.debug("run '{}': {} unfinished file(s) removed", run.keys().run(), files);
      for (T step : planning.plan(run, before())) {
        hold.check();
        MaintenanceAction did = telling(worker, step, action);
        log.debug("{}", did);
        done.add(did);
        told.accept(did);
      }
      return done;
    }
  }

  /** What cannot be taken back is told, though it failed in the middle. */
  private <T> MaintenanceAction telling(
      Worker<T> worker, T step, Function<T, MaintenanceAction> action) throws IOException {
    try {
      return worker.doing().does(step);
    } catch (IOException | RuntimeException e) {
      if (worker.begun().getAsBoolean()) {
        MaintenanceAction begun = action.apply(step);
        told.accept(
            new MaintenanceAction(
                MaintenanceAction.Kind.CUT_SHORT,
                begun.run(),
                begun.subject(),
                0,
                begun.kind().name().toLowerCase(Locale.ROOT).replace('_', ' ')
                    + ": "
                    + begun.reason()
                    + "; it failed half-way: "
                    + e.getMessage()));
      }
      throw e;
    }
  }

  private Instant before() throws IOException {
    return store.now().minus(grace);
  }
}
