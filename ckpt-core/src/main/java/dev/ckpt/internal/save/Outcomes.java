package dev.ckpt.internal.save;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Progress;
import dev.ckpt.spi.SaveCost;

/** Told what becomes of each save, on its writer thread or on the training thread: no work here. */
public interface Outcomes {

  void committed(Checkpoint checkpoint, SaveCost cost);

  /** A save that was said to have failed was committed: nobody knows what it cost. */
  void committedLate(Checkpoint checkpoint);

  /** Once for each failure of a save that was begun. */
  void failed(String id, Progress progress, CheckpointException failure);
}
