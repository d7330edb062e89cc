package dev.ckpt.internal.survey;

import dev.ckpt.Attempt;
import dev.ckpt.Attempt.End;
import dev.ckpt.internal.commit.Admission;
import dev.ckpt.internal.commit.Lineage;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.commit.Workplace;
import dev.ckpt.manifest.AttemptRecord;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.EndRecord;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ResumeRecord;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/** The attempts of a run: where each began, how far it came, how it ended, what was lost. */
public final class AttemptLog {

  /** How one ended, with what there is to say of it. */
  private record Ending(End end, String what, Optional<Instant> gone) {}

  /** What an attempt began with, and what there still is of what it committed. */
  private record Own(
      Optional<ResumeRecord> resume,
      boolean damaged,
      NavigableMap<CheckpointId, Manifest.Commit> commits,
      Optional<CheckpointId> goneOnFrom) {

    /** The newest that is there, or that a later attempt went on from before it was deleted. */
    Optional<CheckpointId> newestKnown() {
      return Stream.concat(newest().map(Manifest.Commit::id).stream(), goneOnFrom.stream())
          .max(Comparator.naturalOrder());
    }

    boolean started() {
      return resume.isPresent() || damaged;
    }

    Optional<CheckpointId> from() {
      return resume.flatMap(ResumeRecord::applied);
    }

    Optional<Manifest.Commit> newest() {
      return commits.isEmpty() ? Optional.empty() : Optional.of(commits.lastEntry().getValue());
    }

    /** The one that the next start would take first. */
    Optional<CheckpointId> goodOne() {
      return commits.descendingMap().values().stream()
          .filter(Manifest.Commit::finite)
          .findFirst()
          .map(Manifest.Commit::id);
    }
  }

  private final RunLog run;
  private final InstantSource clock;
  private final Lineage lineage;
  private final LiveBranch branch;
  private final NavigableMap<CheckpointId, Manifest.Commit> commits;
  private final NavigableSet<Integer> numbers;

  /** Of each attempt the newest that a later one went on from. */
  private final Map<Integer, CheckpointId> goneOnFrom = new HashMap<>();

  private AttemptLog(
      RunLog run,
      InstantSource clock,
      Lineage lineage,
      NavigableMap<CheckpointId, Manifest.Commit> commits,
      NavigableSet<Integer> numbers) {
    this.run = run;
    this.clock = clock;
    this.lineage = lineage;
    this.branch = LiveBranch.of(lineage);
    this.commits = commits;
    this.numbers = numbers;
    for (ResumeRecord resume : lineage.resumes().values()) {
      resume
          .applied()
          .ifPresent(
              id ->
                  goneOnFrom.merge(
                      id.attempt(), id, (one, other) -> one.compareTo(other) < 0 ? other : one));
    }
  }

  /** All that left a record, or a checkpoint, oldest first. */
  public static List<Attempt> of(RunLog run, InstantSource clock) throws IOException {
    NavigableSet<CheckpointId> decided = run.idsUnder(run.keys().manifests());
    Lineage lineage = run.lineage(decided);
    decided.removeAll(run.deleted());
    NavigableMap<CheckpointId, Manifest.Commit> commits = commits(run, decided);
    NavigableSet<Integer> numbers = new TreeSet<>();
    for (String folder : List.of(run.keys().attempts(), run.keys().resumes(), run.keys().ends())) {
      run.keysUnder(folder, "").forEach(key -> run.keys().attemptOf(key).ifPresent(numbers::add));
    }
    commits.keySet().forEach(id -> numbers.add(id.attempt()));
    if (lineage.newest() > 0) {
      numbers.add(lineage.newest());
    }
    AttemptLog log = new AttemptLog(run, clock, lineage, commits, numbers);
    List<Attempt> all = new ArrayList<>();
    for (RunLog.Ended each : run.ends(numbers)) {
      all.add(log.attempt(each));
    }
    return List.copyOf(all);
  }

  private static NavigableMap<CheckpointId, Manifest.Commit> commits(
      RunLog run, NavigableSet<CheckpointId> decided) throws IOException {
    NavigableMap<CheckpointId, Manifest.Commit> commits = new TreeMap<>();
    for (RunLog.Decision each : run.decisions(decided)) {
      // what cannot be read is no checkpoint that anybody goes on from; `all` says what it is
      if (each.manifest().orElse(null) instanceof Manifest.Commit commit) {
        commits.put(each.id(), commit);
      }
    }
    return commits;
  }

  private Attempt attempt(RunLog.Ended end) {
    int number = end.attempt();
    Optional<AttemptRecord> record = Optional.ofNullable(lineage.attempts().get(number));
    Own own =
        new Own(
            Optional.ofNullable(lineage.resumes().get(number)),
            lineage.damaged().containsKey(number),
            commits.subMap(new CheckpointId(number, 0, 0), true, CheckpointId.last(number), true),
            Optional.ofNullable(goneOnFrom.get(number)));
    Optional<EndRecord> said = end.end();
    Ending ending =
        end.unreadable()
            .map(
                why -> new Ending(End.UNKNOWN, String.valueOf(why.getMessage()), takenOver(number)))
            .orElseGet(() -> said.map(AttemptLog::ending).orElseGet(() -> silent(number, record)));
    OptionalLong stood = stood(number, said, own);
    return new Attempt(
        number,
        record.map(AttemptRecord::request).orElse(""),
        own.started(),
        own.from().map(CheckpointId::toString),
        own.newestKnown().map(CheckpointId::toString),
        own.commits().size(),
        ending.end(),
        ending.what().isEmpty() ? Optional.empty() : Optional.of(ending.what()),
        stood,
        record.map(AttemptRecord::startedAt),
        said.map(EndRecord::endedAt),
        ending.end() == End.RUNNING ? OptionalLong.empty() : lost(number, stood, own),
        lostAtMost(number, ending, record, own),
        branch.contains(number),
        own.resume().map(ResumeRecord::skipped).orElse(List.of()),
        record.map(AttemptRecord::provenance).orElse(Map.of()));
  }

  private static Ending ending(EndRecord said) {
    Optional<Instant> gone = Optional.of(said.endedAt());
    return switch (said.how()) {
      case EndRecord.COMPLETED ->
          new Ending(End.COMPLETED, said.goal().isEmpty() ? "" : "reached " + said.goal(), gone);
      case EndRecord.STOPPED -> new Ending(End.STOPPED, "", gone);
      case EndRecord.CLOSED -> new Ending(End.CLOSED, said.cause().orElse(""), gone);
      case EndRecord.FAILED -> new Ending(End.FAILED, said.cause().orElse(""), gone);
      default -> new Ending(End.UNKNOWN, "it ended as '" + said.how() + "'", gone);
    };
  }

  /**
   * The updates done at the end, if they are known: a word without a step means that of the newest
   * checkpoint, but one of a failure. Of a branch that was left all checkpoints may be deleted.
   */
  private OptionalLong stood(int number, Optional<EndRecord> said, Own own) {
    if (said.isEmpty() || said.get().step().isPresent()) {
      return said.map(EndRecord::step).orElse(OptionalLong.empty());
    }
    return switch (said.get().how()) {
      case EndRecord.COMPLETED, EndRecord.STOPPED, EndRecord.CLOSED ->
          own.newestKnown()
              .or(() -> branch.contains(number) ? own.from() : Optional.empty())
              .map(id -> OptionalLong.of(id.step()))
              .orElse(OptionalLong.empty());
      default -> OptionalLong.empty();
    };
  }

  /** The end of an attempt that left no word. */
  private Ending silent(int number, Optional<AttemptRecord> record) {
    if (isMaintenance(number)) {
      return new Ending(
          End.CLOSED, "a clean-up or repair that took the run over", Optional.empty());
    }
    Integer next = numbers.higher(number);
    if (next != null && isMaintenance(next) && presence(record) != Workplace.Presence.GONE) {
      return new Ending(
          End.CLOSED,
          "fenced by attempt " + next + ", a clean-up or repair that took the run over",
          takenOver(number));
    }
    if (next != null) {
      return new Ending(
          End.KILLED, "it left no word, and attempt " + next + " took over", takenOver(number));
    }
    if (record.isEmpty()) {
      return new Ending(
          End.UNKNOWN, run.keys().attempt(number) + " is damaged or missing", Optional.empty());
    }
    Map<String, String> provenance = record.get().provenance();
    String who = Workplace.named(provenance);
    return switch (presence(record)) {
      case HERE -> new Ending(End.RUNNING, who, Optional.empty());
      case GONE ->
          new Ending(End.KILLED, who + " is gone and left no word", Optional.of(clock.instant()));
      case ELSEWHERE ->
          new Ending(End.UNKNOWN, who + " left no word; look there", Optional.empty());
    };
  }

  private boolean isMaintenance(int number) {
    AttemptRecord record = lineage.attempts().get(number);
    return record != null && record.request().equals(Admission.MAINTENANCE);
  }

  private static Workplace.Presence presence(Optional<AttemptRecord> record) {
    return record
        .map(each -> Workplace.presence(each.provenance(), each.startedAt()))
        .orElse(Workplace.Presence.ELSEWHERE);
  }

  private Optional<Instant> takenOver(int number) {
    return Optional.ofNullable(lineage.attempts().higherEntry(number))
        .map(next -> next.getValue().startedAt());
  }

  /**
   * What the live branch has not got of the updates that an attempt did: those behind the
   * checkpoint that it goes on from, or all, if it does not go through this attempt. Where the
   * attempt stood at its end is known from its word, or else at least from its newest checkpoint.
   */
  private OptionalLong lost(int number, OptionalLong stood, Own own) {
    if (!own.started() && own.commits().isEmpty()) {
      return OptionalLong.of(0);
    }
    if (own.damaged() || branch.isUnknown(number)) {
      return OptionalLong.empty();
    }
    long began = own.from().map(CheckpointId::step).orElse(0L);
    long kept = kept(number, own).map(CheckpointId::step).orElse(began);
    long known = stood.orElse(own.newestKnown().map(CheckpointId::step).orElse(kept));
    return stood.isPresent() || known > kept
        ? OptionalLong.of(Math.max(0, known - kept))
        : OptionalLong.empty();
  }

  /** The checkpoint of an attempt that the live branch has; empty if it has nothing of it. */
  private Optional<CheckpointId> kept(int number, Own own) {
    return branch.contains(number) ? branch.leftAt(number).or(own::goodOne) : Optional.empty();
  }

  /** The time in which the lost updates were done: from the commit that is kept, else all of it. */
  private Optional<Duration> lostAtMost(
      int number, Ending ending, Optional<AttemptRecord> record, Own own) {
    if (!own.started() && own.commits().isEmpty()) {
      return ending.end() == End.RUNNING ? Optional.empty() : Optional.of(Duration.ZERO);
    }
    Optional<CheckpointId> kept = kept(number, own);
    Optional<Instant> since =
        kept.isPresent()
            // when it was committed is gone with its manifest
            ? Optional.ofNullable(commits.get(kept.get())).map(Manifest.Commit::committedAt)
            : record.map(AttemptRecord::startedAt);
    if (since.isEmpty() || ending.gone().isEmpty()) {
      return Optional.empty();
    }
    Duration lost = Duration.between(since.get(), ending.gone().get());
    return Optional.of(lost.isNegative() ? Duration.ZERO : lost);
  }
}
