package dev.ckpt.benchmarks;

import dev.ckpt.Checkpoint;
import dev.ckpt.spi.CheckpointListener;
import java.io.IOException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * With {@code Retention.latest(1)}: waits until the checkpoint before was deleted, which is the
 * last thing that follows a save.
 */
class Deletions implements CheckpointListener {
  private final Semaphore deleted = new Semaphore(0);

  @Override
  public void deleted(Checkpoint checkpoint) {
    deleted.release();
  }

  /** Waits for one deletion. */
  final void await() throws InterruptedException, IOException {
    if (!deleted.tryAcquire(2, TimeUnit.MINUTES)) {
      throw new IOException("the checkpoint before was not deleted");
    }
  }
}
