package dev.ckpt.internal.commit;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.ResumeRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * The tree of a run, computed from attempt and resume records alone: each attempt hangs on the
 * checkpoint that it applied. A late commit of a process that was given up lies on a branch that no
 * resume record leads to, so it is never the latest.
 *
 * @param attempts all attempts by number, without those whose record is damaged
 * @param resumes what those that started applied
 * @param damaged resume records that cannot be read: an error for who needs them
 * @param newest the greatest number that any record of the run bears; 0 if there is none
 */
public record Lineage(
    NavigableMap<Integer, AttemptRecord> attempts,
    NavigableMap<Integer, ResumeRecord> resumes,
    NavigableMap<Integer, CheckpointException.Corrupt> damaged,
    int newest) {

  public Lineage {
    attempts = new TreeMap<>(attempts);
    resumes = new TreeMap<>(resumes);
    damaged = new TreeMap<>(damaged);
  }

  /**
   * The attempt that the live branch ends in: the newest that has a resume record.
   *
   * @throws CheckpointException.Corrupt if that record is damaged
   */
  public OptionalInt head() {
    int head = resumes.isEmpty() ? 0 : resumes.lastKey();
    if (!damaged.isEmpty() && damaged.lastKey() > head) {
      throw damaged.lastEntry().getValue();
    }
    return head == 0 ? OptionalInt.empty() : OptionalInt.of(head);
  }

  /**
   * A way back through the tree.
   *
   * @param upTo the last id of each attempt that lies on it
   * @param damage what ends it before its root
   */
  public record Way(
      NavigableMap<Integer, CheckpointId> upTo, Optional<CheckpointException.Corrupt> damage) {

    /** Those of {@code ids} that lie on it, newest first. */
    public List<CheckpointId> of(NavigableSet<CheckpointId> ids) {
      List<CheckpointId> on = new ArrayList<>();
      for (CheckpointId last : upTo.descendingMap().values()) {
        CheckpointId first = new CheckpointId(last.attempt(), 0, 0);
        on.addAll(ids.subSet(first, true, last, true).descendingSet());
      }
      return on;
    }
  }

  /** The way from the end of an attempt to its root, or as far as the records can be read. */
  public Way way(int head) {
    NavigableMap<Integer, CheckpointId> way = new TreeMap<>();
    CheckpointId upTo = CheckpointId.last(head);
    while (true) {
      way.put(upTo.attempt(), upTo);
      Optional<CheckpointId> applied;
      try {
        applied = applied(upTo.attempt());
      } catch (CheckpointException.Corrupt e) {
        return new Way(way, Optional.of(e));
      }
      if (applied.isEmpty()) {
        return new Way(way, Optional.empty());
      }
      if (applied.get().attempt() >= upTo.attempt()) {
        return new Way(
            way,
            Optional.of(
                new CheckpointException.Corrupt(
                    "attempt "
                        + upTo.attempt()
                        + " claims to have resumed from its future "
                        + applied.get())));
      }
      upTo = applied.get();
    }
  }

  /**
   * Those of {@code ids} on the branch that ends in {@code head}, newest first.
   *
   * @throws CheckpointException.Corrupt if a record on the way is damaged
   */
  public List<CheckpointId> branch(int head, NavigableSet<CheckpointId> ids) {
    Way way = way(head);
    if (way.damage().isPresent()) {
      throw way.damage().get();
    }
    return way.of(ids);
  }

  /** The live branch, newest first; empty if no attempt has started yet. */
  public List<CheckpointId> live(NavigableSet<CheckpointId> ids) {
    return head().isPresent() ? branch(head().getAsInt(), ids) : List.of();
  }

  /** What it was when that attempt was the newest. */
  public Lineage upTo(int attempt) {
    return new Lineage(
        attempts.headMap(attempt, true),
        resumes.headMap(attempt, true),
        damaged.headMap(attempt, true),
        newest);
  }

  /** The newest attempt that was asked to start fresh, and did; 1 if there is none. */
  public int lastNever() {
    for (AttemptRecord attempt : attempts.descendingMap().values()) {
      ResumeRecord resume = resumes.get(attempt.attempt());
      if (resume != null
          && resume.applied().isEmpty()
          && attempt.request().equals(new Resume.Never().text())) {
        return attempt.attempt();
      }
    }
    return 1;
  }

  /**
   * The seed that an attempt recorded, if its record can be read: what it committed says it too.
   */
  public Optional<Long> seed(int attempt) {
    return Optional.ofNullable(attempts.get(attempt)).map(AttemptRecord::seed);
  }

  /**
   * What an attempt resumed from; empty if it started fresh, or has not started.
   *
   * @throws CheckpointException.Corrupt if its record is damaged
   */
  public Optional<CheckpointId> applied(int attempt) {
    CheckpointException.Corrupt damage = damaged.get(attempt);
    if (damage != null) {
      throw damage;
    }
    ResumeRecord resume = resumes.get(attempt);
    return resume == null ? Optional.empty() : resume.applied();
  }
}
