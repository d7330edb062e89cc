package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.Progress;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * One process of a sweep: trains some runs one after the other, named by their parameters, and
 * prints a line for each checkpoint that was committed.
 */
final class Sweep {
  private static final int ELEMENTS = 4_000;

  private Sweep() {}

  /** What a weight of a run is after a step: of no other run, and of no other step. */
  static float weight(int process, int run, int step) {
    return process * 10_000 + run * 100 + step;
  }

  static double loss(int process, int run, int step) {
    return new Random(31L * (31L * process + run) + step).nextDouble();
  }

  /** A line of the log. */
  record Saved(int process, int number, String run, String id, int step, double loss) {

    static Saved parse(String line) {
      String[] words = line.split(" ", -1);
      return new Saved(
          Integer.parseInt(words[0]),
          Integer.parseInt(words[1]),
          words[2],
          words[3],
          Integer.parseInt(words[4]),
          Double.parseDouble(words[5]));
    }
  }

  static Checkpoint train(Path config, int process, int run, int steps, PrintStream out) {
    Trained.State state = new Trained.State();
    try (CheckpointManager ckpt =
        CheckpointManager.from(CheckpointConfig.load(config))
            .parameters(Map.of("lr", process / 10.0, "width", 8 << run))
            .part("model", state)
            .open()) {
      ckpt.resume();
      Checkpoint saved = null;
      for (int step = 1; step <= steps; step++) {
        float[] weights = new float[ELEMENTS];
        Arrays.fill(weights, weight(process, run, step));
        state.tensors.clear();
        state.floats("w", weights);
        double loss = loss(process, run, step);
        saved = ckpt.save(Progress.step(step), Map.of("loss", loss)).join();
        out.printf(
            Locale.ROOT, "%d %d %s %s %d %s%n", process, run, ckpt.run(), saved.id(), step, loss);
      }
      ckpt.complete(Map.of("steps", (long) steps));
      if (saved == null) {
        throw new IllegalArgumentException("no steps");
      }
      return saved;
    }
  }

  public static void main(String[] arguments) {
    int process = Integer.parseInt(arguments[1]);
    for (int run = 0; run < Integer.parseInt(arguments[2]); run++) {
      train(Path.of(arguments[0]), process, run, Integer.parseInt(arguments[3]), System.out);
    }
  }
}
