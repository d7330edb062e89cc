package dev.ckpt.benchmarks;

import dev.ckpt.benchmarks.Dl4jSaves.Kind;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.dataset.DataSet;

/**
 * What checkpoints cost a DL4J training. Each round trains the same anew without checkpoints, with
 * ours, with DL4J's {@code CheckpointListener}, and with that forced to disk, in an order that
 * rotates; each keeps one checkpoint. As in {@link TrainingFigures}, what is timed begins behind
 * the first touches of memory, and ends an interval after the last checkpoint.
 */
final class Dl4jFigures {

  /** One training: nanoseconds. */
  private record Trained(double nanos, List<Double> blocked, List<Double> durable, long bytes) {}

  private final Path folder;
  private final Dl4jWorkload workload;
  private final Map<Kind, List<Double>> added = new EnumMap<>(Kind.class);
  private final Map<Kind, List<Double>> blocked = new EnumMap<>(Kind.class);
  private final Map<Kind, List<Double>> durable = new EnumMap<>(Kind.class);
  private final Map<Kind, Long> bytes = new EnumMap<>(Kind.class);
  private final List<Double> interval = new ArrayList<>();
  private final List<Double> againstDl4j = new ArrayList<>();
  private final List<Double> againstForced = new ArrayList<>();

  Dl4jFigures(Path folder, Dl4jWorkload workload) {
    this.folder = folder;
    this.workload = workload;
  }

  List<Figure> measure(int rounds, PrintStream out) throws Exception {
    Kind[] kinds = Kind.values();
    for (Kind kind : kinds) {
      train(kind, 1);
      added.put(kind, new ArrayList<>());
      blocked.put(kind, new ArrayList<>());
      durable.put(kind, new ArrayList<>());
    }
    for (int round = 0; round < rounds; round++) {
      Map<Kind, Trained> trained = new EnumMap<>(Kind.class);
      for (int i = 0; i < kinds.length; i++) {
        Kind kind = kinds[(i + round) % kinds.length];
        trained.put(kind, train(kind, workload.checkpoints()));
      }
      add(trained);
    }
    out.printf(
        Locale.ROOT,
        "%s: a checkpoint each %d updates, %d in a measurement; ckpt writes %.1f MB, DL4J %.1f MB;"
            + " both weights and slots%n",
        workload.name(),
        workload.interval(),
        workload.checkpoints(),
        of(bytes, Kind.CKPT) / 1e6,
        of(bytes, Kind.DL4J) / 1e6);
    String name = workload.name() + ": ";
    return List.of(
        Figure.plain(name + "training between two checkpoints", "s", interval),
        Figure.plain(name + "blocked, ckpt", "ms", of(blocked, Kind.CKPT)),
        Figure.plain(name + "blocked, DL4J", "ms", of(blocked, Kind.DL4J)),
        Figure.plain(name + "blocked, DL4J forced", "ms", of(blocked, Kind.DL4J_FORCED)),
        Figure.plain(name + "blocked, ckpt / DL4J", "", againstDl4j),
        Figure.plain(name + "blocked, ckpt / DL4J forced", "", againstForced),
        Figure.plain(name + "added by a checkpoint, ckpt", "ms", of(added, Kind.CKPT)),
        Figure.plain(name + "added by a checkpoint, DL4J", "ms", of(added, Kind.DL4J)),
        Figure.plain(
            name + "added by a checkpoint, DL4J forced", "ms", of(added, Kind.DL4J_FORCED)),
        Figure.plain(name + "durable, ckpt", "ms", of(durable, Kind.CKPT)),
        Figure.plain(name + "durable, DL4J forced", "ms", of(durable, Kind.DL4J_FORCED)));
  }

  private void add(Map<Kind, Trained> round) {
    double without = of(round, Kind.NONE).nanos;
    interval.add(without / 1e9 / workload.checkpoints());
    round.forEach(
        (kind, trained) -> {
          of(added, kind).add((trained.nanos - without) / workload.checkpoints() / 1e6);
          trained.blocked.forEach(nanos -> of(blocked, kind).add(nanos / 1e6));
          trained.durable.forEach(nanos -> of(durable, kind).add(nanos / 1e6));
          bytes.put(kind, trained.bytes);
        });
    double ours = median(of(round, Kind.CKPT).blocked);
    againstDl4j.add(ours / median(of(round, Kind.DL4J).blocked));
    againstForced.add(ours / median(of(round, Kind.DL4J_FORCED).blocked));
  }

  private static double median(List<Double> sample) {
    return Interval.of(sample.stream().mapToDouble(Double::doubleValue).toArray()).median();
  }

  private static <T> T of(Map<Kind, T> all, Kind kind) {
    T found = all.get(kind);
    if (found == null) {
      throw new AssertionError(kind);
    }
    return found;
  }

  private Trained train(Kind kind, int checkpoints) throws Exception {
    Path own = Files.createTempDirectory(folder, "dl4j-");
    try (Dl4jSaves saves = kind.open(own)) {
      MultiLayerNetwork net = workload.network().get();
      saves.begin(net);
      for (int i = 0; i < 2; i++) {
        updates(net, saves, 2);
        saves.checkpoint(net);
      }
      updates(net, saves, 2);
      saves.settle();
      PlainWrite.settle(folder);
      long start = System.nanoTime();
      for (int i = 0; i < checkpoints; i++) {
        saves.checkpoint(net);
        updates(net, saves, workload.interval());
      }
      double nanos = System.nanoTime() - start;
      saves.finish();
      return new Trained(nanos, saves.blocked, saves.durable, saves.bytes);
    } finally {
      Figures.remove(own);
      PlainWrite.settle(folder);
    }
  }

  private void updates(MultiLayerNetwork net, Dl4jSaves saves, int count) throws IOException {
    for (int i = 0; i < count; i++) {
      DataSet batch = workload.batches().get(i % workload.batches().size());
      net.fit(batch);
      saves.batchDone(batch.numExamples());
    }
  }
}
