package dev.ckpt;

import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.config.BestBy;
import dev.ckpt.internal.convert.Conversion;
import dev.ckpt.internal.convert.Origin;
import dev.ckpt.internal.export.Exports;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.restore.Candidates;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.internal.restore.Reference;
import dev.ckpt.internal.survey.AttemptLog;
import dev.ckpt.internal.survey.Catalogue;
import dev.ckpt.internal.survey.RecordCheck;
import dev.ckpt.internal.survey.Verifier;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the checkpoints of a run, also while it trains: takes no attempt and no lock of it.
 * Every method reads the store anew, may block, and may be called from any thread.
 */
public final class Checkpoints implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Checkpoints.class);

  private final CheckpointStore store;
  private final RunLog run;
  private final Set<String> saidLeftOut = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean saidLost = new AtomicBoolean();

  /** Looked for when a shard is opened: a list needs none. */
  private @Nullable Formats formats;

  private Checkpoints(CheckpointStore store, String name) {
    this.store = store;
    this.run = new RunLog(store, new Keys(name));
  }

  /** The checkpoints of one run; the store stays the caller's. */
  public static Checkpoints read(CheckpointStore store, String run) {
    return new Checkpoints(store, run);
  }

  /**
   * The checkpoints of the only run in a store.
   *
   * @throws CheckpointException.NotFound if there is none, or there are several, which it names
   */
  public static Checkpoints only(CheckpointStore store) {
    try {
      return named(store, "", "", "");
    } catch (CheckpointException.NotFound e) {
      throw runs(store).isEmpty()
          ? e
          : new CheckpointException.NotFound(
              e.getMessage() + ", in code to Checkpoints.read(store, name)");
    }
  }

  /**
   * A run that is there.
   *
   * @param name empty for the only one
   * @param except one that does not count
   * @param whose begins a message
   */
  static Checkpoints named(CheckpointStore store, String name, String except, String whose) {
    List<String> runs = runs(store).stream().filter(each -> !each.equals(except)).toList();
    if (name.isEmpty() ? runs.size() == 1 : runs.contains(name)) {
      return read(store, name.isEmpty() ? runs.get(0) : name);
    }
    String other = except.isEmpty() ? "" : "other ";
    throw new CheckpointException.NotFound(
        whose
            + (name.isEmpty()
                ? runs.isEmpty() ? "there is no " + other + "run" : "say which run"
                : "there is no run '" + name + "'")
            + " in "
            + store.uri()
            + (runs.isEmpty()
                ? ": give the folder that the training saves into, the one in which runs/ is"
                : ", which holds " + String.join(", ", runs) + ": give the name of one"));
  }

  /**
   * Names of the runs in a store, sorted. One whose folder this process may not look into is there.
   */
  public static List<String> runs(CheckpointStore store) {
    try {
      return store.folders("runs/");
    } catch (IOException e) {
      throw new UncheckedIOException("cannot list " + store.uri(), e);
    }
  }

  /**
   * The committed checkpoints of the live branch, oldest first. What is damaged, or of a newer
   * format version, is left out and warned about, once by each of these objects; so is what lost
   * its manifest, and was committed by what others say.
   */
  public List<Checkpoint> list() {
    return reading(
        () -> {
          NavigableSet<CheckpointId> decided = run.idsUnder(run.keys().manifests());
          Lineage lineage = run.lineage(decided);
          decided.removeAll(run.deleted());
          NavigableSet<CheckpointId> live = new TreeSet<>(lineage.live(decided));
          List<Checkpoint> committed =
              Candidates.committed(run, live, each -> leftOut(String.valueOf(each.getMessage())));
          if (saidLost.compareAndSet(false, true)) {
            NavigableMap<CheckpointId, String> lost = Evidence.above(Optional.empty(), run).all();
            for (CheckpointId id : lineage.live(lost.navigableKeySet())) {
              leftOut(id + ": it was committed (" + lost.get(id) + "), and its manifest is gone");
            }
          }
          return committed;
        });
  }

  private void leftOut(String what) {
    if (saidLeftOut.add(what)) {
      log.warn("left out of the list: {}", what);
    }
  }

  /** The newest of {@link #list()} without NaN or infinities; if there is none, the newest. */
  public Optional<Checkpoint> latest() {
    List<Checkpoint> all = list();
    for (int i = all.size() - 1; i >= 0; i--) {
      if (all.get(i).finite()) {
        return Optional.of(all.get(i));
      }
    }
    return all.isEmpty() ? Optional.empty() : Optional.of(all.get(all.size() - 1));
  }

  /**
   * The best finite one of {@link #list()} by a metric; of equal ones the newer.
   *
   * @return empty if none has the metric
   */
  public Optional<Checkpoint> best(String metric, Retention.Mode mode) {
    return Reference.best(list(), metric, mode);
  }

  /**
   * The checkpoint that a person means: an id; {@code latest}; {@code best(metric)}, the largest,
   * or {@code best(metric, min)}; {@code best}, by the metric that the run's config keeps the best
   * of ({@code keep.best}), the first if there are several; or the reference of a {@link
   * dev.ckpt.spi.CheckpointResolver}.
   *
   * @throws CheckpointException.NotFound if it means none, or nobody said what is best
   * @throws IllegalArgumentException if it is none of these
   */
  public Checkpoint find(String reference) {
    return reading(
        () ->
            switch (reference) {
              case "latest" -> latest().orElseThrow(this::nothing);
              case "best" -> best();
              default -> {
                Lineage lineage = run.lineage();
                CheckpointId id =
                    Reference.resolve(
                        reference, "latest, best", List.of(), lineage, run, run.decided());
                yield committed(id).checkpoint();
              }
            });
  }

  private Checkpoint best() throws IOException {
    List<Checkpoint> all = list();
    if (all.isEmpty()) {
      throw nothing();
    }
    String metrics =
        all.stream().flatMap(each -> each.metrics().keySet().stream()).distinct().sorted().toList()
            + "";
    for (AttemptRecord attempt : run.lineage().attempts().descendingMap().values()) {
      if (BestBy.isSaidBy(attempt.provenance())) {
        Optional<BestBy> by =
            BestBy.of(attempt.provenance()).flatMap(kept -> kept.stream().findFirst());
        if (by.isEmpty()) {
          break;
        }
        return Reference.best(all, by.get().metric(), by.get().mode())
            .orElseThrow(
                () ->
                    new CheckpointException.NotFound(
                        "no checkpoint of run '"
                            + run.keys().run()
                            + "' has the metric '"
                            + by.get().metric()
                            + "'; known: "
                            + metrics));
      }
    }
    throw new CheckpointException.NotFound(
        "the config of run '"
            + run.keys().run()
            + "' has no keep.best that says what is best: ask for best(metric), or best(metric,"
            + " min) of a loss; known: "
            + metrics);
  }

  private CheckpointException nothing() {
    return new CheckpointException.NotFound(
        "run '" + run.keys().run() + "' in " + store.uri() + " has no committed checkpoint");
  }

  /**
   * Every id that the run has a trace of, oldest first, with what it is: also what is on dead
   * branches, given up, damaged or half deleted. Reads no shard.
   */
  public List<ListedCheckpoint> all() {
    return reading(() -> Catalogue.of(store, run));
  }

  /** The attempts of the run, oldest first. */
  public List<Attempt> attempts() {
    return reading(() -> AttemptLog.of(run, InstantSource.system()));
  }

  /**
   * Looks at the run's own records: attempts, what they resumed from, how they ended, and each
   * decision; also at votes on what is not committed. A damaged one is a problem, and so is one
   * that should be there and is not, or that no checkpoint is live where a start refuses to begin
   * afresh.
   *
   * @return its id is the run's name
   * @throws CheckpointException.Incompatible if a newer version wrote one of them
   */
  public Verification verifyRecords() {
    return reading(() -> RecordCheck.of(store, run));
  }

  /**
   * Compares every byte of a checkpoint with its checksum: manifest, votes and shards. A vote that
   * is gone is no problem, one that differs is.
   *
   * @param onBytes told of bytes of shards as they are verified, on any thread
   * @throws CheckpointException.NotFound if there is no such checkpoint
   * @throws CheckpointException.Incompatible if a newer version wrote it
   */
  public Verification verify(String id, LongConsumer onBytes) {
    CheckpointId parsed = known(id);
    return reading(
        () -> new Verifier(store, run, formats()::named, verifiers()).verify(parsed, onBytes));
  }

  /** As {@link #verify(String, LongConsumer)}, without a word on the way. */
  public Verification verify(String id) {
    return verify(id, bytes -> {});
  }

  /**
   * Opens a checkpoint; what is read is verified as it is read.
   *
   * @throws CheckpointException.NotFound if there is no such checkpoint, or it is being deleted
   * @throws CheckpointException.Corrupt if it is damaged
   */
  public Opened open(String id) {
    return reading(() -> new Opened(opened(id), this));
  }

  /**
   * Keeps a checkpoint whatever the retention policy says, until {@link #unpin}.
   *
   * @throws CheckpointException.NotFound if there is no such checkpoint, or it is being deleted
   */
  public void pin(String id) {
    CheckpointId parsed = known(id);
    reading(
        () -> {
          committed(parsed);
          byte[] why = "pinned".getBytes(StandardCharsets.UTF_8);
          store.putIfAbsent(run.keys().pin(parsed), ByteBuffer.wrap(why));
          if (run.deleted().contains(parsed)) {
            store.delete(List.of(run.keys().pin(parsed)));
            throw new CheckpointException.NotFound(id + " was being deleted when it was pinned");
          }
          return parsed;
        },
        "change");
  }

  /** Lets the retention policy decide again. */
  public void unpin(String id) {
    CheckpointId parsed = known(id);
    reading(
        () -> {
          store.delete(List.of(run.keys().pin(parsed)));
          return parsed;
        },
        "change");
  }

  /** One open checkpoint. */
  public static final class Opened implements AutoCloseable {
    private final OpenCheckpoint open;
    private final Checkpoints of;

    private Opened(OpenCheckpoint open, Checkpoints of) {
      this.open = open;
      this.of = of;
    }

    /** What is known of it. */
    public Checkpoint checkpoint() {
      return open.manifest().checkpoint();
    }

    /** Names of its parts. */
    public List<String> parts() {
      return open.parts();
    }

    /**
     * The state of a part.
     *
     * @throws CheckpointException.NotFound if the checkpoint holds nothing of such a part
     */
    public StateView view(String part) {
      if (!open.parts().contains(part)) {
        throw new CheckpointException.NotFound(
            checkpoint().id() + " has no part '" + part + "'; it has " + open.parts());
      }
      return open.view(part);
    }

    /**
     * Writes a file for other programs, of the kind that its ending says: {@code .params} for DJL.
     * Blocks. Replaces a file that is there once the new one is whole and on disk.
     *
     * @throws CheckpointException.NotFound if the checkpoint does not hold what such a file needs
     * @throws IllegalArgumentException if nothing on the class path writes files of that ending, or
     *     a program would read another file of that folder than this one
     * @throws UncheckedIOException if the file cannot be written
     */
    public void export(Path file) {
      Map<String, StateView> views = new LinkedHashMap<>();
      parts().forEach(part -> views.put(part, view(part)));
      try {
        Exports.write(views, file);
      } catch (IOException e) {
        throw new UncheckedIOException("cannot write " + file + ": " + e.getMessage(), e);
      }
    }

    /**
     * Rewrites it in another shard format, as the only checkpoint of a new run, from which a
     * training resumes exactly as from this one: every tensor and value, the progress, the metrics,
     * the seed, and that it is finished are the same. Reads every byte before anything is written,
     * and compares what was written before it is committed. The new run is there whole, or has no
     * checkpoint; after a crash it may be converted again under the same name. Nothing of this
     * checkpoint's run is changed. Blocks.
     *
     * @param format name of the shard format: {@code arrow}, {@code hdf5}
     * @param into the store that it goes to, which may be this one's; stays the caller's
     * @param run name of the new run
     * @param dryRun whether only to find out; what is returned then is not committed, and has the
     *     size of this one
     * @param onBytes told of bytes of tensors as they are written, and again as they are compared
     * @return the checkpoint of the new run
     * @throws CheckpointException.Incompatible if it was saved by many workers
     * @throws CheckpointException.Corrupt if this checkpoint is damaged; nothing was written
     * @throws CheckpointException.NotFound if it was deleted meanwhile
     * @throws CheckpointException.Fenced if another process begins the run
     * @throws CheckpointException.SaveFailed if what was written does not read back the same
     * @throws CheckpointException.CommitUnknown if nobody can tell whether it was committed
     * @throws IllegalArgumentException if the run is there, this is in that format already, or
     *     nothing on the class path writes it
     * @throws UncheckedIOException if a store fails
     */
    public Checkpoint convert(
        String format, CheckpointStore into, String run, boolean dryRun, LongConsumer onBytes) {
      ShardFormat target;
      try {
        target = of.formats().named(format);
      } catch (CheckpointException.Incompatible e) {
        throw new IllegalArgumentException(e.getMessage(), e);
      }
      Conversion conversion = new Conversion(open, into, run, target, InstantSource.system());
      CheckpointId id = open.manifest().id();
      try {
        return (dryRun
                ? conversion.plan()
                : conversion.apply(Origin.of(of.store, of.run, id), onBytes))
            .checkpoint();
      } catch (CheckpointException.Corrupt | IOException e) {
        of.requireNotDeleted(id, "converted");
        if (e instanceof IOException io) {
          throw new UncheckedIOException(
              "cannot convert " + id + " into " + into.uri() + ": " + io.getMessage(), io);
        }
        throw (CheckpointException.Corrupt) e;
      }
    }

    @Override
    public void close() {
      try {
        open.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /** Does nothing: the store is the caller's. */
  @Override
  public void close() {}

  /** As many as a resume has. */
  private static int verifiers() {
    return Math.min(4, Runtime.getRuntime().availableProcessors());
  }

  private synchronized Formats formats() {
    if (formats == null) {
      formats = new Formats();
    }
    return formats;
  }

  private CheckpointId known(String id) {
    return CheckpointId.parse(id)
        .orElseThrow(
            () ->
                new CheckpointException.NotFound(
                    "'" + id + "' is no checkpoint id; one looks like 000001-000000000100-0"));
  }

  private OpenCheckpoint opened(String id) throws IOException {
    CheckpointId parsed = known(id);
    Manifest.Commit commit = committed(parsed);
    try {
      return OpenCheckpoint.open(store, commit, formats()::named);
    } catch (CheckpointException.Corrupt | NoSuchFileException e) {
      requireNotDeleted(parsed, "opened");
      throw e;
    }
  }

  /** For who read its manifest before: the mark may have come and gone since. */
  private void requireNotDeleted(CheckpointId id, String meanwhile) {
    if (reading(
        () -> run.deleted().contains(id) || !run.idsUnder(run.keys().manifests()).contains(id))) {
      throw new CheckpointException.NotFound(
          "run '" + run.keys().run() + "': " + id + " was deleted while it was " + meanwhile);
    }
  }

  private Manifest.Commit committed(CheckpointId id) throws IOException {
    if (run.deleted().contains(id)
        || !(run.manifest(id).orElse(null) instanceof Manifest.Commit commit)) {
      throw new CheckpointException.NotFound(
          "run '" + run.keys().run() + "' has no committed checkpoint " + id);
    }
    return commit;
  }

  /** Something that reads the store. */
  @FunctionalInterface
  private interface Read<T> {
    T get() throws IOException;
  }

  private <T> T reading(Read<T> read) {
    return reading(read, "read");
  }

  private <T> T reading(Read<T> read, String what) {
    try {
      return read.get();
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot " + what + " " + store.uri() + ": " + e.getMessage(), e);
    }
  }
}
