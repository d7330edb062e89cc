package dev.ckpt;

import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.config.BestBy;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.keep.Housekeeper;
import dev.ckpt.internal.restore.TakenRun;
import dev.ckpt.internal.run.Parameters;
import dev.ckpt.internal.run.Provenance;
import dev.ckpt.internal.run.RunName;
import dev.ckpt.internal.save.SaveOptions;
import dev.ckpt.internal.save.StagingMemory;
import dev.ckpt.internal.save.StagingPool;
import dev.ckpt.internal.shard.ShardValues;
import dev.ckpt.spi.CheckpointListener;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Collects how to open a {@link CheckpointManager}; what is not said has a default. */
public final class CheckpointManagerBuilder {
  private static final String RUNS = "runs";
  private static final Logger log = LoggerFactory.getLogger(CheckpointManagerBuilder.class);

  private static final Duration MOST_DEADLINE = Duration.ofDays(1);

  private final Map<String, Checkpointable> parts = new LinkedHashMap<>();
  private final List<CheckpointListener> listeners = new ArrayList<>();
  private CheckpointConfig config = CheckpointConfig.defaults();
  private @Nullable Path directory;
  private @Nullable CheckpointStore store;
  private @Nullable String run;
  private @Nullable Resume resume;
  private @Nullable Long seed;
  private @Nullable SaveTrigger trigger;
  private @Nullable Retention retention;
  private @Nullable BestBy restoreBest;
  private @Nullable InitFrom initFrom;
  private @Nullable Long maxBytes;
  private @Nullable String format;
  private @Nullable Duration deadline;
  private @Nullable Long budget;
  private @Nullable Integer retries;
  private @Nullable FailurePolicy onFailure;
  private @Nullable NonFinitePolicy nonFinite;
  private @Nullable Integer crashLoop;
  private @Nullable Boolean takeOver;
  private final Map<String, String> facts = new LinkedHashMap<>();
  private Parameters parameters = Parameters.none();
  private InstantSource clock = InstantSource.system();
  private LongSupplier ticker = System::nanoTime;

  /** What was found out before a manager exists. */
  record Setup(
      CheckpointStore store,
      boolean ownsStore,
      Keys keys,
      TakenRun.Start start,
      SaveOptions options,
      Retention retention,
      Optional<BestBy> restoreBest,
      Optional<InitFrom> initFrom,
      OptionalLong maxBytes,
      StagingPool pool,
      Formats formats,
      Housekeeper house,
      Duration stopGrace,
      Map<String, Checkpointable> parts) {

    /** Tells this run from every other of this JVM. */
    String identity() {
      return store.uri() + "#" + keys.run();
    }
  }

  CheckpointManagerBuilder() {}

  CheckpointManagerBuilder directory(Path path) {
    directory = path;
    return this;
  }

  CheckpointManagerBuilder store(CheckpointStore given) {
    store = given;
    return this;
  }

  CheckpointManagerBuilder config(CheckpointConfig given) {
    config = given;
    return this;
  }

  /** Name of the run; by default derived from the program, and from {@link #parameters}. */
  public CheckpointManagerBuilder run(String name) {
    run = name;
    return this;
  }

  /** Adds a part of the state. Names: letters, digits, {@code . _ -}. */
  public CheckpointManagerBuilder part(String name, Checkpointable state) {
    parts.put(checkedPart(name), state);
    return this;
  }

  /** When to save. */
  public CheckpointManagerBuilder saveWhen(SaveTrigger when) {
    trigger = when;
    return this;
  }

  /** What to keep. */
  public CheckpointManagerBuilder keep(Retention policy) {
    retention = policy;
    return this;
  }

  /**
   * Whose weights the training ends with, in place of the last ones: the best by a metric, which is
   * kept whatever the policy says. An adapter does it, {@link CheckpointManager#best} says which.
   */
  public CheckpointManagerBuilder restoreBest(String metric, Retention.Mode mode) {
    restoreBest = new BestBy(metric, mode, 1);
    return this;
  }

  /** What a new run begins with; an adapter loads it, see {@link CheckpointManager#initialize}. */
  public CheckpointManagerBuilder initFrom(InitFrom weights) {
    initFrom = weights;
    return this;
  }

  /**
   * The most bytes that the shards of all runs of the store may hold together. Above it the oldest
   * go, also of other runs that nobody uses; of each run stay the newest, what is pinned, and what
   * the policy's {@link Retention#best} keeps. Unlimited by default.
   *
   * @param most at least 1
   */
  public CheckpointManagerBuilder maxBytes(long most) {
    if (most < 1) {
      throw new IllegalArgumentException("maxBytes must be at least 1, not " + most);
    }
    maxBytes = most;
    return this;
  }

  /** Where to start from. */
  public CheckpointManagerBuilder resume(Resume how) {
    resume = how;
    return this;
  }

  /** The seed of a new branch; by default drawn. */
  public CheckpointManagerBuilder seed(long value) {
    seed = value;
    return this;
  }

  /** Shard format by name: {@code arrow}, or {@code hdf5} with ckpt-hdf5 on the class path. */
  public CheckpointManagerBuilder format(String name) {
    format = name;
    return this;
  }

  /** The longest wait for a save, and the longest a save may stand still; at most a day. */
  public CheckpointManagerBuilder deadline(Duration longest) {
    deadline = longest;
    return this;
  }

  /** Most bytes of staging memory. */
  public CheckpointManagerBuilder stagingBudget(long bytes) {
    budget = bytes;
    return this;
  }

  /**
   * Further tries of a write that failed: of a shard, a vote or the commit itself. They follow
   * after 0.2 s, 0.4 s, and so on up to 6.4 s, on the writer's thread; a vote and a commit are not
   * tried beyond the {@link #deadline deadline}.
   */
  public CheckpointManagerBuilder retries(int times) {
    retries = times;
    return this;
  }

  /** What a failed save does to the training. */
  public CheckpointManagerBuilder onFailure(FailurePolicy policy) {
    onFailure = policy;
    return this;
  }

  /** What a NaN does to a save. */
  public CheckpointManagerBuilder nonFinite(NonFinitePolicy policy) {
    nonFinite = policy;
    return this;
  }

  /**
   * After how many attempts that failed at the same step, of the same cause, a start is refused; 0:
   * never. See {@link CheckpointException.CrashLoop}.
   */
  public CheckpointManagerBuilder crashLoop(int attempts) {
    if (attempts < 0) {
      throw new IllegalArgumentException("crashLoop: " + attempts);
    }
    crashLoop = attempts;
    return this;
  }

  /**
   * Adds a fact about this process to the record of its attempt: a version, a commit of the
   * program. For people only, and not for secrets.
   */
  public CheckpointManagerBuilder provenance(String name, String value) {
    facts.put(name, value);
    return this;
  }

  /**
   * What a sweep varies: learning rate, width, ... As text they are facts {@code param.<name>} of
   * the attempt, which {@code ckpt runs} and {@code ckpt best} put side by side. Unless a run name
   * is set they name the run: {@code <program>-<name>-<value>_<name>-<value>}, by name; with a hash
   * where that is longer than 100, or not fit for a name. No two sets that differ as text name the
   * same run. A run that goes on with others than before is warned about. Not for secrets. A second
   * call replaces the first.
   *
   * @param values texts, numbers, booleans, enums, lists
   * @throws IllegalArgumentException on an empty name, or a value that is not the same text each
   *     time, such as an array
   */
  public CheckpointManagerBuilder parameters(Map<String, ?> values) {
    parameters = Parameters.of(values);
    return this;
  }

  /** Whether to take the run over from another process that seems to hold it. */
  public CheckpointManagerBuilder takeOver(boolean take) {
    takeOver = take;
    return this;
  }

  /** Adds a listener. */
  public CheckpointManagerBuilder notify(CheckpointListener listener) {
    listeners.add(listener);
    return this;
  }

  /** The wall clock that records carry, and the ticks that intervals are measured in. */
  CheckpointManagerBuilder clock(InstantSource wall, LongSupplier nanos) {
    clock = wall;
    ticker = nanos;
    return this;
  }

  /**
   * Takes the run. Blocks as the store does.
   *
   * @throws CheckpointException.Fenced if another process has the run
   * @throws CheckpointException.CrashLoop if the attempts before this one failed all alike
   * @throws CheckpointException.NotFound if what is to be resumed is not there
   * @throws CheckpointException.Corrupt if the run's own records are damaged
   * @throws IllegalArgumentException on a name or value out of range
   * @throws UncheckedIOException if the store cannot be used
   */
  public CheckpointManager open() {
    Keys keys =
        new Keys(
            run != null
                ? run
                : config.run().orElseGet(() -> parameters.runName(RunName.derived())));
    Formats formats = new Formats();
    ThreadFactory threads = threads(keys.run());
    SaveOptions options =
        new SaveOptions(
            trigger != null ? trigger : config.saveWhen(),
            formats.named(format != null ? format : config.format()),
            Map.of("run", keys.run(), "rank", "0", "world", "1"),
            bounded("deadline", deadline != null ? deadline : config.deadline()),
            retries != null ? retries : config.retries(),
            onFailure != null ? onFailure : config.onFailure(),
            nonFinite != null ? nonFinite : config.nonFinite(),
            clock,
            ticker,
            threads);
    long bytes =
        budget != null ? budget : config.stagingBudget().orElseGet(StagingMemory::defaultBudget);
    CheckpointStore given = store;
    CheckpointStore used = given != null ? given : openStore();
    List<CheckpointListener> told = new ArrayList<>(listeners);
    told.addAll(config.listeners(used, keys.run()));
    Housekeeper house = new Housekeeper(threads, told);
    try {
      if (run == null && config.run().isEmpty()) {
        tellOtherRuns(used, keys);
      }
      return CheckpointManager.open(
          new Setup(
              used,
              given == null,
              keys,
              start(used),
              options,
              retention(),
              restoreBest(),
              initFrom != null ? Optional.of(initFrom) : config.initFrom(),
              maxBytes != null ? OptionalLong.of(maxBytes) : config.maxBytes(),
              new StagingPool(bytes, new StagingMemory()),
              formats,
              house,
              config.stopGrace(),
              parts));
    } catch (IOException e) {
      abandon(house, given == null ? used : null, e);
      throw new UncheckedIOException(
          "cannot open run '" + keys.run() + "' in " + used.uri() + ": " + e, e);
    } catch (RuntimeException | Error e) {
      abandon(house, given == null ? used : null, e);
      throw e;
    }
  }

  private Optional<BestBy> restoreBest() {
    return restoreBest != null ? Optional.of(restoreBest) : config.restoreBest();
  }

  private Retention retention() {
    Retention policy = retention != null ? retention : config.keep();
    return restoreBest().map(by -> Retention.anyOf(policy, by.policy())).orElse(policy);
  }

  private TakenRun.Start start(CheckpointStore used) {
    return new TakenRun.Start(
        resume != null ? resume : config.resume(),
        takeOver != null ? takeOver : config.takeOver(),
        seed != null ? OptionalLong.of(seed) : config.seed(),
        crashLoop != null ? crashLoop : config.crashLoop(),
        config.resolvers(),
        provenance(used));
  }

  private Map<String, String> provenance(CheckpointStore used) {
    Map<String, String> code = new LinkedHashMap<>();
    if (directory != null || store != null) {
      code.put("store", Provenance.open(String.valueOf(used.uri())));
    }
    String policy = "a policy";
    said(code, "run", run);
    said(code, "resume", resume == null ? null : Provenance.open(resume.text()));
    said(code, "seed", seed);
    said(code, "save", trigger == null ? null : policy);
    said(code, "keep", retention == null ? null : policy);
    said(code, "restoreBest", restoreBest == null ? null : restoreBest.text());
    said(code, "initFrom", initFrom == null ? null : initFrom.run() + " " + initFrom.checkpoint());
    said(code, "format", format);
    said(code, "deadline", deadline);
    said(code, "staging.budget", budget);
    said(code, "retries", retries);
    said(code, "onFailure", onFailure);
    said(code, "nonFinite", nonFinite);
    said(code, "crashLoop", crashLoop);
    said(code, "takeOver", takeOver);
    Map<String, String> known = new LinkedHashMap<>(facts);
    known.putAll(parameters.facts());
    String version = CheckpointManager.class.getPackage().getImplementationVersion();
    if (version != null) {
      known.put("ckpt", version);
    }
    return Provenance.of(config.values(), code, known);
  }

  private static void said(Map<String, String> code, String key, @Nullable Object value) {
    if (value != null) {
      boolean constant = value instanceof Enum;
      code.put(key, constant ? value.toString().toLowerCase(Locale.ROOT) : value.toString());
    }
  }

  /** A program that was renamed derives another name, and would start over without a word. */
  private static void tellOtherRuns(CheckpointStore store, Keys keys) {
    List<String> runs = Checkpoints.runs(store);
    // other parameters are another run on purpose
    if (!runs.isEmpty() && runs.stream().noneMatch(each -> sameProgram(each, keys))) {
      log.warn(
          "run name '{}' is derived from the program and new in this store, which holds {}: to go"
              + " on with one of those, set the run name",
          keys.run(),
          runs);
    }
  }

  private static boolean sameProgram(String run, Keys keys) {
    String program = RunName.derived();
    return run.equals(keys.run()) || !keys.run().equals(program) && run.startsWith(program + "-");
  }

  private CheckpointStore openStore() {
    String where = directory != null ? directory.toString() : config.store();
    try {
      CheckpointStore opened = directory != null ? Stores.local(directory) : Stores.open(where);
      requireNoFolderOfRuns(opened.uri());
      return opened;
    } catch (IOException e) {
      throw new UncheckedIOException("cannot use the store " + where + ": " + e, e);
    }
  }

  /** A store inside another one's would start over without a word. */
  private static void requireNoFolderOfRuns(URI store) throws IOException {
    if (!"file".equalsIgnoreCase(store.getScheme())) {
      return;
    }
    Path folder = Path.of(store);
    List<Path> runs = isRun(folder) ? List.of(folder) : List.of();
    if (folder.endsWith(RUNS) && Files.isDirectory(folder)) {
      try (Stream<Path> inside = Files.list(folder)) {
        runs = inside.filter(CheckpointManagerBuilder::isRun).toList();
      }
    }
    if (!runs.isEmpty()) {
      throw new IllegalArgumentException(
          folder
              + " belongs to the store "
              + runs.get(0).resolve("../..").normalize()
              + ": give that folder, the one in which runs/ is, and the name of a run, such as "
              + runs.get(0).getFileName());
    }
  }

  private static boolean isRun(Path folder) {
    Path above = folder.getParent();
    return above != null && above.endsWith(RUNS) && Files.isDirectory(folder.resolve("attempts"));
  }

  private static void abandon(
      Housekeeper house, @Nullable CheckpointStore opened, Throwable failure) {
    house.close();
    if (opened != null) {
      try {
        opened.close();
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
  }

  static String checkedPart(String name) {
    if (!ShardValues.isPart(name)) {
      throw new IllegalArgumentException(
          "part name '" + name + "': use letters, digits, '.', '_' or '-', no leading dot");
    }
    return name;
  }

  private static Duration bounded(String name, Duration value) {
    if (value.isNegative() || value.isZero() || value.compareTo(MOST_DEADLINE) > 0) {
      throw new IllegalArgumentException(
          name + " must be positive and at most a day, not " + value);
    }
    return value;
  }

  private static ThreadFactory threads(String run) {
    AtomicInteger made = new AtomicInteger();
    return task -> {
      Thread thread = new Thread(task, "ckpt-" + run + "-" + made.incrementAndGet());
      thread.setDaemon(true);
      return thread;
    };
  }
}
