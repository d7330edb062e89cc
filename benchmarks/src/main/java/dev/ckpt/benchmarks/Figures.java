package dev.ckpt.benchmarks;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Prints one table of what a checkpoint costs, each figure against a yardstick that is measured in
 * the same round on the same machine: a memory copy, or a plain durable write of the same bytes.
 */
public final class Figures {

  private static final String USAGE =
      """
      Usage: benchmarks/run [--dir DIR] [--megabytes N] [--pairs N] [--quick]

        --dir DIR       where to write: the disk that is measured (default: the temporary folder)
        --megabytes N   size of the state, 1 to 1500 (default 400)
        --pairs N       measurements per figure; 95 % need at least 6 (default 15)
        --quick         40 MB and 7 pairs: whether it works, not how fast
      """;

  private record Options(Path dir, int megabytes, int pairs) {

    static Options parse(List<String> args) {
      Path dir = Path.of(System.getProperty("java.io.tmpdir", "."));
      int megabytes = 400;
      int pairs = 15;
      for (int i = 0; i < args.size(); i++) {
        switch (args.get(i)) {
          case "--quick" -> {
            megabytes = 40;
            pairs = 7;
          }
          case "--dir" -> dir = Path.of(value(args, ++i));
          case "--megabytes" -> megabytes = number(args, ++i, 1500);
          case "--pairs" -> pairs = number(args, ++i, 1000);
          default -> throw new IllegalArgumentException("unknown option " + args.get(i));
        }
      }
      return new Options(dir, megabytes, pairs);
    }

    private static String value(List<String> args, int at) {
      if (at == args.size()) {
        throw new IllegalArgumentException(args.get(at - 1) + " needs a value");
      }
      return args.get(at);
    }

    private static int number(List<String> args, int at, int most) {
      String text = value(args, at);
      if (!text.matches("[1-9][0-9]{0,5}") || Integer.parseInt(text) > most) {
        throw new IllegalArgumentException(
            args.get(at - 1) + " needs a number from 1 to " + most + ", not '" + text + "'");
      }
      return Integer.parseInt(text);
    }
  }

  private Figures() {}

  /** Runs it; exit code 2 on a wrong option. */
  public static void main(String[] args) throws Exception {
    if (List.of(args).contains("--help")) {
      System.out.print(USAGE);
      return;
    }
    try {
      Options options = Options.parse(List.of(args));
      run(options.dir, options.megabytes, options.pairs, System.out);
    } catch (IllegalArgumentException e) {
      System.err.println("benchmarks/run: " + e.getMessage());
      System.err.print(USAGE);
      System.exit(2);
    }
  }

  /** Measures in a new folder below {@code dir}, which is removed again. */
  static void run(Path dir, int megabytes, int pairs, PrintStream out) throws Exception {
    Files.createDirectories(dir);
    Path folder = Files.createTempDirectory(dir, "ckpt-figures-");
    try {
      DirectState state = DirectState.gpt2(megabytes * 1_000_000L);
      DirectState target = state.like();
      out.printf(
          Locale.ROOT,
          "%.1f MB in %d tensors, in %s; Java %s, %d cores%n",
          state.bytes() / 1e6,
          state.tensors().size(),
          dir.toAbsolutePath(),
          Runtime.version(),
          Runtime.getRuntime().availableProcessors());
      SaveFigures saves = new SaveFigures(folder, "large", state);
      saves.measure(target, pairs, out);
      List<Figure> figures = new ArrayList<>(saves.figures());
      figures.addAll(
          new RestoreFigures(folder, "large", saves.newest(), state, target).measure(pairs));
      LookFigures looks = new LookFigures(folder);
      figures.add(looks.verify("large", saves.newest(), pairs));
      figures.add(looks.list(Math.min(10_000, 250 * megabytes)));
      SaveFigures small = new SaveFigures(folder, "small", DirectState.small(10_000));
      small.measureStall("10,000 tensors of 1 KiB", pairs);
      figures.addAll(small.figures());
      out.print(Figure.table(figures));
    } finally {
      remove(folder);
    }
  }

  private static void remove(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
