package dev.ckpt.benchmarks;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import dev.ckpt.Resume;
import dev.ckpt.Retention;
import dev.ckpt.SaveHandle;
import dev.ckpt.SaveTrigger;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Saves, each beside a memory copy and the plain writes of the same round. The plain writes rotate,
 * and come before the save in every other round. Before each measurement the library's housekeeping
 * (reading the save back, deleting the one before) is over.
 */
final class SaveFigures {

  private static final double MIB = 1 << 20;

  /** One save: nanoseconds, and bytes of garbage. */
  private record Saved(double stall, double durable, double cpu, double garbage) {}

  private final Path folder;
  private final String run;
  private final DirectState state;
  private final Meter meter = new Meter();
  private final Deletions deletions = new Deletions();
  private final List<Figure> figures = new ArrayList<>();
  private String newest = "";
  private int saves;

  SaveFigures(Path folder, String run, DirectState state) {
    this.folder = folder;
    this.run = run;
    this.state = state;
  }

  List<Figure> figures() {
    return figures;
  }

  /** Id of the checkpoint that is left. */
  String newest() {
    return newest;
  }

  /** All figures of a state that is large. */
  void measure(DirectState target, int pairs, PrintStream out) throws Exception {
    Pieces pieces = new Pieces(state);
    long own = meter.offHeap();
    try (CheckpointStore store = new MeteredStore(Stores.local(folder), meter);
        CheckpointManager manager = open(store)) {
      double first = save(manager).stall;
      for (int i = 0; i < 3; i++) {
        save(manager);
        pieces.memcpy(state, target, 1);
        plainWrites(0);
      }
      List<Double> stall = new ArrayList<>();
      List<Double> durable = new ArrayList<>();
      List<Double> cpu = new ArrayList<>();
      List<Double> garbage = new ArrayList<>();
      List<Double> seconds = new ArrayList<>();
      Map<PlainWrite, Integer> fastest = new EnumMap<>(PlainWrite.class);
      List<Double> firsts = new ArrayList<>();
      for (int i = 0; i < pairs; i++) {
        Map<PlainWrite, PlainWrite.Cost> plain = i % 2 == 0 ? plainWrites(i) : Map.of();
        // once untimed: the timed copy and the save then both find a state that was just read
        pieces.memcpy(state, target, 1);
        long start = System.nanoTime();
        pieces.memcpy(state, target, 1);
        double memcpy = System.nanoTime() - start;
        Saved saved = save(manager);
        if (plain.isEmpty()) {
          plain = plainWrites(i);
        }
        PlainWrite best = best(plain);
        PlainWrite.Cost cost = plain.get(best);
        if (cost == null) {
          throw new AssertionError(best);
        }
        fastest.merge(best, 1, Integer::sum);
        stall.add(saved.stall / memcpy);
        durable.add(cost.nanos() / saved.durable);
        cpu.add(saved.cpu / cost.cpuNanos());
        garbage.add(saved.garbage / MIB);
        seconds.add(saved.durable / 1e9);
        if (i == 0) {
          firsts.add(first / memcpy);
        }
      }
      double peak = (meter.offHeapPeak() - own - state.bytes()) / MIB;
      figures.add(Figure.atMost("stall / memcpy, one thread", 1.25, "", stall));
      figures.add(Figure.atLeast("durable save speed / fastest plain write's", 0.95, durable));
      figures.add(Figure.atMost("CPU of writing / the plain write's", 1.2, "", cpu));
      figures.add(Figure.atMost("heap garbage per save", 1, "MiB", garbage));
      figures.add(Figure.atMost("off-heap peak beyond the state", 64, "MiB", List.of(peak)));
      figures.add(Figure.plain("first save of a process: stall / memcpy", "", firsts));
      figures.add(Figure.plain("staged to committed", "s", seconds));
      out.println("fastest plain write, how often: " + fastest);
    }
  }

  /** Only the stall. */
  void measureStall(String what, int pairs) throws Exception {
    try (CheckpointStore store = new MeteredStore(Stores.local(folder), meter);
        CheckpointManager manager = open(store)) {
      for (int i = 0; i < 5; i++) {
        save(manager);
      }
      List<Double> millis = new ArrayList<>();
      List<Double> garbage = new ArrayList<>();
      for (int i = 0; i < pairs; i++) {
        Saved saved = save(manager);
        millis.add(saved.stall / 1e6);
        garbage.add(saved.garbage / MIB);
      }
      figures.add(Figure.plain(what + ": stall", "ms", millis));
      figures.add(Figure.plain(what + ": heap garbage per save", "MiB", garbage));
    }
  }

  private CheckpointManager open(CheckpointStore store) {
    CheckpointManager manager =
        CheckpointManager.in(store)
            .run(run)
            .part("model", state)
            .resume(new Resume.Never())
            .saveWhen(SaveTrigger.onCompletion())
            .keep(Retention.latest(1))
            .notify(deletions)
            .open();
    manager.resume();
    return manager;
  }

  private Saved save(CheckpointManager manager) throws Exception {
    Meter.Background before = meter.background();
    Progress progress = Progress.step(++saves);
    long allocated = meter.allocatedHere();
    long start = System.nanoTime();
    SaveHandle handle = manager.save(progress, Map.of());
    long staged = System.nanoTime();
    long here = meter.allocatedHere() - allocated;
    handle.join();
    long committed = System.nanoTime();
    double cpu = meter.writerCpuNanos() + meter.since(before)[0];
    if (saves > 1) {
      deletions.await();
    }
    PlainWrite.settle(folder);
    double garbage = here + meter.writerAllocatedBytes() + meter.since(before)[1];
    newest = handle.id();
    return new Saved(staged - start, committed - staged, cpu, garbage);
  }

  private Map<PlainWrite, PlainWrite.Cost> plainWrites(int round) throws Exception {
    Map<PlainWrite, PlainWrite.Cost> costs = new EnumMap<>(PlainWrite.class);
    PlainWrite[] all = PlainWrite.values();
    for (int i = 0; i < all.length; i++) {
      PlainWrite write = all[(i + round) % all.length];
      costs.put(write, write.measure(folder, state));
    }
    return costs;
  }

  private static PlainWrite best(Map<PlainWrite, PlainWrite.Cost> costs) {
    PlainWrite best = PlainWrite.GATHER;
    long nanos = Long.MAX_VALUE;
    for (Map.Entry<PlainWrite, PlainWrite.Cost> entry : costs.entrySet()) {
      if (entry.getValue().nanos() < nanos) {
        nanos = entry.getValue().nanos();
        best = entry.getKey();
      }
    }
    return best;
  }
}
