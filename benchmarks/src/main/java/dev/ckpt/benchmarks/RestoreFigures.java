package dev.ckpt.benchmarks;

import dev.ckpt.StateView;
import dev.ckpt.Stores;
import dev.ckpt.internal.commit.Keys;
import dev.ckpt.internal.commit.RunLog;
import dev.ckpt.internal.formats.Formats;
import dev.ckpt.internal.restore.OpenCheckpoint;
import dev.ckpt.manifest.CheckpointId;
import dev.ckpt.manifest.Manifest;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Restores from a file that is in the page cache: open, verify every byte, then copy, exactly what
 * a resume does with a checkpoint, apart from the records that it reads and writes. The copy goes
 * into buffers that exist, and uses as many threads as the verification.
 */
final class RestoreFigures {

  private final Path folder;
  private final String run;
  private final String id;
  private final DirectState expected;
  private final DirectState target;
  private final Pieces pieces;
  private final Formats formats = new Formats();

  RestoreFigures(Path folder, String run, String id, DirectState expected, DirectState target) {
    this.folder = folder;
    this.run = run;
    this.id = id;
    this.expected = expected;
    this.target = target;
    this.pieces = new Pieces(expected);
  }

  List<Figure> measure(int pairs) throws Exception {
    try (CheckpointStore store = Stores.local(folder)) {
      Manifest.Commit commit = commit(store);
      List<Figure> figures = new ArrayList<>();
      List<Double> opens = new ArrayList<>();
      for (int threads = 1; threads <= 2; threads++) {
        for (int i = 0; i < 3; i++) {
          restore(store, commit, threads);
          pieces.memcpy(expected, target, threads);
        }
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < pairs; i++) {
          // else the maps of all rounds would pile up until the collector runs
          System.gc();
          long start = System.nanoTime();
          pieces.memcpy(expected, target, threads);
          double memcpy = System.nanoTime() - start;
          target.wipe();
          double[] restore = restore(store, commit, threads);
          ratios.add(memcpy / restore[1]);
          opens.add(restore[0] / 1e6);
          if (!target.sameAs(expected)) {
            throw new IOException("what was restored differs from what was saved");
          }
        }
        figures.add(
            threads == 1
                ? Figure.atLeast("verified warm restore speed / memcpy, one thread", 0.4, ratios)
                : Figure.atLeast("verified warm restore speed / memcpy, two threads", 0.7, ratios));
      }
      figures.add(Figure.plain("open a checkpoint", "ms", opens));
      return figures;
    }
  }

  private Manifest.Commit commit(CheckpointStore store) throws IOException {
    CheckpointId parsed = CheckpointId.parse(id).orElseThrow();
    if (new RunLog(store, new Keys(run)).manifest(parsed).orElseThrow()
        instanceof Manifest.Commit commit) {
      return commit;
    }
    throw new IOException(id + " is not committed");
  }

  /** Nanoseconds of the open alone and of all. */
  private double[] restore(CheckpointStore store, Manifest.Commit commit, int threads)
      throws Exception {
    long start = System.nanoTime();
    try (OpenCheckpoint open = OpenCheckpoint.open(store, commit, formats::named)) {
      long opened = System.nanoTime();
      open.verify(threads);
      StateView view = open.view("model");
      pieces.each(
          threads,
          piece -> {
            DirectState.Tensor tensor = target.tensors().get(piece.tensor());
            ByteBuffer into = tensor.contents.slice(piece.offset(), piece.bytes());
            view.read(tensor.spec.name(), piece.offset(), into);
          });
      return new double[] {opened - start, System.nanoTime() - start};
    }
  }
}
