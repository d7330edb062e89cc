package dev.ckpt.benchmarks;

import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDScope;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.translate.TranslateException;
import dev.ckpt.benchmarks.TrainingSaves.Kind;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What checkpoints cost a real training. Each round trains the same anew in four ways, in an order
 * that rotates: without checkpoints, with ours, with DJL's own, with DJL's own forced to disk. What
 * is timed begins with a checkpoint and ends an interval after the last one, so that each has its
 * whole interval for what goes on behind the training; before that, first touches of memory are
 * over.
 */
final class TrainingFigures {

  /** One training: nanoseconds. */
  private record Trained(double nanos, List<Double> blocked, List<Double> durable, long bytes) {}

  /** All rounds of one way. */
  private static final class Sample {
    final List<Double> slowDown = new ArrayList<>();
    final List<Double> added = new ArrayList<>();
    final List<Double> blocked = new ArrayList<>();
    final List<Double> durable = new ArrayList<>();
    long bytes;

    void add(Trained trained, Trained without, int checkpoints) {
      slowDown.add(trained.nanos / without.nanos);
      added.add((trained.nanos - without.nanos) / checkpoints / 1e6);
      trained.blocked.forEach(nanos -> blocked.add(nanos / 1e6));
      trained.durable.forEach(nanos -> durable.add(nanos / 1e6));
      bytes = trained.bytes;
    }
  }

  private final Path folder;
  private final Workload workload;

  TrainingFigures(Path folder, Workload workload) {
    this.folder = folder;
    this.workload = workload;
  }

  /** What trains, for people. */
  static String engine() {
    Engine engine = Engine.getInstance();
    return engine.getEngineName()
        + " "
        + engine.getVersion()
        + ", "
        + System.getProperty("ai.djl.pytorch.num_threads", "a thread for each core")
        + (System.getProperty("ai.djl.pytorch.num_threads") == null ? "" : " threads");
  }

  List<Figure> measure(int rounds, PrintStream out) throws Exception {
    for (Kind kind : Kind.values()) {
      train(kind, 1);
    }
    Map<Kind, Sample> samples = new EnumMap<>(Kind.class);
    List<Double> interval = new ArrayList<>();
    List<Double> againstDjl = new ArrayList<>();
    List<Double> againstForced = new ArrayList<>();
    Kind[] kinds = Kind.values();
    for (int round = 0; round < rounds; round++) {
      Map<Kind, Trained> trained = new EnumMap<>(Kind.class);
      for (int i = 0; i < kinds.length; i++) {
        Kind kind = kinds[(i + round) % kinds.length];
        trained.put(kind, train(kind, workload.checkpoints()));
      }
      Trained without = of(trained, Kind.NONE);
      trained.forEach(
          (kind, each) ->
              samples
                  .computeIfAbsent(kind, any -> new Sample())
                  .add(each, without, workload.checkpoints()));
      interval.add(without.nanos / 1e9 / workload.checkpoints());
      double ours = of(trained, Kind.CKPT).nanos;
      againstDjl.add(ours / of(trained, Kind.DJL).nanos);
      againstForced.add(ours / of(trained, Kind.DJL_FORCED).nanos);
    }
    Sample ours = of(samples, Kind.CKPT);
    Sample djl = of(samples, Kind.DJL);
    Sample forced = of(samples, Kind.DJL_FORCED);
    out.printf(
        Locale.ROOT,
        "%s: a checkpoint each %d updates, %d in a measurement; ckpt writes %.1f MB (weights,"
            + " optimizer, position, random streams), DJL %.1f MB (weights)%n",
        workload.name(),
        workload.interval(),
        workload.checkpoints(),
        ours.bytes / 1e6,
        djl.bytes / 1e6);
    String name = workload.name() + ": ";
    return List.of(
        Figure.plain(name + "training between two checkpoints", "s", interval),
        Figure.plain(name + "time with ckpt / without", "", ours.slowDown),
        Figure.plain(name + "time with DJL's listener / without", "", djl.slowDown),
        Figure.plain(name + "time with DJL's, forced / without", "", forced.slowDown),
        Figure.plain(name + "time with ckpt / with DJL's", "", againstDjl),
        Figure.plain(name + "time with ckpt / with DJL's, forced", "", againstForced),
        Figure.plain(name + "added by a checkpoint, ckpt", "ms", ours.added),
        Figure.plain(name + "added by a checkpoint, DJL", "ms", djl.added),
        Figure.plain(name + "added by a checkpoint, DJL forced", "ms", forced.added),
        Figure.plain(name + "blocked, ckpt", "ms", ours.blocked),
        Figure.plain(name + "blocked, DJL", "ms", djl.blocked),
        Figure.plain(name + "blocked, DJL forced", "ms", forced.blocked),
        Figure.plain(name + "durable, ckpt", "ms", ours.durable),
        Figure.plain(name + "durable, DJL forced", "ms", forced.durable));
  }

  private static <T> T of(Map<Kind, T> all, Kind kind) {
    T found = all.get(kind);
    if (found == null) {
      throw new AssertionError(kind);
    }
    return found;
  }

  private Trained train(Kind kind, int checkpoints) throws Exception {
    Path own = Files.createTempDirectory(folder, "training-");
    // DJL detaches an optimizer's slots and never frees them: the scope does, else each training
    // would leave two arrays for each weight
    try (NDScope scope = new NDScope();
        TrainingSaves saves = kind.open(own);
        Model model = workload.model()) {
      scope.suppressNotUsedWarning();
      DefaultTrainingConfig config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss())
              .optOptimizer(Optimizer.adam().build())
              .addTrainingListeners(saves.listeners().toArray(TrainingListener[]::new));
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(workload.input());
        Dataset data = workload.data().in(model.getNDManager());
        saves.begin(trainer);
        for (int i = 0; i < 2; i++) {
          updates(trainer, data, saves, 2);
          saves.endEpoch(trainer);
        }
        updates(trainer, data, saves, 2);
        saves.settle();
        PlainWrite.settle(folder);
        long start = System.nanoTime();
        for (int i = 0; i < checkpoints; i++) {
          saves.endEpoch(trainer);
          updates(trainer, data, saves, workload.interval());
        }
        double nanos = System.nanoTime() - start;
        saves.finish();
        return new Trained(nanos, saves.blocked, saves.durable, saves.bytes);
      }
    } finally {
      Figures.remove(own);
      PlainWrite.settle(folder);
    }
  }

  /** So many batches, of as many passes over the data as it takes: what EasyTrain does. */
  private static void updates(Trainer trainer, Dataset data, TrainingSaves saves, int count)
      throws IOException, TranslateException {
    int done = 0;
    while (done < count) {
      for (Batch batch : trainer.iterateDataset(data)) {
        long samples = batch.getSize();
        try (batch) {
          EasyTrain.trainBatch(trainer, batch);
          trainer.step();
        }
        saves.batchDone(samples);
        if (++done == count) {
          break;
        }
      }
    }
  }
}
