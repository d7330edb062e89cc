package dev.ckpt.benchmarks;

import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Retention;
import dev.ckpt.SaveTrigger;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.listeners.CheckpointListener;

/** Who saves a DL4J training, and how. All on the training thread. */
abstract class Dl4jSaves implements AutoCloseable {

  /** The ways that are compared. */
  enum Kind {
    NONE,
    CKPT,
    DL4J,
    DL4J_FORCED;

    /** Saves into a folder that exists. */
    Dl4jSaves open(Path folder) {
      return switch (this) {
        case NONE -> new None();
        case CKPT -> new Ours(folder);
        case DL4J -> new Dl4js(folder, false);
        case DL4J_FORCED -> new Dl4js(folder, true);
      };
    }
  }

  /** Nanoseconds that each checkpoint held the training thread up. */
  final List<Double> blocked = new ArrayList<>();

  /** Nanoseconds from the begin of each until it is on disk; empty if nobody can tell. */
  final List<Double> durable = new ArrayList<>();

  /** Size of what is on disk after the last one. */
  long bytes;

  /** The network is initialized. */
  void begin(MultiLayerNetwork net) {}

  /** Behind the update of each batch. */
  void batchDone(int samples) {}

  /** A checkpoint is due. */
  final void checkpoint(MultiLayerNetwork net) throws IOException {
    long start = System.nanoTime();
    save(net, start);
    blocked.add((double) (System.nanoTime() - start));
  }

  abstract void save(MultiLayerNetwork net, long start) throws IOException;

  /** Waits for what goes on behind the training, and forgets what was measured so far. */
  final void settle() throws IOException, InterruptedException {
    finish();
    blocked.clear();
    durable.clear();
  }

  /** Waits until all that was begun is measured. */
  void finish() throws IOException, InterruptedException {}

  @Override
  public void close() {}

  private static final class None extends Dl4jSaves {
    @Override
    void save(MultiLayerNetwork net, long start) {}
  }

  /** The state of the whole training, with defaults. */
  private static final class Ours extends Dl4jSaves {
    private final Commits events = new Commits();
    private final Path folder;
    private final Dl4jCheckpoints ckpt;
    private final List<Long> started = new ArrayList<>();
    private boolean hasOlder;

    Ours(Path folder) {
      this.folder = folder;
      this.ckpt =
          Dl4jCheckpoints.open(
              CheckpointManager.in(folder)
                  .run("training")
                  .saveWhen(SaveTrigger.everyEpoch())
                  .keep(Retention.latest(1))
                  .notify(events));
    }

    @Override
    void begin(MultiLayerNetwork net) {
      ckpt.resume(net);
    }

    @Override
    void batchDone(int samples) {
      ckpt.step(samples);
    }

    @Override
    void save(MultiLayerNetwork net, long start) {
      ckpt.endEpoch();
      started.add(start);
    }

    @Override
    void finish() throws IOException, InterruptedException {
      for (long start : started) {
        durable.add((double) (events.next(ckpt.manager()) - start));
        if (hasOlder) {
          events.await();
        }
        hasOlder = true;
      }
      bytes = TrainingSaves.sizeOf(folder);
      started.clear();
      List<CheckpointException> failures = ckpt.manager().failures();
      if (!failures.isEmpty()) {
        throw failures.get(0);
      }
    }

    @Override
    public void close() {
      ckpt.close();
    }
  }

  /** DL4J's own listener: configuration, weights and slots into a zip, on the training thread. */
  private static final class Dl4js extends Dl4jSaves {
    private final Path folder;
    private final boolean force;
    private final CheckpointListener listener;

    Dl4js(Path folder, boolean force) {
      this.folder = folder;
      this.force = force;
      this.listener =
          new CheckpointListener.Builder(folder.toFile())
              .saveEveryNIterations(1)
              .keepLast(1)
              .logSaving(false)
              .build();
    }

    @Override
    void begin(MultiLayerNetwork net) {
      listener.iterationDone(net, 0, 0); // the first call takes the time and saves nothing
    }

    @Override
    void save(MultiLayerNetwork net, long start) throws IOException {
      listener.iterationDone(net, net.getIterationCount(), net.getEpochCount());
      if (force) {
        Path file = listener.getFileForCheckpoint(listener.lastCheckpoint()).toPath();
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
          channel.force(true);
        }
        PlainWrite.settle(folder);
        durable.add((double) (System.nanoTime() - start));
      }
    }

    @Override
    void finish() throws IOException {
      bytes = TrainingSaves.sizeOf(folder);
    }
  }
}
