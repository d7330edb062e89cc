package dev.ckpt.benchmarks;

import ai.djl.training.Trainer;
import ai.djl.training.listener.SaveModelTrainingListener;
import ai.djl.training.listener.TrainingListener;
import dev.ckpt.CheckpointException;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Retention;
import dev.ckpt.SaveTrigger;
import dev.ckpt.djl.DjlCheckpoints;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Who saves a training, and how. All on the training thread. */
abstract class TrainingSaves implements AutoCloseable {

  /** The ways that are compared. */
  enum Kind {
    NONE,
    CKPT,
    DJL,
    DJL_FORCED;

    /** Saves into a folder that exists. */
    TrainingSaves open(Path folder) {
      return switch (this) {
        case NONE -> new None();
        case CKPT -> new Ours(folder);
        case DJL -> new Djls(folder, false);
        case DJL_FORCED -> new Djls(folder, true);
      };
    }
  }

  /** Nanoseconds that each checkpoint held the training thread up. */
  final List<Double> blocked = new ArrayList<>();

  /** Nanoseconds from the begin of each until it is on disk; empty if nobody can tell. */
  final List<Double> durable = new ArrayList<>();

  /** Size of the last one on disk. */
  long bytes;

  List<TrainingListener> listeners() {
    return List.of();
  }

  /** The trainer is initialized. */
  void begin(Trainer trainer) {}

  /** Behind the update of each batch. */
  void batchDone(long samples) {}

  /** An epoch ends here, and a checkpoint is due. */
  final void endEpoch(Trainer trainer) throws IOException {
    long start = System.nanoTime();
    trainer.notifyListeners(listener -> listener.onEpoch(trainer));
    save(start);
    blocked.add((double) (System.nanoTime() - start));
  }

  /** What the listeners have not done. */
  void save(long start) throws IOException {}

  /** Waits for what goes on behind the training, and forgets what was measured so far. */
  void settle() throws IOException, InterruptedException {
    finish();
    blocked.clear();
    durable.clear();
  }

  /** Waits until all that was begun is measured. */
  void finish() throws IOException, InterruptedException {}

  @Override
  public void close() {}

  private static final class None extends TrainingSaves {}

  /** The state of the whole training, at the end of an epoch, with defaults. */
  private static final class Ours extends TrainingSaves {

    private final Commits events = new Commits();
    private final Path folder;
    private final DjlCheckpoints ckpt;
    private final List<Long> started = new ArrayList<>();
    private boolean hasOlder;

    Ours(Path folder) {
      this.folder = folder;
      this.ckpt =
          DjlCheckpoints.open(
              CheckpointManager.in(folder)
                  .run("training")
                  .saveWhen(SaveTrigger.everyEpoch())
                  .keep(Retention.latest(1))
                  .notify(events));
    }

    @Override
    List<TrainingListener> listeners() {
      return List.of(ckpt.listener());
    }

    @Override
    void begin(Trainer trainer) {
      ckpt.resume(trainer);
    }

    @Override
    void batchDone(long samples) {
      ckpt.step(Math.toIntExact(samples));
    }

    @Override
    void save(long start) {
      ckpt.endEpoch();
      started.add(start);
    }

    @Override
    void finish() throws IOException, InterruptedException {
      for (long start : started) {
        long committed = events.next(ckpt.manager());
        durable.add((double) (committed - start));
        if (hasOlder) {
          events.await();
        }
        hasOlder = true;
      }
      bytes = sizeOf(folder);
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

  /** DJL's own listener: the weights, on the training thread, into a new file each time. */
  private static final class Djls extends TrainingSaves {
    private static final String NAME = "model";

    private final Path folder;
    private final boolean force;
    private final TrainingListener listener;
    private int epochs;

    Djls(Path folder, boolean force) {
      this.folder = folder;
      this.force = force;
      this.listener = new SaveModelTrainingListener(folder.toString(), NAME, 1);
    }

    @Override
    List<TrainingListener> listeners() {
      return List.of(listener);
    }

    @Override
    void save(long start) throws IOException {
      Path file = folder.resolve(String.format(Locale.ROOT, "%s-%04d.params", NAME, ++epochs));
      // the listener only logs that it failed
      bytes = Files.size(file);
      if (force) {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
          channel.force(true);
        }
        PlainWrite.settle(folder);
        durable.add((double) (System.nanoTime() - start));
      }
    }
  }

  static long sizeOf(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(Files::isRegularFile).mapToLong(path -> path.toFile().length()).sum();
    }
  }
}
