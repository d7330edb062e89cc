package dev.ckpt.internal.keep;

import dev.ckpt.CheckpointException;
import dev.ckpt.MaintenanceAction;
import dev.ckpt.internal.commit.Committer;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.manifest.ShardEntry;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Does what was planned, in the order that makes every crash harmless: of a deletion the mark under
 * {@code deleted/}, which readers honour; the pins once more; the manifest; then the files that no
 * manifest names. Of an undecided id ABORT first, because its writer may only be asleep. A crash in
 * between leaves what the next plan finds.
 *
 * <p>What is remembered of a plan is only what was to be removed: what the store says now has the
 * last word.
 */
public final class Cleaner {

  private final CheckpointStore store;
  private final RunLog run;
  private final Committer committer;
  private final Fence fence;
  private boolean begun;

  /** Whether this may still change the run. */
  @FunctionalInterface
  public interface Fence {
    /**
     * Fails if somebody has taken the run.
     *
     * @throws CheckpointException.Fenced naming who
     */
    void check() throws IOException;
  }

  /**
   * @param fence looks for a start: it may come between any two steps
   */
  public Cleaner(CheckpointStore store, RunLog run, Committer committer, Fence fence) {
    this.store = store;
    this.run = run;
    this.committer = committer;
    this.fence = fence;
  }

  /**
   * Does a step.
   *
   * @return what was done: the step's action, or that it was left because somebody came first
   */
  public MaintenanceAction does(Step step) throws IOException {
    begun = false;
    if (step instanceof Step.GiveUp giveUp) {
      return abandon(giveUp.action(), giveUp.id(), giveUp.files());
    } else if (step instanceof Step.Discard discard) {
      return abandon(discard.action(), discard.id(), discard.files());
    } else if (step instanceof Step.Finish finish) {
      return finish(finish);
    } else if (step instanceof Step.Delete delete) {
      return delete(delete.commit(), delete.needed(), delete.action().reason())
          .map(why -> left(step, why))
          .orElse(step.action());
    } else if (step instanceof Step.Unmark unmark) {
      store.delete(List.of(keys().deleted(unmark.id())));
    } else if (step instanceof Step.Remove remove) {
      store.delete(remove.keys());
    }
    return step.action();
  }

  /**
   * Whether the last step came so far that it cannot be taken back: a manifest is gone, or an id
   * given up.
   */
  public boolean begun() {
    return begun;
  }

  /**
   * Deletes a committed checkpoint.
   *
   * @param needed shards that stay, because another checkpoint names them
   * @param why a note for people
   * @return why it stays; empty if it is gone
   */
  Optional<String> delete(Manifest.Commit commit, Set<String> needed, String why)
      throws IOException {
    CheckpointId id = commit.id();
    if (commit.parent().isPresent() && run.isUndecided(commit.parent().get())) {
      return Optional.of(tells(commit.parent().get()));
    }
    mark(keys().deleted(id), why);
    if (run.pinned().contains(id)) {
      takeBack(id);
      return Optional.of("it was pinned just now");
    }
    try {
      // a start takes its attempt and then looks: it is seen here, or it sees the mark
      fence.check();
    } catch (CheckpointException.Fenced e) {
      takeBack(id);
      throw e;
    }
    store.delete(List.of(keys().manifest(id)));
    begun = true;
    List<String> files = new ArrayList<>();
    commit.shards().stream()
        .map(ShardEntry::key)
        .filter(k -> !needed.contains(k))
        .forEach(files::add);
    files.addAll(run.keysUnder(keys().votes(id), ""));
    store.delete(files);
    return Optional.empty();
  }

  /** A mark behind whose manifest a try before this one came tells that its id is no loss. */
  private void takeBack(CheckpointId id) throws IOException {
    if (run.idsUnder(keys().manifests()).contains(id)) {
      store.delete(List.of(keys().deleted(id)));
    }
  }

  /** An empty one says the same to programs, and needs no room on a full disk. */
  private void mark(String key, String why) throws IOException {
    try {
      store.putIfAbsent(key, ByteBuffer.wrap(why.getBytes(StandardCharsets.UTF_8)));
    } catch (IOException e) {
      store.putIfAbsent(key, ByteBuffer.allocate(0));
    }
  }

  /** Why a checkpoint stays that is all that tells of one that lost its manifest. */
  public static String tells(CheckpointId lost) {
    return "it tells that " + lost + " was committed, whose manifest is gone: it stays as long";
  }

  private MaintenanceAction abandon(MaintenanceAction action, CheckpointId id, List<String> files)
      throws IOException {
    if (!(committer.abort(id, action.reason()) instanceof Manifest.Abort)) {
      return left(action, "it was committed just now");
    }
    begun = true;
    store.delete(files);
    return action;
  }

  private MaintenanceAction finish(Step.Finish step) throws IOException {
    if (run.pinned().contains(step.id())) {
      return left(step, "it was pinned just now");
    }
    fence.check();
    store.delete(List.of(keys().manifest(step.id())));
    begun = true;
    store.delete(step.files());
    return step.action();
  }

  private Keys keys() {
    return run.keys();
  }

  private static MaintenanceAction left(Step step, String why) {
    return left(step.action(), why);
  }

  /** That an action was not done, and why. */
  public static MaintenanceAction left(MaintenanceAction action, String why) {
    return new MaintenanceAction(
        MaintenanceAction.Kind.LEAVE, action.run(), action.subject(), 0, why);
  }
}
