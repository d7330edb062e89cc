package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.MaintenanceAction.Kind;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Cleaner;
import dev.ckpt.internal.keep.Step;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.CheckpointStore.Entry;
import dev.ckpt.spi.ShardFormat;
import java.io.Closeable;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Keeps the shards of all runs of a store, and what repairs moved aside, together below a number of
 * bytes. First go left-overs, then checkpoints of dead branches, then the oldest of all runs; never
 * a run's newest, its newest finite one, its best, or a pinned one. Runs in use are left alone, and
 * those of which nobody can tell what is best lose left-overs only. For one thread.
 */
public final class StoreLimit {

  private final CheckpointStore store;
  private final ReadBack reading;
  private final long maxBytes;
  private final Best.Of best;
  private final Duration grace;

  /**
   * @param best what counts as best in a run
   * @param grace how old a left-over must be, by the store's clock
   */
  public StoreLimit(
      CheckpointStore store,
      Function<String, ShardFormat> formats,
      long maxBytes,
      Best.Of best,
      Duration grace) {
    this.store = store;
    this.reading = new ReadBack(store, formats);
    this.maxBytes = maxBytes;
    this.best = best;
    this.grace = grace;
  }

  /** Does a step in a run that is held. */
  @FunctionalInterface
  public interface Doing {
    MaintenanceAction does(Step step) throws IOException;
  }

  /** The right to change a run, until it is let go. */
  public record Access(Doing doing, Closeable letGo) {}

  /** Gives the right to change runs. */
  public interface Taking {
    /**
     * Takes a run.
     *
     * @throws CheckpointException.Fenced if it is in use
     */
    Access take(RunLog run) throws IOException;

    /** What somebody will have done before, of these runs; only if nothing is done. */
    default List<MaintenanceAction> planned() {
      return List.of();
    }

    /** What time it is for what is left over. */
    default Instant now(CheckpointStore store) throws IOException {
      return store.now();
    }

    /** Of which ids of a run that is taken the writers are known to be gone. */
    default boolean gone(String run, CheckpointId id) {
      return true;
    }
  }

  /** As maintenance takes runs: with the lock, or by an attempt of its own. */
  public Taking outside(boolean takeOver) {
    return run -> {
      Hold hold = Hold.take(store, run, takeOver);
      Committer committer = new Committer(store, run.keys());
      Cleaner cleaner = new Cleaner(store, run, committer, hold::check);
      return new Access(
          step -> {
            try {
              hold.check();
              return cleaner.does(step);
            } catch (CheckpointException.Fenced e) {
              // that run is in use again; the others are still held
              return Hold.leave(
                  run.keys(), step.action().subject(), String.valueOf(e.getMessage()));
            }
          },
          hold);
    };
  }

  /**
   * For who only wants to know: takes nothing, and does nothing.
   *
   * @param clock in place of the store's, which is asked by a write
   * @param planned what a collection will have done before
   */
  public static Taking dry(InstantSource clock, List<MaintenanceAction> planned) {
    return new Taking() {
      @Override
      public Access take(RunLog run) {
        return new Access(Step::action, () -> {});
      }

      @Override
      public List<MaintenanceAction> planned() {
        return planned;
      }

      @Override
      public Instant now(CheckpointStore store) {
        return clock.instant();
      }
    };
  }

  /** A step in a run, and how many bytes of shards it frees. */
  private record Freeing(String run, Step step, long bytes) {}

  /** A checkpoint that may go. */
  private record Doomed(Review review, Manifest.Commit commit) {
    static final Comparator<Doomed> OLDEST_FIRST =
        Comparator.comparing((Doomed each) -> each.commit().committedAt())
            .thenComparing(each -> each.review().run())
            .thenComparing(each -> each.commit().id());
  }

  /**
   * Deletes what must go, if anything must.
   *
   * @param runs names of all runs
   * @param told of each action as soon as it is done
   * @return what was done; nothing if the store is below the limit
   */
  public List<MaintenanceAction> apply(
      List<String> runs, Taking taking, Consumer<MaintenanceAction> told) throws IOException {
    Map<String, Long> bytes = new LinkedHashMap<>();
    Map<String, Long> aside = new LinkedHashMap<>();
    for (String run : runs) {
      bytes.put(run, bytes(new Keys(run).data()));
      long copies = bytes(new Keys(run).quarantine());
      if (copies > 0) {
        aside.put(run, copies);
      }
    }
    long left = sum(bytes) + sum(aside) - freed(bytes.keySet(), taking);
    if (left <= maxBytes) {
      return List.of();
    }
    List<MaintenanceAction> done = new ArrayList<>();
    Map<String, Access> taken = new LinkedHashMap<>();
    try (Closeable all = () -> letGo(taken)) {
      List<Freeing> plan = settled(bytes, left - maxBytes, taking, taken, done);
      done.forEach(told);
      for (Freeing freeing : plan) {
        Access access = Objects.requireNonNull(taken.get(freeing.run()), all::toString);
        MaintenanceAction did = access.doing().does(freeing.step());
        left -= did.kind() == Kind.LEAVE ? 0 : freeing.bytes();
        done.add(did);
        told.accept(did);
      }
    }
    if (left > maxBytes) {
      done.add(tooMuch(left, aside));
      told.accept(done.get(done.size() - 1));
    }
    return done;
  }

  /**
   * Plans, and takes the runs that lose something by the plan, and only those. What one was found
   * to be before it was taken is looked at again, and its newest checkpoint is read back only then:
   * a run in use costs no more than a look at its lock.
   */
  private List<Freeing> settled(
      Map<String, Long> bytes,
      long tooMuch,
      Taking taking,
      Map<String, Access> taken,
      List<MaintenanceAction> done)
      throws IOException {
    Instant before = taking.now(store).minus(grace);
    Map<String, Review> reviews = new LinkedHashMap<>();
    for (String name : bytes.keySet()) {
      Review review = Review.unread(store, log(name), before);
      review.after(taking.planned());
      reviews.put(name, review);
    }
    while (true) {
      List<MaintenanceAction> kept = new ArrayList<>();
      List<Freeing> plan = plan(reviews.values(), tooMuch, taking, kept);
      Optional<String> next =
          plan.stream().map(Freeing::run).filter(run -> !taken.containsKey(run)).findFirst();
      if (next.isEmpty()) {
        done.addAll(kept);
        return plan;
      }
      String name = next.get();
      try {
        taken.put(name, taking.take(log(name)));
        Review review = Review.of(store, log(name), reading, before);
        review.after(taking.planned());
        reviews.put(name, review);
      } catch (CheckpointException.Fenced | CheckpointException.Incompatible e) {
        reviews.remove(name);
        done.add(
            new MaintenanceAction(
                Kind.LEAVE,
                name,
                name,
                Objects.requireNonNull(bytes.get(name)),
                String.valueOf(e.getMessage())));
      }
    }
  }

  private long freed(Collection<String> runs, Taking taking) throws IOException {
    long freed = 0;
    if (!taking.planned().isEmpty()) {
      Instant before = taking.now(store).minus(grace);
      for (String name : runs) {
        freed += Review.unread(store, log(name), before).after(taking.planned());
      }
    }
    return freed;
  }

  private RunLog log(String run) {
    return new RunLog(store, new Keys(run));
  }

  private MaintenanceAction tooMuch(long left, Map<String, Long> aside) {
    String why = "the newest, best and pinned checkpoints of each run stay, and what is in use";
    if (left - sum(aside) <= maxBytes) {
      why =
          sum(aside)
              + " of them are what repairs moved to quarantine/ in "
              + String.join(", ", aside.keySet())
              + ", which only a person deletes";
    }
    return new MaintenanceAction(
        Kind.LEAVE,
        "",
        store.uri().toString(),
        left - maxBytes,
        left
            + " bytes are left, "
            + (left - maxBytes)
            + " above the limit of "
            + maxBytes
            + ": "
            + why);
  }

  private static long sum(Map<String, Long> bytes) {
    return bytes.values().stream().mapToLong(Long::longValue).sum();
  }

  private static void letGo(Map<String, Access> taken) throws IOException {
    IOException failure = null;
    for (Access access : taken.values()) {
      try {
        access.letGo().close();
      } catch (IOException e) {
        failure = e;
      }
    }
    if (failure != null) {
      throw failure;
    }
  }

  private List<Freeing> plan(
      Collection<Review> reviews, long tooMuch, Taking taking, List<MaintenanceAction> kept)
      throws IOException {
    List<Freeing> plan = new ArrayList<>();
    List<Doomed> dead = new ArrayList<>();
    List<Doomed> old = new ArrayList<>();
    long over = tooMuch;
    for (Review review : reviews) {
      review.startOver();
      for (Step step : review.leftOvers(id -> taking.gone(review.run(), id))) {
        long bytes = review.shardBytes(step);
        if (over > 0 && bytes > 0) {
          plan.add(new Freeing(review.run(), step, bytes));
          over -= bytes;
        }
      }
      Best its = best.run(log(review.run()));
      List<Step> unknown = review.untold(its);
      if (!unknown.isEmpty()) {
        unknown.forEach(step -> kept.add(step.action()));
        continue;
      }
      review.dead().forEach(commit -> dead.add(new Doomed(review, commit)));
      review.surplus(its.policy()).forEach(commit -> old.add(new Doomed(review, commit)));
    }
    over = oldestFirst(dead, "it lies on a branch that was left", over, plan);
    oldestFirst(old, "the store holds more than " + maxBytes + " bytes", over, plan);
    return plan;
  }

  private static long oldestFirst(List<Doomed> doomed, String why, long tooMuch, List<Freeing> plan)
      throws IOException {
    long over = tooMuch;
    Set<String> told = new HashSet<>();
    for (Doomed each : doomed.stream().sorted(Doomed.OLDEST_FIRST).toList()) {
      Review review = each.review();
      if (over <= 0 || (review.unsafe().isPresent() && !told.add(review.run()))) {
        continue;
      }
      for (Step step : review.deletions(List.of(each.commit()), why)) {
        plan.add(new Freeing(review.run(), step, step.action().bytes()));
        over -= step.action().bytes();
      }
    }
    return over;
  }

  private long bytes(String folder) throws IOException {
    try (Stream<Entry> entries = store.list(folder, "")) {
      return entries.mapToLong(Entry::length).sum();
    }
  }
}
