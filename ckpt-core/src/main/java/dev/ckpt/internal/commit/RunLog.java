package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.manifest.Vote;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiFunction;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads and writes the records of one run. Blocks as its store does; thread-safe. */
public final class RunLog {
  private static final Logger log = LoggerFactory.getLogger(RunLog.class);

  private final CheckpointStore store;
  private final Keys keys;
  private final Records records;
  private final Map<String, AttemptRecord> knownAttempts = new ConcurrentHashMap<>();
  private final Map<String, ResumeRecord> knownResumes = new ConcurrentHashMap<>();
  private volatile boolean remembers;

  public RunLog(CheckpointStore store, Keys keys) {
    this.store = store;
    this.keys = keys;
    this.records = new Records(store);
  }

  /**
   * One that reads each record of an attempt once, until {@link #forget}: a start looks at all of
   * them several times, and there may be thousands. Which there are is asked each time; what is
   * whole never changes.
   */
  public static RunLog remembering(CheckpointStore store, Keys keys) {
    RunLog log = new RunLog(store, keys);
    log.remembers = true;
    return log;
  }

  /** Reads everything anew from now on, and holds nothing. */
  public void forget() {
    remembers = false;
    knownAttempts.clear();
    knownResumes.clear();
  }

  /** Where its records lie. */
  public Keys keys() {
    return keys;
  }

  /**
   * All attempts and what they applied. A damaged record is no error here: of an attempt it costs
   * only what people would like to know, of a resume it matters to who goes back through it.
   */
  public Lineage lineage() throws IOException {
    return lineage(idsUnder(keys.manifests()));
  }

  /**
   * As {@link #lineage()}, for who has listed the manifests.
   *
   * @param ids all that a manifest decides about, also those marked deleted
   */
  public Lineage lineage(NavigableSet<CheckpointId> ids) throws IOException {
    NavigableMap<Integer, CheckpointException.Corrupt> lostAttempts = new TreeMap<>();
    NavigableMap<Integer, CheckpointException.Corrupt> damaged = new TreeMap<>();
    NavigableMap<Integer, AttemptRecord> attempts =
        numbered(
            keys.attempts(),
            AttemptRecord::decode,
            AttemptRecord::attempt,
            knownAttempts,
            lostAttempts);
    NavigableMap<Integer, ResumeRecord> resumes = resumes(damaged);
    damaged.putAll(cutShort(resumes, damaged));
    lostAttempts.forEach(
        (attempt, damage) ->
            log.warn(
                "passed over a damaged record, {}; it costs no checkpoint", keys.attempt(attempt)));
    int newest =
        Stream.of(attempts, lostAttempts, resumes, damaged)
            .filter(records -> !records.isEmpty())
            .mapToInt(NavigableMap::lastKey)
            .max()
            .orElse(0);
    return new Lineage(
        attempts,
        resumes,
        damaged,
        ids.isEmpty() ? newest : Math.max(newest, ids.last().attempt()));
  }

  /** Resume records that a repair copied aside and did not live to write again. */
  private NavigableMap<Integer, CheckpointException.Corrupt> cutShort(
      NavigableMap<Integer, ResumeRecord> resumes,
      NavigableMap<Integer, CheckpointException.Corrupt> damaged)
      throws IOException {
    NavigableMap<Integer, CheckpointException.Corrupt> lost = new TreeMap<>();
    for (String key : keysUnder(keys.quarantined(Optional.empty(), keys.resumes()), "")) {
      int attempt = keys.attemptOf(key).orElse(0);
      if (attempt > 0 && !resumes.containsKey(attempt) && !damaged.containsKey(attempt)) {
        lost.put(
            attempt,
            new CheckpointException.Corrupt(
                keys.resume(attempt)
                    + " is missing: its repair was cut short. Repair the run again; or resume from"
                    + " a checkpoint by its id, or start over with 'never'"));
      }
    }
    return lost;
  }

  /** The resume records that can be read. */
  public Collection<ResumeRecord> resumed() throws IOException {
    return resumes(new TreeMap<>()).values();
  }

  private NavigableMap<Integer, ResumeRecord> resumes(
      Map<Integer, CheckpointException.Corrupt> damaged) throws IOException {
    return numbered(
        keys.resumes(), ResumeRecord::decode, ResumeRecord::attempt, knownResumes, damaged);
  }

  /**
   * The votes on an id that can be read.
   *
   * @param folder where they lie, or what a repair copied of them
   */
  public List<Vote> votes(CheckpointId id, String folder) throws IOException {
    List<Vote> votes = new ArrayList<>();
    for (String key : keysUnder(folder, "")) {
      readable(key, Vote::decode)
          .filter(vote -> vote.id().equals(id))
          .filter(vote -> key.startsWith(folder + lastSegment(keys.vote(id, vote.rank()))))
          .ifPresent(votes::add);
    }
    return votes;
  }

  /** The commits of an id that a repair copied aside, as far as they can be read. */
  public List<Manifest.Commit> quarantined(CheckpointId id) throws IOException {
    List<Manifest.Commit> commits = new ArrayList<>();
    for (String key : keysUnder(keys.quarantined(Optional.of(id), keys.manifests()), "")) {
      if (readable(key, Manifest::decode).orElse(null) instanceof Manifest.Commit commit
          && commit.id().equals(id)) {
        commits.add(commit);
      }
    }
    return commits;
  }

  /** What cannot be read tells nothing; `verify` names it. */
  private <T> Optional<T> readable(String key, BiFunction<String, byte[], T> decode)
      throws IOException {
    try {
      return records.read(key).map(bytes -> decode.apply(key, bytes));
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      log.debug("{} tells nothing", key, e);
      return Optional.empty();
    }
  }

  private static String lastSegment(String key) {
    return key.substring(key.lastIndexOf('/') + 1);
  }

  private <T> NavigableMap<Integer, T> numbered(
      String folder,
      BiFunction<String, byte[], T> decode,
      ToIntFunction<T> number,
      Map<String, T> known,
      Map<Integer, CheckpointException.Corrupt> damaged)
      throws IOException {
    NavigableMap<Integer, String> listed = new TreeMap<>();
    for (String key : keysUnder(folder, "")) {
      keys.attemptOf(key).ifPresent(attempt -> listed.put(attempt, key));
    }
    NavigableMap<Integer, T> all = new TreeMap<>();
    for (Numbered<T> each :
        SharedWork.map(
            List.copyOf(listed.entrySet()),
            entry -> numbered(entry.getKey(), entry.getValue(), decode, number, known))) {
      each.record().ifPresent(record -> all.put(each.attempt(), record));
      each.damage().ifPresent(damage -> damaged.put(each.attempt(), damage));
    }
    return all;
  }

  /** A record of an attempt, or what is wrong with it; neither, if it went. */
  private record Numbered<T>(
      int attempt, Optional<T> record, Optional<CheckpointException.Corrupt> damage) {}

  private <T> Numbered<T> numbered(
      int attempt,
      String key,
      BiFunction<String, byte[], T> decode,
      ToIntFunction<T> number,
      Map<String, T> known)
      throws IOException {
    T before = known.get(key);
    if (before != null) {
      return new Numbered<>(attempt, Optional.of(before), Optional.empty());
    }
    Optional<byte[]> bytes = records.read(key);
    if (bytes.isEmpty()) {
      return new Numbered<>(attempt, Optional.empty(), Optional.empty());
    }
    try {
      T record = decode.apply(key, bytes.get());
      requireOwn(key, attempt, number.applyAsInt(record));
      if (remembers) {
        known.put(key, record);
      }
      return new Numbered<>(attempt, Optional.of(record), Optional.empty());
    } catch (CheckpointException.Corrupt e) {
      return new Numbered<>(
          attempt,
          Optional.empty(),
          Optional.of(
              new CheckpointException.Corrupt(
                  e.getMessage()
                      + ". `ckpt repair` writes it again if its bytes can be proven; else resume"
                      + " from a checkpoint by its id, or start over with 'never'",
                  e)));
    }
  }

  /**
   * Fails if a record is not that of the attempt whose key it stands under.
   *
   * @throws CheckpointException.Corrupt naming both
   */
  public static void requireOwn(String key, int attempt, int says) {
    if (says != attempt) {
      throw new CheckpointException.Corrupt(
          key + " is the record of attempt " + says + ": it was copied or moved here");
    }
  }

  /**
   * Takes the next attempt.
   *
   * @return whether it is now this process's
   */
  public boolean take(AttemptRecord attempt) throws IOException {
    return records.put(keys.attempt(attempt.attempt()), attempt.encode()) == Records.Outcome.OURS;
  }

  /**
   * Fails if a newer attempt has taken the run over.
   *
   * @throws CheckpointException.Fenced naming it
   */
  public void checkNotFenced(int attempt) throws IOException {
    Optional<String> newer = attemptAfter(attempt);
    if (newer.isPresent()) {
      throw new CheckpointException.Fenced(
          "run '"
              + keys.run()
              + "' was taken over by "
              + newer.get()
              + " while this was attempt "
              + attempt
              + "; stop this process, its work since then is not used");
    }
  }

  /** The key of an attempt that is newer than that one, if there is any. */
  public Optional<String> attemptAfter(int attempt) throws IOException {
    return keysUnder(keys.attempts(), keys.attempt(attempt)).stream()
        .filter(key -> keys.attemptOf(key).isPresent())
        .findFirst();
  }

  /** The greatest number that is taken as an attempt, readable or not; 0 if there is none. */
  public int newestAttempt() throws IOException {
    return keysUnder(keys.attempts(), "").stream()
        .flatMap(key -> keys.attemptOf(key).stream())
        .mapToInt(Integer::intValue)
        .max()
        .orElse(0);
  }

  /** Records what the attempt applies. */
  public void resumed(ResumeRecord resume) throws IOException {
    if (records.put(keys.resume(resume.attempt()), resume.encode()) == Records.Outcome.OTHER) {
      throw new CheckpointException.Fenced(
          keys.resume(resume.attempt()) + " was written by somebody else; stop this process");
    }
  }

  /** Records how the attempt ended; the first word stands. */
  public void ended(EndRecord end) throws IOException {
    records.put(keys.end(end.attempt()), end.encode());
  }

  /**
   * How attempts ended, of those that said so.
   *
   * @param most looks at so many, the newest
   */
  public NavigableMap<Integer, EndRecord> ends(int most) throws IOException {
    NavigableMap<Integer, EndRecord> ends = new TreeMap<>();
    List<String> written = keysUnder(keys.ends(), "");
    for (String key : written.subList(Math.max(0, written.size() - most), written.size())) {
      Optional<Integer> attempt = keys.attemptOf(key);
      if (attempt.isPresent()) {
        end(attempt.get()).ifPresent(end -> ends.put(attempt.get(), end));
      }
    }
    return ends;
  }

  /** How an attempt ended, if it said so. */
  public Optional<EndRecord> end(int attempt) throws IOException {
    String key = keys.end(attempt);
    try {
      return readEnd(attempt);
    } catch (CheckpointException.Corrupt e) {
      // who trains on from the final state of a completed run finds that nothing is left to do
      log.warn("passed over a damaged record: {}", e.getMessage());
      return Optional.empty();
    }
  }

  /**
   * How one of many attempts ended.
   *
   * @param end empty if it did not say so, or that cannot be read
   * @param unreadable why not: corrupt, or of a newer version
   */
  public record Ended(
      int attempt, Optional<EndRecord> end, Optional<CheckpointException> unreadable) {}

  /** How these attempts ended, in their order; reads by several threads. */
  public List<Ended> ends(Collection<Integer> attempts) throws IOException {
    return SharedWork.map(List.copyOf(attempts), this::ended);
  }

  private Ended ended(int attempt) throws IOException {
    try {
      return new Ended(attempt, readEnd(attempt), Optional.empty());
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return new Ended(attempt, Optional.empty(), Optional.of(e));
    }
  }

  /** Whether an attempt said that the run reached its goal. */
  public boolean isCompleted(int attempt) throws IOException {
    return end(attempt).filter(end -> end.how().equals(EndRecord.COMPLETED)).isPresent();
  }

  /**
   * How an attempt ended, if it said so.
   *
   * @throws CheckpointException.Corrupt if its record is damaged
   */
  public Optional<EndRecord> readEnd(int attempt) throws IOException {
    String key = keys.end(attempt);
    Optional<EndRecord> end = records.read(key).map(bytes -> EndRecord.decode(key, bytes));
    end.ifPresent(record -> requireOwn(key, attempt, record.attempt()));
    return end;
  }

  /**
   * How a branch reached its goal.
   *
   * @param last the checkpoint that holds the final state: who starts from another one has work
   *     left; empty if nobody can tell
   */
  public record Completion(EndRecord end, Optional<CheckpointId> last) {}

  /**
   * The end of the branch, if it is one that reached its goal: attempts that only looked at the
   * final state of a completed run, and committed nothing, leave it completed.
   *
   * @param lost ids that were committed and have no decision now
   */
  public Optional<Completion> completed(Lineage lineage, int head, Collection<CheckpointId> lost)
      throws IOException {
    NavigableSet<CheckpointId> ids = decided();
    ids.addAll(lost);
    int attempt = head;
    while (true) {
      Optional<EndRecord> end = end(attempt);
      // behind a damaged record nothing is known, and nobody is kept from going on for that
      Optional<CheckpointId> applied =
          Optional.ofNullable(lineage.resumes().get(attempt)).flatMap(ResumeRecord::applied);
      Optional<CheckpointId> last = lastCommitted(attempt, ids);
      if (end.filter(each -> each.how().equals(EndRecord.COMPLETED)).isPresent()) {
        return Optional.of(
            new Completion(end.get(), last.or(() -> applied).filter(id -> fits(end.get(), id))));
      }
      if (last.isPresent() || applied.isEmpty() || applied.get().attempt() >= attempt) {
        return Optional.empty();
      }
      if (!applied.equals(lastCommitted(applied.get().attempt(), ids))) {
        return Optional.empty();
      }
      attempt = applied.get().attempt();
    }
  }

  /** Of a last state that left nothing behind only the end tells at which step it was. */
  private static boolean fits(EndRecord end, CheckpointId last) {
    return end.step().isEmpty() || end.step().getAsLong() <= last.step();
  }

  /** The newest that an attempt committed, also if it is damaged by now, or was moved aside. */
  private Optional<CheckpointId> lastCommitted(int attempt, NavigableSet<CheckpointId> ids)
      throws IOException {
    NavigableSet<CheckpointId> own =
        ids.subSet(new CheckpointId(attempt, 0, 0), true, CheckpointId.last(attempt), true);
    for (CheckpointId id : own.descendingSet()) {
      if (!isGivenUp(id)) {
        return Optional.of(id);
      }
    }
    return Optional.empty();
  }

  private boolean isGivenUp(CheckpointId id) throws IOException {
    try {
      return manifest(id).orElse(null) instanceof Manifest.Abort abort
          && !Committer.isWithdrawn(abort)
          && !quarantined().contains(id);
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return false;
    }
  }

  /** Whether an id was given up, as far as anybody can read: then it was never saved. */
  public boolean isAborted(CheckpointId id) throws IOException {
    try {
      return manifest(id).orElse(null) instanceof Manifest.Abort;
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return false;
    }
  }

  /** The commit of an id, as far as anybody can read it. */
  public Optional<Manifest.Commit> readableCommit(CheckpointId id) throws IOException {
    try {
      return manifest(id)
          .filter(Manifest.Commit.class::isInstance)
          .map(Manifest.Commit.class::cast);
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return Optional.empty();
    }
  }

  /** Ids that a manifest decides about and that are not marked deleted. */
  public NavigableSet<CheckpointId> decided() throws IOException {
    NavigableSet<CheckpointId> ids = idsUnder(keys.manifests());
    ids.removeAll(idsUnder(keys.deleted()));
    return ids;
  }

  /** Ids whose decision a repair has moved aside: of what they were, nothing can be used. */
  public NavigableSet<CheckpointId> quarantined() throws IOException {
    NavigableSet<CheckpointId> ids = new TreeSet<>();
    for (String key : keysUnder(keys.quarantine(), "")) {
      keys.quarantinedManifest(key).ifPresent(ids::add);
    }
    return ids;
  }

  /** Whether an id has shards or votes, and nothing that decides, marks or holds it aside. */
  public boolean isUndecided(CheckpointId id) throws IOException {
    boolean files =
        !keysUnder(keys.data(id), "").isEmpty() || !keysUnder(keys.votes(id), "").isEmpty();
    return files
        && records.read(keys.manifest(id)).isEmpty()
        && !deleted().contains(id)
        && !quarantined().contains(id);
  }

  /** Ids that are marked deleted. */
  public NavigableSet<CheckpointId> deleted() throws IOException {
    return idsUnder(keys.deleted());
  }

  /** Ids that somebody pinned. */
  public NavigableSet<CheckpointId> pinned() throws IOException {
    return idsUnder(keys.pins());
  }

  /** The ids that keys under a folder are about. */
  public NavigableSet<CheckpointId> idsUnder(String folder) throws IOException {
    NavigableSet<CheckpointId> ids = new TreeSet<>();
    for (String key : keysUnder(folder, "")) {
      keys.idOf(key).ifPresent(ids::add);
    }
    return ids;
  }

  /**
   * The decision about a checkpoint.
   *
   * @return empty if there is none
   * @throws CheckpointException.Corrupt if a bit of it differs, it is about another checkpoint, or
   *     it names a file that cannot be a shard of this run
   * @throws CheckpointException.Incompatible if a newer version wrote it
   */
  public Optional<Manifest> manifest(CheckpointId id) throws IOException {
    return records.read(keys.manifest(id)).map(bytes -> manifest(id, bytes));
  }

  /** The decision about a checkpoint, from its bytes; fails as {@link #manifest(CheckpointId)}. */
  public Manifest manifest(CheckpointId id, byte[] bytes) {
    String key = keys.manifest(id);
    Manifest manifest = Manifest.decode(key, bytes);
    if (!manifest.id().equals(id)) {
      throw new CheckpointException.Corrupt(key + " is about " + manifest.id());
    }
    if (manifest instanceof Manifest.Commit commit) {
      commit.shards().forEach(shard -> requireShard(key, shard.key()));
    }
    return manifest;
  }

  /**
   * What became of reading one decision.
   *
   * @param manifest the decision; empty if there is none, or it cannot be read
   * @param unreadable why not: corrupt, or of a newer version
   */
  public record Decision(
      CheckpointId id, Optional<Manifest> manifest, Optional<CheckpointException> unreadable) {}

  /** The decisions about many checkpoints, in their order; reads by several threads. */
  public List<Decision> decisions(Collection<CheckpointId> ids) throws IOException {
    return SharedWork.map(List.copyOf(ids), this::decision);
  }

  private Decision decision(CheckpointId id) throws IOException {
    try {
      return new Decision(id, manifest(id), Optional.empty());
    } catch (CheckpointException.Corrupt | CheckpointException.Incompatible e) {
      return new Decision(id, Optional.empty(), Optional.of(e));
    }
  }

  /** The run whose shards a commit names, whatever run it lies in; empty if nothing tells. */
  public Optional<String> namedBy(CheckpointId id) throws IOException {
    return readable(keys.manifest(id), Manifest::decode)
        .filter(Manifest.Commit.class::isInstance)
        .flatMap(commit -> ((Manifest.Commit) commit).shards().stream().findFirst())
        .flatMap(shard -> Keys.runOf(shard.key()));
  }

  /** What a manifest names is deleted with it one day: nothing else of the store may be. */
  private void requireShard(String manifest, String key) {
    try {
      if (CheckpointStore.requireKey(key).startsWith(keys.data())) {
        return;
      }
    } catch (IllegalArgumentException e) {
      throw new CheckpointException.Corrupt(manifest + ": " + e.getMessage(), e);
    }
    throw new CheckpointException.Corrupt(
        manifest
            + " names "
            + key
            + ", which is no shard of run '"
            + keys.run()
            + "'"
            + Keys.runOf(key)
                .map(
                    run ->
                        ": a run keeps its name, so if its folder was renamed or copied, call it '"
                            + run
                            + "' again (a copy goes into another store)")
                .orElse(""));
  }

  /** All keys under a folder, sorted. */
  public List<String> keysUnder(String folder, String after) throws IOException {
    try (Stream<CheckpointStore.Entry> entries = store.list(folder, after)) {
      return entries.map(CheckpointStore.Entry::key).toList();
    }
  }
}
