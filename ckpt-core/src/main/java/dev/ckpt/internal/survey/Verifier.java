package dev.ckpt.internal.survey;

import dev.ckpt.CheckpointException;
import dev.ckpt.Verification;
import dev.ckpt.internal.commit.Evidence;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Records;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.function.LongConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Looks at every byte of a checkpoint and names all that is wrong with it, not only what a restore
 * would stumble over first. Where the manifest is damaged, the votes of all ranks stand in for it.
 */
public final class Verifier {
  private static final Pattern VOTE = Pattern.compile("rank-(\\d{5})\\.json");

  private final CheckpointStore store;
  private final RunLog run;
  private final Function<String, ShardFormat> formats;
  private final Records records;
  private final int threads;

  /**
   * @param formats a shard format by name
   * @param threads how many read shards at once
   */
  public Verifier(
      CheckpointStore store, RunLog run, Function<String, ShardFormat> formats, int threads) {
    this.store = store;
    this.run = run;
    this.formats = formats;
    this.records = new Records(store);
    this.threads = threads;
  }

  /**
   * Looks at one.
   *
   * @param onBytes told of bytes of shards as they are compared, on any thread
   * @throws CheckpointException.NotFound if it is not committed, or was deleted meanwhile
   * @throws CheckpointException.Incompatible if a newer version wrote it
   */
  public Verification verify(CheckpointId id, LongConsumer onBytes) throws IOException {
    List<String> problems = new ArrayList<>();
    Optional<Manifest.Commit> commit = manifest(id, problems);
    boolean read = commit.isPresent();
    NavigableMap<Integer, Vote> votes = votes(id, problems);
    if (commit.isPresent()) {
      compare(commit.get(), votes, problems);
    } else {
      commit = fromVotes(id, votes);
    }
    AtomicLong bytes = new AtomicLong();
    if (commit.isPresent()) {
      LongConsumer counting =
          count -> {
            bytes.addAndGet(count);
            onBytes.accept(count);
          };
      try {
        shards(commit.get(), counting, problems);
      } catch (NoSuchFileException e) {
        problems.add(id + ": " + e.getMessage() + " went while it was read");
      }
    }
    if (!problems.isEmpty() && (marked(id) || (read && isGone(id)))) {
      throw new CheckpointException.NotFound(
          "run '" + run.keys().run() + "': " + id + " was deleted while it was looked at");
    }
    return new Verification(id.toString(), bytes.get(), problems);
  }

  private Optional<Manifest.Commit> manifest(CheckpointId id, List<String> problems)
      throws IOException {
    Optional<Manifest> manifest;
    try {
      manifest = marked(id) ? Optional.empty() : run.manifest(id);
    } catch (CheckpointException.Corrupt e) {
      problems.add(String.valueOf(e.getMessage()));
      return Optional.empty();
    }
    if (manifest.orElse(null) instanceof Manifest.Commit commit) {
      return Optional.of(commit);
    }
    Optional<String> known =
        manifest.isEmpty() && !marked(id) ? Evidence.damage(id, run) : Optional.empty();
    if (known.isPresent()) {
      problems.add(run.keys().manifest(id) + ": " + known.get());
      return Optional.empty();
    }
    throw new CheckpointException.NotFound(
        "run '" + run.keys().run() + "' has no committed checkpoint " + id);
  }

  /** Whether nothing of it is left: who finished its deletion has removed the mark, too. */
  private boolean isGone(CheckpointId id) throws IOException {
    Keys keys = run.keys();
    return records.read(keys.manifest(id)).isEmpty()
        && run.keysUnder(keys.data(id), "").isEmpty()
        && run.keysUnder(keys.votes(id), "").isEmpty();
  }

  private boolean marked(CheckpointId id) throws IOException {
    return run.deleted().contains(id);
  }

  /** The votes that are whole, by rank. */
  private NavigableMap<Integer, Vote> votes(CheckpointId id, List<String> problems)
      throws IOException {
    NavigableMap<Integer, Vote> votes = new TreeMap<>();
    for (String key : run.keysUnder(run.keys().votes(id), "")) {
      try {
        Optional<Vote> vote = vote(records, run.keys(), id, key);
        vote.ifPresent(each -> votes.put(each.rank(), each));
      } catch (CheckpointException.Corrupt e) {
        problems.add(String.valueOf(e.getMessage()));
      }
    }
    return votes;
  }

  /**
   * Reads a vote on a checkpoint.
   *
   * @return empty if it is gone, or the key is none of a vote
   * @throws CheckpointException.Corrupt if it differs, or is that of another id or rank
   */
  static Optional<Vote> vote(Records records, Keys keys, CheckpointId id, String key)
      throws IOException {
    Matcher name = VOTE.matcher(key.substring(key.lastIndexOf('/') + 1));
    if (!name.matches() || !key.equals(keys.vote(id, Integer.parseInt(name.group(1))))) {
      return Optional.empty();
    }
    Optional<Vote> vote = records.read(key).map(bytes -> Vote.decode(key, bytes));
    if (vote.isPresent()
        && (!vote.get().id().equals(id) || vote.get().rank() != Integer.parseInt(name.group(1)))) {
      throw new CheckpointException.Corrupt(
          key + " is the vote of rank " + vote.get().rank() + " on " + vote.get().id());
    }
    return vote;
  }

  private void compare(
      Manifest.Commit commit, NavigableMap<Integer, Vote> votes, List<String> problems) {
    String key = run.keys().manifest(commit.id());
    if (votes.size() == commit.world() && votes.lastKey() == commit.world() - 1) {
      try {
        // both are canonical: equal values are equal bytes, but for fields of a newer minor version
        if (!Manifest.Commit.of(List.copyOf(votes.values())).equals(commit)) {
          problems.add(key + " is not what the votes of all " + commit.world() + " ranks make");
        }
      } catch (IllegalArgumentException e) {
        problems.add(key + " was committed, but the votes make no commit: " + e.getMessage());
      }
      return;
    }
    for (Vote vote : votes.values()) {
      if (!agree(vote, commit)) {
        problems.add(run.keys().vote(vote.id(), vote.rank()) + " does not agree with " + key);
      }
    }
  }

  private static boolean agree(Vote vote, Manifest.Commit commit) {
    List<ShardEntry> shards =
        commit.shards().stream().filter(shard -> shard.rank() == vote.rank()).toList();
    return vote.world() == commit.world()
        && vote.rank() < commit.world()
        && vote.parent().equals(commit.parent())
        && vote.seed() == commit.seed()
        && vote.progress().equals(commit.progress())
        && vote.shards().equals(shards)
        && (vote.finite() || !commit.finite())
        && (vote.rank() != 0
            || (vote.metrics().equals(commit.metrics())
                && vote.savedAt().equals(commit.committedAt())));
  }

  /** What was committed, if the votes of all ranks are whole and say so. */
  private Optional<Manifest.Commit> fromVotes(CheckpointId id, NavigableMap<Integer, Vote> votes) {
    try {
      Manifest made = Manifest.Commit.of(List.copyOf(votes.values()));
      return run.manifest(id, made.encode()) instanceof Manifest.Commit commit
          ? Optional.of(commit)
          : Optional.empty();
    } catch (IllegalArgumentException | CheckpointException.Corrupt e) {
      return Optional.empty();
    }
  }

  private void shards(Manifest.Commit commit, LongConsumer onBytes, List<String> problems)
      throws IOException {
    int before = problems.size();
    for (ShardEntry shard : commit.shards()) {
      problems.addAll(OpenCheckpoint.problems(store, commit, shard, formats, threads, onBytes));
    }
    if (problems.size() == before) {
      try {
        // the bytes are those that were written; that they mean something is for the reader to say
        OpenCheckpoint.open(store, commit, formats).close();
      } catch (CheckpointException.Corrupt e) {
        problems.add(String.valueOf(e.getMessage()));
      }
    }
  }
}
