package dev.ckpt;

import java.util.concurrent.CompletionStage;

/**
 * A save under way. Continuations that were added in time run on a thread of the manager's; one
 * that is added to a stage that has completed runs at once, on the thread that adds it, unless it
 * is an {@code ...Async} one. The stages cannot be completed from outside.
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
   * @throws CheckpointException.SaveFailed if it failed
   * @throws CheckpointException.CommitUnknown if it may or may not be committed, or may yet be: the
   *     deadline passed, or this thread was interrupted
   * @throws CheckpointException.Fenced if another attempt took the run over
   */
  Checkpoint join();
}
