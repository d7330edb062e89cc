package dev.ckpt.internal.convert;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.internal.shard.ShardFile;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.Closeable;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.LongConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Rewrites a committed checkpoint in another shard format.
 *
 * <p>What is committed never changes and an id is decided once, so the copy cannot take the place
 * of its source; and a second commit beside it would move the live branch of a run that may be
 * training. So it becomes the first checkpoint of a run of its own, in the order in which a fresh
 * start saves its first one: attempt, resume record without a checkpoint, shard, vote, manifest.
 * All that a crash can leave is what a training leaves that is killed in its first save, and
 * nothing of the source's run is written. Before the vote the shard is read back and compared with
 * the source, so that only what is the same is ever committed.
 */
public final class Conversion {
  private static final Logger log = LoggerFactory.getLogger(Conversion.class);
  private static final int THREADS = 4;

  private final OpenCheckpoint source;
  private final Manifest.Commit commit;
  private final CheckpointStore store;
  private final RunLog run;
  private final ShardFormat format;
  private final InstantSource clock;

  /**
   * @param source open; stays the caller's
   * @param store where it goes
   * @param run the run that it becomes, which must not be there
   * @param format to write
   * @throws IllegalArgumentException if it is in that format already, or the name is none
   * @throws CheckpointException.Incompatible if it is of many workers
   */
  public Conversion(
      OpenCheckpoint source,
      CheckpointStore store,
      String run,
      ShardFormat format,
      InstantSource clock) {
    this.source = source;
    this.commit = source.manifest();
    this.store = store;
    this.run = new RunLog(store, new Keys(run));
    this.format = format;
    this.clock = clock;
    if (commit.world() != 1 || commit.shards().size() != 1) {
      throw new CheckpointException.Incompatible(
          commit.id()
              + " has "
              + commit.shards().size()
              + " shards of "
              + commit.world()
              + " workers; only what one worker saved in one shard can be converted");
    }
    if (commit.shards().get(0).format().equals(format.name())) {
      throw new IllegalArgumentException(
          commit.id() + " is in the format " + format.name() + " already: nothing to convert");
    }
  }

  /**
   * Does it, or finds that an earlier try did.
   *
   * @param origin what else is known of the source
   * @param onBytes told of bytes of tensors, of each twice
   * @throws CheckpointException.Corrupt if the source is damaged, or what an earlier try committed;
   *     nothing was written
   * @throws CheckpointException.Fenced if somebody else begins the run
   * @throws CheckpointException.SaveFailed if what was written does not read back as the source
   * @throws CheckpointException.CommitUnknown if nobody can tell whether it was committed
   * @throws IllegalArgumentException if the run is there
   */
  public Manifest.Commit apply(Origin origin, LongConsumer onBytes) throws IOException {
    source.verify(THREADS);
    ReadContents contents = new ReadContents(source.shards().get(0), run.keys().run(), onBytes);
    Landing.look(run, store); // before its lock: what is there is not touched
    try (Closeable lock = Admission.lock(store, run.keys(), false)) {
      Landing landing = Landing.look(run, store);
      Manifest.Commit made =
          landing.commit().isPresent()
              ? finished(landing.commit().get(), contents)
              : written(landing.lineage(), origin.facts(), contents);
      run.ended(ended(made.id(), origin.goal()));
      return made;
    }
  }

  /**
   * What {@link #apply} would commit, as far as that is known; writes nothing. Reads every byte of
   * the source; fails as {@link #apply} does.
   *
   * @return with the shards of the source
   */
  public Manifest.Commit plan() throws IOException {
    source.verify(THREADS);
    Landing landing = Landing.look(run, store);
    if (landing.commit().isPresent()) {
      ReadContents contents =
          new ReadContents(source.shards().get(0), run.keys().run(), bytes -> {});
      return finished(landing.commit().get(), contents);
    }
    return Manifest.Commit.of(
        List.of(vote(id(landing.lineage().newest() + 1), commit.shards().get(0))));
  }

  private CheckpointId id(int attempt) {
    return new CheckpointId(attempt, commit.progress().step(), commit.progress().phase().ordinal());
  }

  /** The same training at the same place; a branch begins with it, so it has no parent. */
  private Vote vote(CheckpointId id, ShardEntry shard) {
    return new Vote(
        id,
        0,
        1,
        Optional.empty(),
        commit.seed(),
        commit.progress(),
        commit.committedAt(),
        commit.metrics(),
        commit.finite(),
        List.of(shard));
  }

  /** One that was committed before its process could say so. */
  private Manifest.Commit finished(Manifest.Commit there, ReadContents contents)
      throws IOException {
    if (there.shards().size() == 1 && there.shards().get(0).format().equals(format.name())) {
      Vote same = vote(there.id(), there.shards().get(0));
      if (Manifest.Commit.of(List.of(same)).equals(there) && isCopy(there, contents)) {
        return there;
      }
    }
    throw Landing.taken(run, store, "which holds " + there.id());
  }

  /**
   * @throws CheckpointException.Corrupt if it was one, as all says that is recorded of it
   */
  private boolean isCopy(Manifest.Commit there, ReadContents contents) throws IOException {
    try {
      requireCopy(there, contents);
      return true;
    } catch (CheckpointException.SaveFailed e) {
      log.debug("{} is no copy of {}", there.id(), commit.id(), e);
      return false;
    } catch (CheckpointException.Corrupt e) {
      throw new CheckpointException.Corrupt(
          commit.id()
              + " was converted before, as "
              + there.id()
              + " of run '"
              + run.keys().run()
              + "', which is damaged since: "
              + e.getMessage()
              + ". Convert it under another name (ckpt: --to-run)",
          e);
    }
  }

  private void requireCopy(Manifest.Commit copy, ReadContents contents) throws IOException {
    try (OpenCheckpoint open = OpenCheckpoint.open(store, copy, name -> format)) {
      open.verify(THREADS);
      contents.requireSame(open.shards().get(0), copy.shards().get(0).key());
    }
  }

  private Manifest.Commit written(Lineage lineage, Map<String, String> facts, ReadContents contents)
      throws IOException {
    String name = run.keys().run();
    ShardFile.requireRoom(
        store,
        contents.tensors(),
        "run '" + name + "'",
        "free some, or convert into another store");
    OptionalInt attempt = Admission.convert(run, lineage, commit.seed(), facts, clock.instant());
    if (attempt.isEmpty()) {
      throw new CheckpointException.Fenced(
          "run '" + name + "' in " + store.uri() + " was begun by another process just now");
    }
    CheckpointId id = id(attempt.getAsInt());
    Committer committer = new Committer(store, run.keys());
    List<Vote> votes;
    try {
      votes = List.of(vote(id, shard(id, contents)));
      requireCopy(Manifest.Commit.of(votes), contents);
      run.checkNotFenced(id.attempt());
      committer.vote(votes.get(0));
    } catch (CheckpointException.CommitUnknown e) {
      throw e;
    } catch (CheckpointException.Corrupt e) {
      cleanUp(() -> committer.forget(id), id);
      throw failed(id, e); // the source was whole
    } catch (IOException | CheckpointException e) {
      cleanUp(() -> committer.forget(id), id);
      throw e;
    } catch (RuntimeException e) {
      cleanUp(() -> committer.forget(id), id);
      throw failed(id, e); // a format that cannot hold it
    }
    try {
      return committer.commit(votes);
    } catch (CheckpointException.CommitUnknown e) {
      throw e;
    } catch (IOException | CheckpointException e) {
      cleanUp(() -> giveUp(committer, id), id);
      throw e;
    }
  }

  private ShardEntry shard(CheckpointId id, ReadContents contents) throws IOException {
    run.checkNotFenced(id.attempt());
    String key = run.keys().shard(id, 0, 1, 0, format.name());
    return ShardFile.write(store, key, 0, format, contents);
  }

  private CheckpointException failed(CheckpointId id, RuntimeException why) {
    return new CheckpointException.SaveFailed(
        commit.id()
            + " was not converted to "
            + format.name()
            + " as "
            + id
            + ": "
            + (why.getMessage() == null ? why.toString() : why.getMessage()),
        why);
  }

  private static void giveUp(Committer committer, CheckpointId id) throws IOException {
    if (committer.abort(id, "given up: its conversion failed") instanceof Manifest.Abort) {
      committer.discard(id);
    }
  }

  /** Something that uses the store. */
  @FunctionalInterface
  private interface Clearing {
    void run() throws IOException;
  }

  private static void cleanUp(Clearing clearing, CheckpointId id) {
    try {
      clearing.run();
    } catch (IOException | RuntimeException e) {
      log.debug("{}: what it left behind stays until the next start", id, e);
    }
  }

  /** A run that reached its goal is finished after the conversion, too. */
  private EndRecord ended(CheckpointId id, Optional<Map<String, Long>> goal) {
    return new EndRecord(
        id.attempt(),
        goal.isPresent() ? EndRecord.COMPLETED : EndRecord.CLOSED,
        goal.orElse(Map.of()),
        clock.instant(),
        Optional.empty(),
        OptionalLong.of(commit.progress().step()));
  }
}
