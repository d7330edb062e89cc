package dev.ckpt.internal.survey;

import dev.ckpt.CheckpointException;
import dev.ckpt.Verification;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.Records;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.restore.Restorer;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Looks at all records of a run that are not part of one checkpoint's own bytes. */
public final class RecordCheck {

  /** Reads a record and fails if it is not what its key says. */
  private interface Decoder {
    void decode(String key, int attempt, byte[] bytes);
  }

  private final CheckpointStore store;
  private final RunLog run;
  private final Records records;
  private final List<String> problems = new ArrayList<>();
  private long bytes;

  private RecordCheck(CheckpointStore store, RunLog run) {
    this.store = store;
    this.run = run;
    this.records = new Records(store);
  }

  /**
   * Looks at them.
   *
   * @return its id is the run's name
   * @throws CheckpointException.Incompatible if a newer version wrote one
   */
  public static Verification of(CheckpointStore store, RunLog run) throws IOException {
    return new RecordCheck(store, run).check();
  }

  private Verification check() throws IOException {
    Keys keys = run.keys();
    Set<Integer> attempts =
        numbered(
            keys.attempts(),
            (key, attempt, bytes) ->
                RunLog.requireOwn(key, attempt, AttemptRecord.decode(key, bytes).attempt()));
    Set<Integer> resumes = numbered(keys.resumes(), RecordCheck::resume);
    NavigableMap<Integer, String> started = new TreeMap<>();
    Map<Integer, EndRecord> completed = new TreeMap<>();
    Set<Integer> ends =
        numbered(
            keys.ends(),
            (key, attempt, bytes) -> {
              EndRecord end = EndRecord.decode(key, bytes);
              RunLog.requireOwn(key, attempt, end.attempt());
              if (end.how().equals(EndRecord.COMPLETED)) {
                completed.put(attempt, end);
              }
              // an attempt may fail, or be fenced, before it began
              if (!end.how().equals(EndRecord.FAILED) && end.cause().isEmpty()) {
                started.put(attempt, "it ended");
              }
            });
    Set<CheckpointId> committed = new HashSet<>();
    for (CheckpointId id : run.idsUnder(keys.manifests())) {
      if (isCommit(id)) {
        committed.add(id);
        started.put(id.attempt(), "it committed " + id);
      }
    }
    // what has a file of an attempt in it was saved by it, committed or not
    for (String folder : List.of(keys.data(), keys.votes())) {
      for (CheckpointId id : run.idsUnder(folder)) {
        started.putIfAbsent(id.attempt(), "it saved files of " + id);
      }
    }
    for (Map.Entry<Integer, String> each : started.entrySet()) {
      int attempt = each.getKey();
      require(resumes, attempt, keys.resume(attempt), each.getValue());
    }
    resumes.forEach(attempt -> started.putIfAbsent(attempt, "it started"));
    ends.forEach(attempt -> started.putIfAbsent(attempt, "it ended"));
    for (Map.Entry<Integer, String> each : started.entrySet()) {
      int attempt = each.getKey();
      require(attempts, attempt, keys.attempt(attempt), each.getValue());
    }
    requireLastState(completed);
    committed.removeAll(run.deleted());
    votesBesides(committed);
    requireAnythingLive(committed);
    return new Verification(keys.run(), bytes, problems);
  }

  private static void resume(String key, int attempt, byte[] bytes) {
    ResumeRecord resume = ResumeRecord.decode(key, bytes);
    RunLog.requireOwn(key, attempt, resume.attempt());
    if (resume.applied().filter(id -> id.attempt() >= attempt).isPresent()) {
      throw new CheckpointException.Corrupt(
          key + " claims that attempt " + attempt + " resumed from its future " + resume.applied());
    }
  }

  private void require(Set<Integer> there, int attempt, String key, String why) throws IOException {
    // it may have come since the folder was listed
    if (!there.contains(attempt) && records.read(key).isEmpty()) {
      problems.add(key + " is missing, although attempt " + attempt + " was there: " + why);
    }
  }

  /**
   * That a run reached its goal is recorded behind the commit of its last state, which stays until
   * something newer is committed. So it is asked for where the live branch ends: a run that went on
   * to a larger goal, or went back, has let go of the states in which it was completed before.
   */
  private void requireLastState(Map<Integer, EndRecord> completed) throws IOException {
    Lineage lineage;
    int head;
    try {
      lineage = run.lineage();
      head = lineage.head().orElse(0);
    } catch (CheckpointException.Corrupt e) {
      return; // said already
    }
    EndRecord end = completed.get(head);
    if (end == null) {
      return;
    }
    NavigableSet<CheckpointId> known = new TreeSet<>(run.quarantined());
    Keys keys = run.keys();
    for (String folder : List.of(keys.manifests(), keys.deleted(), keys.data(), keys.votes())) {
      known.addAll(run.idsUnder(folder));
    }
    List<CheckpointId> branch = lineage.way(head).of(known);
    if (branch.isEmpty() || branch.get(0).step() < end.step().orElse(0)) {
      problems.add(
          keys.end(head)
              + " says that the run was completed"
              + (end.step().isPresent() ? " at step " + end.step().getAsLong() : "")
              + ", and no checkpoint of that is there");
    }
  }

  /** A look at a run of which nothing is left proves nothing, unless a start begins it afresh. */
  private void requireAnythingLive(Set<CheckpointId> committed) throws IOException {
    if (problems.isEmpty() && run.lineage().live(new TreeSet<>(committed)).isEmpty()) {
      Restorer.whyNotFresh(store, run).ifPresent(problems::add);
    }
  }

  /** Checks the records of one folder; returns whose there are, whole or not. */
  private Set<Integer> numbered(String folder, Decoder decoder) throws IOException {
    Set<Integer> numbers = new TreeSet<>();
    for (String key : run.keysUnder(folder, "")) {
      Optional<Integer> attempt = run.keys().attemptOf(key);
      if (attempt.isPresent() && key.lastIndexOf('/') == folder.length() - 1) {
        numbers.add(attempt.get());
        try {
          read(key).ifPresent(read -> decoder.decode(key, attempt.get(), read));
        } catch (CheckpointException.Corrupt e) {
          problems.add(String.valueOf(e.getMessage()));
        }
      }
    }
    return numbers;
  }

  private boolean isCommit(CheckpointId id) throws IOException {
    try {
      Optional<byte[]> read = read(run.keys().manifest(id));
      return read.isPresent() && run.manifest(id, read.get()) instanceof Manifest.Commit;
    } catch (CheckpointException.Corrupt e) {
      problems.add(String.valueOf(e.getMessage()));
      return false;
    }
  }

  /** The votes that no look at a checkpoint comes upon. */
  private void votesBesides(Set<CheckpointId> committed) throws IOException {
    for (String key : run.keysUnder(run.keys().votes(), "")) {
      Optional<CheckpointId> id = run.keys().idOf(key);
      if (id.isPresent() && !committed.contains(id.get())) {
        try {
          Verifier.vote(records, run.keys(), id.get(), key);
        } catch (CheckpointException.Corrupt e) {
          problems.add(String.valueOf(e.getMessage()));
        }
      }
    }
  }

  private Optional<byte[]> read(String key) throws IOException {
    Optional<byte[]> read = records.read(key);
    read.ifPresent(each -> bytes += each.length);
    return read;
  }
}
