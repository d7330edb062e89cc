package dev.ckpt.internal.restore;

import dev.ckpt.CheckpointException;
import dev.ckpt.Resume;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import dev.ckpt.spi.ShardFormat;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens the first candidate that is whole, every byte of it verified. Only what is corrupt or gone
 * is passed over, and said; a store that fails, a missing right or a newer format version end the
 * search, because falling back would silently lose work that is there.
 */
public final class Restorer {
  private static final Logger log = LoggerFactory.getLogger(Restorer.class);

  private final CheckpointStore store;
  private final RunLog run;
  private final Function<String, ShardFormat> formats;
  private final int threads;
  private final Consumer<String> onSkip;

  /**
   * One that says in the log what it passes over.
   *
   * @param threads how many verify at once
   */
  public Restorer(
      CheckpointStore store, RunLog run, Function<String, ShardFormat> formats, int threads) {
    this(store, run, formats, threads, why -> log.warn("passed over {}", why));
  }

  private Restorer(
      CheckpointStore store,
      RunLog run,
      Function<String, ShardFormat> formats,
      int threads,
      Consumer<String> onSkip) {
    this.store = store;
    this.run = run;
    this.formats = formats;
    this.threads = threads;
    this.onSkip = onSkip;
  }

  /**
   * Why a start fails that looks for the latest in a run of which no checkpoint is live; empty if
   * it begins afresh. Reads no shard.
   */
  public static Optional<String> whyNotFresh(CheckpointStore store, RunLog run) throws IOException {
    AtomicBoolean anythingLive = new AtomicBoolean();
    Function<String, ShardFormat> none =
        name -> {
          anythingLive.set(true); // committed since it was looked for
          throw new CheckpointException.Corrupt("no shard is read");
        };
    try {
      new Restorer(store, run, none, 1, why -> {})
          .find(Candidates.find(new Resume.Auto(), List.of(), run.lineage(), run));
      return Optional.empty();
    } catch (CheckpointException.Corrupt e) {
      return anythingLive.get() ? Optional.empty() : Optional.of(String.valueOf(e.getMessage()));
    }
  }

  /**
   * What was found.
   *
   * @param checkpoint open and verified; empty for a fresh start
   * @param skipped newer ones that were passed over, with the reasons
   */
  public record Found(Optional<OpenCheckpoint> checkpoint, List<String> skipped) {}

  /**
   * Looks through the candidates in order. A finite one is preferred to a newer one that holds NaN.
   *
   * @throws CheckpointException.Corrupt if there are commits and none is whole
   */
  public Found find(Candidates candidates) throws IOException {
    List<String> skipped = new ArrayList<>();
    List<Manifest.Commit> nonFinite = new ArrayList<>();
    // the folder of what was moved aside may have been emptied since: the ABORT says it, too
    Set<CheckpointId> withdrawn = new TreeSet<>(candidates.quarantined());
    NavigableMap<CheckpointId, String> behindNaN = new TreeMap<>();
    NavigableSet<CheckpointId> inOrder = new TreeSet<>(candidates.gone().keySet());
    inOrder.addAll(candidates.ids());
    for (CheckpointId id : inOrder.descendingSet()) {
      String known = candidates.gone().get(id);
      if (known != null) {
        String gone = id + ": it was committed (" + known + "), and its manifest is gone";
        if (nonFinite.isEmpty() || candidates.finite().contains(id)) {
          skip(skipped, gone);
        } else {
          behindNaN.put(id, gone); // retention may have deleted it: nobody misses it yet
        }
        continue;
      }
      Optional<Manifest.Commit> commit = commit(id, skipped, withdrawn);
      if (commit.isEmpty()) {
        continue;
      }
      if (!commit.get().finite() && inOrder.size() > 1) {
        nonFinite.add(commit.get());
        continue;
      }
      candidates.requireTold(id);
      Optional<OpenCheckpoint> open = verified(commit.get(), skipped);
      if (open.isPresent()) {
        if (!commit.get().finite()) {
          log.warn("{} holds NaN or infinite values", id);
        }
        behindNaN.values().forEach(why -> skip(skipped, why));
        nonFinite.forEach(each -> skip(skipped, each.id() + ": holds NaN or infinite values"));
        return new Found(open, skipped);
      }
    }
    for (Manifest.Commit commit : nonFinite) {
      if (!candidates.finite().isEmpty()) {
        skip(skipped, commit.id() + ": holds NaN or infinite values");
        continue; // a repair may bring a finite one back
      }
      candidates.requireTold(commit.id());
      Optional<OpenCheckpoint> open = verified(commit, skipped);
      if (open.isPresent()) {
        log.warn("{} holds NaN or infinite values, but no finite checkpoint is left", commit.id());
        behindNaN.tailMap(commit.id()).values().forEach(why -> skip(skipped, why));
        return new Found(open, skipped);
      }
    }
    behindNaN.values().forEach(why -> skip(skipped, why));
    withdrawn.forEach(id -> skip(skipped, id + ": a repair moved it aside"));
    candidates.lost().ifPresent(why -> skip(skipped, "what lies further back: " + why));
    if (skipped.isEmpty()) {
      requireNothingElsewhere(candidates);
    }
    if (!skipped.isEmpty()) {
      throw new CheckpointException.Corrupt(
          "run '"
              + run.keys().run()
              + "' has checkpoints, but none can be restored:\n  "
              + String.join("\n  ", skipped)
              + "\nNothing was changed. "
              + (candidates.gone().isEmpty()
                  ? ""
                  : "`ckpt repair` says which of those without a manifest it can commit again. ")
              + (candidates.finite().isEmpty() || nonFinite.isEmpty()
                  ? ""
                  : "To go on in spite of NaN, resume from "
                      + nonFinite.get(0).id()
                      + " by its id. ")
              + wholeElsewhere(candidates)
                  .map(
                      id ->
                          "To go on from another branch, whose newest is whole, resume from "
                              + id
                              + " by its id; to")
                  .orElse("To")
              + " start over in the same run, resume with 'never'.");
    }
    return new Found(Optional.empty(), skipped);
  }

  /** The newest that somebody may go on from instead; every byte of it is read. */
  private Optional<CheckpointId> wholeElsewhere(Candidates candidates) throws IOException {
    for (CheckpointId id : candidates.elsewhere()) {
      try {
        if (run.manifest(id).orElse(null) instanceof Manifest.Commit commit && commit.finite()) {
          try (OpenCheckpoint open = OpenCheckpoint.open(store, commit, formats)) {
            open.verify(threads);
            return Optional.of(id);
          }
        }
      } catch (CheckpointException.Corrupt
          | CheckpointException.Incompatible
          | NoSuchFileException e) {
        // no way out
        log.debug("{} is no way out", id, e);
      }
    }
    return Optional.empty();
  }

  /** The newest is enough to say: what was given up is not lost. */
  private void requireNothingElsewhere(Candidates candidates) throws IOException {
    for (CheckpointId id : candidates.elsewhere()) {
      String what;
      try {
        Manifest manifest = run.manifest(id).orElse(null);
        if (manifest instanceof Manifest.Abort && !Committer.isWithdrawn(manifest)) {
          continue;
        }
        what = id + (manifest == null ? " (its manifest is gone)" : "");
      } catch (CheckpointException.Corrupt e) {
        what = id + " (damaged)";
      }
      throw new CheckpointException.Corrupt(
          "run '"
              + run.keys().run()
              + "' has nothing to resume on the branch of its newest attempt, but another branch"
              + " has "
              + what
              + ". Nothing was changed. To go on, resume from a checkpoint by its id; to start over"
              + " in the same run, resume with 'never'.");
    }
  }

  private Optional<Manifest.Commit> commit(
      CheckpointId id, List<String> skipped, Set<CheckpointId> withdrawn) throws IOException {
    try {
      Optional<Manifest> manifest = run.manifest(id);
      if (manifest.isEmpty()) {
        skip(skipped, id + ": its manifest is gone");
      } else if (manifest.get() instanceof Manifest.Commit commit) {
        return Optional.of(commit);
      } else if (Committer.isWithdrawn(manifest.get())) {
        withdrawn.add(id);
      }
    } catch (CheckpointException.Corrupt e) {
      skip(skipped, id + ": " + e.getMessage());
    }
    return Optional.empty();
  }

  private Optional<OpenCheckpoint> verified(Manifest.Commit commit, List<String> skipped)
      throws IOException {
    OpenCheckpoint open = null;
    try {
      open = OpenCheckpoint.open(store, commit, formats);
      open.verify(threads);
      return Optional.of(open);
    } catch (CheckpointException.Corrupt e) {
      if (open != null) {
        open.close();
      }
      skip(skipped, commit.id() + ": " + e.getMessage());
      return Optional.empty();
    } catch (NoSuchFileException e) {
      if (open != null) {
        open.close();
      }
      skip(skipped, commit.id() + ": its shard " + e.getMessage() + " went while it was read");
      return Optional.empty();
    } catch (Throwable e) {
      if (open != null) {
        open.close();
      }
      throw e;
    }
  }

  private void skip(List<String> skipped, String why) {
    onSkip.accept(why);
    skipped.add(why);
  }
}
