package dev.ckpt.internal.mend;

import dev.ckpt.CheckpointException;
import dev.ckpt.internal.commit.Records;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.keep.Inventory;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads all of a run that a repair decides by, every byte of every shard, and changes nothing. */
final class Examination {

  private static final Pattern VOTE = Pattern.compile("/rank-(\\d{5})\\.json$");

  private final CheckpointStore store;
  private final RunLog run;
  private final Function<String, ShardFormat> formats;
  private final Records records;
  private final List<String> aside;

  Examination(CheckpointStore store, RunLog run, Function<String, ShardFormat> formats)
      throws IOException {
    this.store = store;
    this.run = run;
    this.formats = formats;
    this.records = new Records(store);
    this.aside = run.keysUnder(run.keys().quarantine(), "");
  }

  /** What the shards of a commit are. */
  enum Shards {
    WHOLE,
    DAMAGED,
    NEWER
  }

  /**
   * A record with what may prove its bytes.
   *
   * @param remains the damaged bytes under its key, and copies that a repair made before it was cut
   *     short
   * @param copies keys of those copies
   */
  record Found<T>(String key, Reading<T> reading, List<byte[]> remains, List<String> copies) {}

  /**
   * A checkpoint.
   *
   * @param commit what was committed: as it is there, or proven
   * @param proven the bytes of its decision, if they are not there and proven
   * @param why what is wrong with the shards; empty if they are whole, or there is no commit
   */
  record Examined(
      CheckpointId id,
      Found<Manifest> decision,
      NavigableMap<Integer, Found<Vote>> votes,
      Optional<Manifest.Commit> commit,
      Optional<byte[]> proven,
      Shards shards,
      String why) {

    /** Whether its decision cannot be read, or is gone, and nothing proves what it was. */
    boolean unproven() {
      return proven.isEmpty()
          && !(decision.reading() instanceof Reading.Whole<Manifest>)
          && !(decision.reading() instanceof Reading.Newer<Manifest>);
    }
  }

  /** Looks at an id that has, or had, a decision. */
  Examined examine(Inventory held, CheckpointId id) throws IOException {
    Found<Manifest> decision =
        found(Optional.of(id), held.keys().manifest(id), (key, bytes) -> run.manifest(id, bytes));
    NavigableMap<Integer, Found<Vote>> votes = new TreeMap<>();
    List<Vote> whole = new ArrayList<>();
    for (String key : voteKeys(held, id)) {
      Matcher name = VOTE.matcher(key);
      if (name.find()) {
        int rank = Integer.parseInt(name.group(1));
        Found<Vote> vote =
            found(Optional.of(id), key, (place, bytes) -> vote(id, rank, place, bytes));
        votes.put(rank, vote);
        if (vote.reading() instanceof Reading.Whole<Vote> read) {
          whole.add(read.value());
        }
      }
    }
    return examined(id, decision, votes, whole);
  }

  /**
   * Looks at an id that was committed, and whose decision is gone or cannot be read: proven is what
   * its votes make, if all of it is whole. If a vote or a shard is of a newer version, or of a
   * format that is not there, nobody can tell: the shards count as {@link Shards#NEWER}.
   */
  Examined examineLost(Inventory held, CheckpointId id) throws IOException {
    Examined without = examine(held, id);
    List<Vote> whole = new ArrayList<>();
    for (Found<Vote> vote : without.votes().values()) {
      if (vote.reading() instanceof Reading.Whole<Vote> read) {
        whole.add(read.value());
      } else if (vote.reading() instanceof Reading.Newer<Vote> newer) {
        return unreadable(without, newer.why());
      }
    }
    boolean all = whole.size() == without.votes().size();
    for (byte[] bytes :
        all
            ? readable(
                without.decision().key(), Proof.manifests(whole), (k, b) -> run.manifest(id, b))
            : List.<byte[]>of()) {
      if (run.manifest(id, bytes) instanceof Manifest.Commit commit) {
        Examined made = read(id, without.decision(), without.votes(), commit, Optional.of(bytes));
        if (made.shards() == Shards.WHOLE) {
          return made;
        } else if (made.shards() == Shards.NEWER) {
          return unreadable(without, made.why());
        }
      }
    }
    return without;
  }

  private static Examined unreadable(Examined without, String why) {
    return new Examined(
        without.id(),
        without.decision(),
        without.votes(),
        without.commit(),
        Optional.empty(),
        Shards.NEWER,
        why);
  }

  /** Votes that are there, and those that a repair had copied aside when it was cut short. */
  private Set<String> voteKeys(Inventory held, CheckpointId id) {
    Set<String> keys = new TreeSet<>();
    held.votes().getOrDefault(id, List.of()).forEach(file -> keys.add(file.key()));
    String copies = run.keys().quarantined(Optional.of(id), run.keys().votes(id));
    for (String copy : aside) {
      if (copy.startsWith(copies)) {
        keys.add(run.keys().votes(id) + copy.substring(copies.length()));
      }
    }
    return keys;
  }

  private Examined examined(
      CheckpointId id,
      Found<Manifest> decision,
      NavigableMap<Integer, Found<Vote>> votes,
      List<Vote> whole)
      throws IOException {
    Optional<byte[]> proven = Optional.empty();
    Optional<Manifest> manifest = Optional.empty();
    if (decision.reading() instanceof Reading.Whole<Manifest> there) {
      manifest = Optional.of(there.value());
    } else if (!(decision.reading() instanceof Reading.Newer<Manifest>)) {
      proven = provenManifest(id, decision, whole);
      manifest = proven.map(bytes -> run.manifest(id, bytes));
    }
    return manifest.orElse(null) instanceof Manifest.Commit commit
        ? read(id, decision, votes, commit, proven)
        : new Examined(id, decision, votes, Optional.empty(), proven, Shards.WHOLE, "");
  }

  private Examined read(
      CheckpointId id,
      Found<Manifest> decision,
      NavigableMap<Integer, Found<Vote>> votes,
      Manifest.Commit commit,
      Optional<byte[]> proven)
      throws IOException {
    Shards shards = Shards.WHOLE;
    String why = "";
    try {
      OpenCheckpoint.readBack(store, commit, formats);
      OpenCheckpoint.open(store, commit, formats).close();
    } catch (CheckpointException.Corrupt e) {
      shards = Shards.DAMAGED;
      why = String.valueOf(e.getMessage());
    } catch (NoSuchFileException e) {
      shards = Shards.DAMAGED;
      why = id + ": " + e.getMessage() + " went while it was read";
    } catch (CheckpointException.Incompatible e) {
      shards = Shards.NEWER;
      why = String.valueOf(e.getMessage());
    }
    return new Examined(id, decision, votes, Optional.of(commit), proven, shards, why);
  }

  private Optional<byte[]> provenManifest(
      CheckpointId id, Found<Manifest> decision, List<Vote> votes) {
    List<byte[]> candidates = new ArrayList<>(Proof.manifests(votes));
    candidates.addAll(Proof.cut(decision.remains()));
    return Proof.first(
        decision.remains(), readable(decision.key(), candidates, (k, b) -> run.manifest(id, b)));
  }

  /** Those that read as a record of that place. */
  static <T> List<byte[]> readable(
      String key, List<byte[]> candidates, BiFunction<String, byte[], T> decode) {
    List<byte[]> readable = new ArrayList<>();
    for (byte[] bytes : candidates) {
      try {
        if (decode.apply(key, bytes) != null) {
          readable.add(bytes);
        }
      } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
        // no candidate
        continue;
      }
    }
    return readable;
  }

  /** Looks at the attempt records. */
  NavigableMap<Integer, Found<AttemptRecord>> attempts() throws IOException {
    return numbered(run.keys().attempts(), run.keys()::attempt, Examination::attempt);
  }

  /** Looks at the resume records. */
  NavigableMap<Integer, Found<ResumeRecord>> resumes() throws IOException {
    return numbered(run.keys().resumes(), run.keys()::resume, Examination::resume);
  }

  /** Looks at the end records. */
  NavigableMap<Integer, Found<EndRecord>> ends() throws IOException {
    return numbered(run.keys().ends(), run.keys()::end, Examination::end);
  }

  private <T> NavigableMap<Integer, Found<T>> numbered(
      String folder,
      Function<Integer, String> keyOf,
      Function<Integer, BiFunction<String, byte[], T>> decode)
      throws IOException {
    NavigableMap<Integer, Found<T>> all = new TreeMap<>();
    List<String> keys = new ArrayList<>(run.keysUnder(folder, ""));
    keys.addAll(run.keysUnder(run.keys().quarantined(Optional.empty(), folder), ""));
    for (String key : keys) {
      Optional<Integer> number = run.keys().attemptOf(key);
      if (number.isPresent() && !all.containsKey(number.get())) {
        int attempt = number.get();
        all.put(attempt, found(Optional.empty(), keyOf.apply(attempt), decode.apply(attempt)));
      }
    }
    return all;
  }

  private <T> Found<T> found(
      Optional<CheckpointId> id, String key, BiFunction<String, byte[], T> decode)
      throws IOException {
    Reading<T> reading = Reading.of(records, key, decode);
    List<byte[]> remains = new ArrayList<>();
    if (reading instanceof Reading.Damaged<T> damaged) {
      remains.add(damaged.remains());
    }
    String copy = run.keys().quarantined(id, key);
    List<String> copies = aside.stream().filter(each -> Quarantine.isCopy(each, copy)).toList();
    for (String each : copies) {
      if (Reading.of(records, each, (k, bytes) -> bytes) instanceof Reading.Whole<byte[]> read) {
        remains.add(read.value());
      }
    }
    return new Found<>(key, reading, remains, copies);
  }

  static Vote vote(CheckpointId id, int rank, String key, byte[] bytes) {
    Vote vote = Vote.decode(key, bytes);
    if (!vote.id().equals(id) || vote.rank() != rank) {
      throw new CheckpointException.Corrupt(
          key + " is the vote of rank " + vote.rank() + " on " + vote.id());
    }
    return vote;
  }

  private static BiFunction<String, byte[], AttemptRecord> attempt(int number) {
    return own(number, AttemptRecord::decode, AttemptRecord::attempt);
  }

  static BiFunction<String, byte[], ResumeRecord> resume(int number) {
    return own(number, ResumeRecord::decode, ResumeRecord::attempt);
  }

  static BiFunction<String, byte[], EndRecord> end(int number) {
    return own(number, EndRecord::decode, EndRecord::attempt);
  }

  private static <T> BiFunction<String, byte[], T> own(
      int number, BiFunction<String, byte[], T> decode, ToIntFunction<T> says) {
    return (key, bytes) -> {
      T record = decode.apply(key, bytes);
      if (says.applyAsInt(record) != number) {
        throw new CheckpointException.Corrupt(
            key + " is the record of attempt " + says.applyAsInt(record));
      }
      return record;
    };
  }
}
