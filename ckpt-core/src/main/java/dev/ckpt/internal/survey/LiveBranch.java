package dev.ckpt.internal.survey;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/**
 * The live branch as far as it can be told: of a damaged record no more is lost than what lies
 * behind it.
 */
final class LiveBranch {
  private final Lineage lineage;
  private final int head;
  private final NavigableMap<Integer, CheckpointId> upTo;
  private final Optional<String> damage;

  private LiveBranch(Lineage lineage, int head, Lineage.Way way) {
    this.lineage = lineage;
    this.head = head;
    this.upTo = way.upTo();
    this.damage = way.damage().map(e -> String.valueOf(e.getMessage()));
  }

  static LiveBranch of(Lineage lineage) {
    try {
      OptionalInt head = lineage.head();
      return head.isPresent()
          ? new LiveBranch(lineage, head.getAsInt(), lineage.way(head.getAsInt()))
          : new LiveBranch(lineage, 0, new Lineage.Way(new TreeMap<>(), Optional.empty()));
    } catch (CheckpointException.Corrupt e) {
      return new LiveBranch(lineage, 0, new Lineage.Way(new TreeMap<>(), Optional.of(e)));
    }
  }

  /** The attempt that it ends in; 0 if there is none, or nobody can tell. */
  int head() {
    return head;
  }

  /** Whether an attempt lies on it, as far as is known. */
  boolean contains(int attempt) {
    return upTo.containsKey(attempt);
  }

  boolean contains(CheckpointId id) {
    CheckpointId last = upTo.get(id.attempt());
    return last != null && id.compareTo(last) <= 0;
  }

  /** The checkpoint of an attempt that the branch went on from; empty for the last attempt. */
  Optional<CheckpointId> leftAt(int attempt) {
    return attempt == head ? Optional.empty() : Optional.ofNullable(upTo.get(attempt));
  }

  /** Whether a damaged or missing record keeps anybody from telling if an attempt lies on it. */
  boolean isUnknown(int attempt) {
    return hasNoBeginning(attempt)
        || damage.isPresent() && (upTo.isEmpty() || attempt < upTo.firstKey());
  }

  /** The record of what an attempt began with is there before it commits anything. */
  private boolean hasNoBeginning(int attempt) {
    return damage.isEmpty()
        && upTo.higherKey(attempt) == null
        && !upTo.containsKey(attempt)
        && !lineage.damaged().containsKey(attempt);
  }

  /** Why a committed checkpoint does not lie on it, in one sentence. */
  String whyNot(Manifest.Commit commit) {
    int attempt = commit.id().attempt();
    if (hasNoBeginning(attempt)) {
      return "attempt "
          + attempt
          + " has no record of what it resumed from, so nobody can tell where it belongs";
    }
    return isUnknown(attempt)
        ? "whether it is live cannot be told: " + damage.orElse("")
        : left(commit, Objects.requireNonNull(upTo.higherKey(attempt)));
  }

  private String left(Manifest.Commit commit, int by) {
    CheckpointId id = commit.id();
    ResumeRecord resume = lineage.resumes().get(by);
    AttemptRecord attempt = lineage.attempts().get(by);
    if (resume != null) {
      String passed = id + ":";
      for (String skipped : resume.skipped()) {
        if (skipped.startsWith(passed)) {
          return "attempt " + by + " passed over it: " + skipped.substring(passed.length()).strip();
        }
      }
    }
    // who asks for the latest takes the newest there is: what it did not take was not there yet
    boolean latest =
        attempt != null
            && (attempt.request().equals(new Resume.Auto().text())
                || attempt.request().equals(new Resume.Required().text()));
    boolean later = attempt != null && commit.committedAt().isAfter(attempt.startedAt());
    if (latest || later) {
      return "committed by attempt "
          + id.attempt()
          + " after attempt "
          + by
          + " had gone on without it";
    }
    Optional<CheckpointId> applied =
        resume == null ? Optional.<CheckpointId>empty() : resume.applied();
    return applied
        .map(to -> "attempt " + by + " went back to " + to + " and left it")
        .orElse("attempt " + by + " started afresh and left it");
  }
}
