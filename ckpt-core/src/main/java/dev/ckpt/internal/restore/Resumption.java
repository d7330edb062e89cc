package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Restored;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.ResumeRecord;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One resume, in an order that leaves nothing half done: find and verify all bytes, have every part
 * look whether they fit, record what is applied, and only then apply it.
 */
public final class Resumption {
  private final Restorer restorer;
  private final RunLog run;
  private final Candidates candidates;
  private final Resume how;
  private final int attempt;
  private Optional<CheckpointId> tried;
  private Optional<CheckpointId> applied = Optional.empty();
  private @Nullable String halfDone;

  /**
   * @param attempt the one that resumes
   */
  public Resumption(Restorer restorer, RunLog run, Candidates candidates, Resume how, int attempt) {
    this.restorer = restorer;
    this.run = run;
    this.candidates = candidates;
    this.how = how;
    this.attempt = attempt;
    this.tried = candidates.ids().stream().findFirst();
  }

  /**
   * Does it.
   *
   * @return what was restored; empty for a fresh start
   * @throws CheckpointException if nothing can be restored although something was asked for or is
   *     there; unless {@link #halfDone()} says otherwise, no part was changed
   */
  public Optional<Restored> into(Map<String, Checkpointable> parts) throws IOException {
    Restorer.Found found = restorer.find(candidates);
    if (found.checkpoint().isPresent()) {
      try (OpenCheckpoint open = found.checkpoint().get()) {
        apply(open, found.skipped(), parts);
        return Optional.of(new Restored(open.manifest().checkpoint(), found.skipped()));
      }
    }
    if (how instanceof Resume.Required || how instanceof Resume.From) {
      throw new CheckpointException.NotFound(
          "resume: '"
              + how.text()
              + "' is no committed checkpoint of run '"
              + run.keys().run()
              + "'");
    }
    say(new ResumeRecord(attempt, Optional.empty(), List.of()));
    return Optional.empty();
  }

  /** Who was taken over since may not make its branch the live one: it may be gone by now. */
  private void say(ResumeRecord resume) throws IOException {
    run.checkNotFenced(attempt);
    run.resumed(resume);
    run.checkNotFenced(attempt);
  }

  private void apply(OpenCheckpoint open, List<String> skipped, Map<String, Checkpointable> parts)
      throws IOException {
    CheckpointId id = open.manifest().id();
    tried = Optional.of(id);
    parts.forEach((name, part) -> part.check(open.view(name)));
    say(new ResumeRecord(attempt, Optional.of(id), skipped));
    halfDone = "a restore of " + id + " failed half-way";
    parts.forEach((name, part) -> part.restore(open.view(name)));
    halfDone = null;
    applied = Optional.of(id);
  }

  /** The checkpoint that was applied, if one was. */
  public Optional<CheckpointId> applied() {
    return applied;
  }

  /** Updates done at the checkpoint that it applied, or was about to; 0 if there is none. */
  public long step() {
    return tried.map(CheckpointId::step).orElse(0L);
  }

  /** What left the state half old, half new; null if nothing did. */
  public @Nullable String halfDone() {
    return halfDone;
  }
}
