package dev.ckpt.benchmarks;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointManager;
import java.io.IOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** When checkpoints were committed, and that the one before each is gone. */
final class Commits extends Deletions {
  private final BlockingQueue<Long> committed = new LinkedBlockingQueue<>();

  @Override
  public void committed(Checkpoint checkpoint) {
    committed.add(System.nanoTime());
  }

  /** Waits for the next commit: when it was. */
  long next(CheckpointManager manager) throws IOException, InterruptedException {
    Long at = committed.poll(2, TimeUnit.MINUTES);
    if (at == null) {
      throw new IOException("a checkpoint was not committed: " + manager.failures());
    }
    return at;
  }
}
