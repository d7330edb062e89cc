package dev.ckpt.cli;

import dev.ckpt.CheckpointManager;
import dev.ckpt.Checkpointable;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;

/**
 * Walks through the commands once, on a store of its own, so that the JVM archives the classes that
 * they load. {@code bin/ckpt} runs it after a build.
 */
final class Tour {

  private Tour() {}

  /**
   * Goes round.
   *
   * @param arguments the folder for the store, which is not removed
   */
  public static void main(String[] arguments) {
    Path folder = Path.of(arguments[0]);
    try (CheckpointManager ckpt =
        CheckpointManager.in(folder).run("tour").part("model", new State()).open()) {
      ckpt.resume();
      ckpt.save(Progress.step(1), Map.of("loss", 0.5)).join();
      ckpt.save(Progress.step(2), Map.of("loss", 0.25)).join();
      ckpt.complete(Map.of("steps", 2L));
    }
    for (String line :
        List.of(
            "--version",
            "--help",
            "runs",
            "list --all",
            "list --json",
            "show latest",
            "verify --all",
            "diff latest latest",
            "best --metric loss",
            "export latest --to " + folder.resolve("none.params"),
            "convert latest --to-format none",
            "log",
            "tail",
            "gc --dry-run",
            "repair",
            "pin latest",
            "unpin latest",
            "list --unknown")) {
      Console nowhere =
          new Console(
              new Output(OutputStream.nullOutputStream(), false),
              new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8),
              true,
              false,
              Map.of("CKPT_STORE", folder.toString()),
              InstantSource.system());
      Ckpt.run(nowhere, line.split(" "));
    }
    Console.system();
  }

  private static final class State implements Checkpointable {
    @Override
    public void capture(StateSink sink) {
      sink.value("rate", 0.1);
      sink.tensor(
          TensorSpec.of("w", DType.FLOAT32, Shape.of(2, 2)),
          (offset, into) -> into.position(into.limit()),
          Stability.COPY_NOW);
    }

    @Override
    public void restore(StateView view) {
      throw new UnsupportedOperationException("the tour starts fresh");
    }
  }
}
