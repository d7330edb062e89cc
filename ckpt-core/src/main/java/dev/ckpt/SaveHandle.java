package dev.ckpt;

import java.util.concurrent.CompletionStage;

/**
 * A save under way. Continuations run on a thread of the manager's, never on the training thread;
 * the stages cannot be completed from outside.
 */
public interface SaveHandle {

  /** The id that it gets if it commits. */
  String id();

  /** Completes when the state has been copied: it may change again. */
  CompletionStage<Void> staged();

  /**
   * Completes when the checkpoint is durable and visible; fails with a {@link CheckpointException}.
   */
  CompletionStage<Checkpoint> committed();

  /**
   * Waits for {@link #committed()}, at most the manager's deadline.
   *
   * @throws CheckpointException.SaveFailed if it failed, or the deadline passed
   * @throws CheckpointException.CommitUnknown if it may or may not be committed
   * @throws CheckpointException.Fenced if another attempt took the run over
   */
  Checkpoint join();
}
