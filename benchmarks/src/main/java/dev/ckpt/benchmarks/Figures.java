package dev.ckpt.benchmarks;

import ai.djl.engine.Engine;
import ai.djl.engine.EngineException;
import dev.ckpt.CheckpointException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Prints tables of what a checkpoint costs, each figure against a yardstick that is measured in the
 * same round on the same machine: a memory copy, a plain durable write of the same bytes, a
 * training without checkpoints, another checkpoint system.
 */
public final class Figures {

  private static final String USAGE =
      """
      Usage: benchmarks/run [--dir DIR] [--megabytes N] [--pairs N] [--quick] [--peers]
                            [--only saves,training,dl4j,hdf5,peers]

        --dir DIR       where to write: the disk that is measured (default: the temporary folder)
        --megabytes N   size of the state, 1 to 1500 (default 400)
        --pairs N       measurements per figure; 95 % need at least 6 (default 15)
        --quick         40 MB, small trainings, 7 pairs: whether it works, not how fast
        --peers         also other checkpoint systems, in a Python environment that is made once in
                        benchmarks/.venv (6 GB)
        --only GROUPS   some of: saves (and restores), training, dl4j, peers, hdf5 (against h5py, in a
                        Python environment of its own, 100 MB)

      Exit codes: 0 all was measured, 1 something was left out, 2 wrong usage.
      """;

  /** What belongs together; each is a table. */
  enum Group {
    SAVES,
    TRAINING,
    DL4J,
    HDF5,
    PEERS
  }

  /**
   * What to measure.
   *
   * @param quick whether trainings are small
   * @param kinds which peers
   * @param python the interpreter that has their packages; empty if there is none
   * @param h5py the one that has h5py; empty if there is none
   */
  record Options(
      Path dir,
      int megabytes,
      int pairs,
      boolean quick,
      Set<Group> groups,
      List<String> kinds,
      Optional<Path> python,
      Optional<Path> h5py) {

    static Options parse(List<String> args) {
      Path dir = Path.of(System.getProperty("java.io.tmpdir", "."));
      int megabytes = 400;
      int pairs = 15;
      boolean quick = false;
      Set<Group> groups = EnumSet.of(Group.SAVES, Group.TRAINING, Group.DL4J);
      Optional<Path> python = Optional.empty();
      Optional<Path> h5py = Optional.empty();
      for (int i = 0; i < args.size(); i++) {
        switch (args.get(i)) {
          case "--quick" -> {
            megabytes = 40;
            pairs = 7;
            quick = true;
          }
          case "--dir" -> dir = Path.of(value(args, ++i));
          case "--megabytes" -> megabytes = number(args, ++i, 1500);
          case "--pairs" -> pairs = number(args, ++i, 1000);
          case "--peers" -> groups.add(Group.PEERS);
          case "--only" -> groups = groups(value(args, ++i));
          // from benchmarks/run
          case "--python" -> python = Optional.of(Path.of(value(args, ++i)));
          case "--h5py" -> h5py = Optional.of(Path.of(value(args, ++i)));
          default -> throw new IllegalArgumentException("unknown option " + args.get(i));
        }
      }
      return new Options(dir, megabytes, pairs, quick, groups, PeerFigures.ALL, python, h5py);
    }

    private static Set<Group> groups(String text) {
      Set<Group> groups = EnumSet.noneOf(Group.class);
      for (String name : text.split(",", -1)) {
        groups.add(
            switch (name) {
              case "saves" -> Group.SAVES;
              case "training" -> Group.TRAINING;
              case "dl4j" -> Group.DL4J;
              case "hdf5" -> Group.HDF5;
              case "peers" -> Group.PEERS;
              default ->
                  throw new IllegalArgumentException(
                      "--only needs some of saves,training,dl4j,hdf5,peers, not '" + name + "'");
            });
      }
      return groups;
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

  /** Runs it, and ends the process if there is anything to complain of. */
  public static void main(String[] args) throws Exception {
    if (List.of(args).contains("--help")) {
      System.out.print(USAGE);
      return;
    }
    Options options;
    try {
      options = Options.parse(List.of(args));
    } catch (IllegalArgumentException e) {
      System.err.println("benchmarks/run: " + e.getMessage());
      System.err.print(USAGE);
      System.exit(2);
      return;
    }
    List<String> leftOut;
    try {
      leftOut = run(options, System.out);
    } catch (IOException | CheckpointException e) {
      leftOut = List.of("what follows is left out: " + e);
    }
    leftOut.forEach(each -> System.err.println("benchmarks/run: " + each));
    if (!leftOut.isEmpty()) {
      System.exit(1);
    }
  }

  /**
   * Measures in a new folder, which is removed again.
   *
   * @return what could not be measured, and why
   */
  static List<String> run(Options options, PrintStream out) throws Exception {
    Files.createDirectories(options.dir);
    Path folder = Files.createTempDirectory(options.dir, "ckpt-figures-");
    List<String> leftOut = new ArrayList<>();
    try {
      out.printf(
          Locale.ROOT,
          "In %s; Java %s, %d cores%n",
          options.dir.toAbsolutePath(),
          Runtime.version(),
          Runtime.getRuntime().availableProcessors());
      if (options.groups.contains(Group.SAVES)) {
        out.println("\nSaves and restores");
        out.print(Figure.table(saves(folder, options, out)));
      }
      if (options.groups.contains(Group.TRAINING)) {
        out.println("\nTrainings");
        training(folder, options, out, leftOut);
      }
      if (options.groups.contains(Group.DL4J)) {
        out.println("\nDL4J");
        dl4j(folder, options, out);
      }
      if (options.groups.contains(Group.HDF5)) {
        out.println("\nHDF5");
        peers(
            options,
            new PeerFigures(folder, options.h5py, "hdf5", 1),
            "h5py",
            PeerFigures.HDF5,
            out,
            leftOut);
      }
      if (options.groups.contains(Group.PEERS)) {
        out.println("\nPeers");
        peers(
            options,
            new PeerFigures(folder, options.python, "arrow", Double.NaN),
            "peers",
            options.kinds,
            out,
            leftOut);
      }
      return leftOut;
    } finally {
      remove(folder);
    }
  }

  private static List<Figure> saves(Path folder, Options options, PrintStream out)
      throws Exception {
    DirectState state = large(options, out);
    DirectState target = state.like();
    SaveFigures saves = new SaveFigures(folder, "large", state);
    saves.measure(target, options.pairs, out);
    List<Figure> figures = new ArrayList<>(saves.figures());
    figures.addAll(
        new RestoreFigures(folder, "large", saves.newest(), state, target).measure(options.pairs));
    LookFigures looks = new LookFigures(folder);
    figures.add(looks.verify("large", saves.newest(), options.pairs));
    figures.add(looks.list(Math.min(10_000, 250 * options.megabytes)));
    SaveFigures small = new SaveFigures(folder, "small", DirectState.small(10_000));
    small.measureStall("10,000 tensors of 1 KiB", options.pairs);
    figures.addAll(small.figures());
    return figures;
  }

  private static void training(Path folder, Options options, PrintStream out, List<String> leftOut)
      throws Exception {
    try {
      out.println("DJL " + Engine.getDjlVersion() + ", " + TrainingFigures.engine());
    } catch (EngineException e) {
      leftOut.add("no trainings: DJL finds no engine that runs here: " + e.getMessage());
      return;
    }
    List<Figure> figures = new ArrayList<>();
    for (Workload workload : List.of(Workload.digits(options.quick), Workload.mlp(options.quick))) {
      figures.addAll(new TrainingFigures(folder, workload).measure(options.pairs, out));
    }
    out.print(Figure.table(figures));
  }

  private static void dl4j(Path folder, Options options, PrintStream out) throws Exception {
    List<Figure> figures = new ArrayList<>();
    for (Dl4jWorkload workload : Dl4jWorkload.all(options.quick)) {
      figures.addAll(new Dl4jFigures(folder, workload).measure(options.pairs, out));
    }
    out.print(Figure.table(figures));
    out.println();
    Dl4jResumes resumes = new Dl4jResumes(folder);
    out.print(Dl4jResumes.table(resumes.compare()));
    out.println("CheckpointListener on the folder of its own run: " + resumes.inItsOwnFolder());
  }

  private static void peers(
      Options options,
      PeerFigures peers,
      String what,
      List<String> kinds,
      PrintStream out,
      List<String> leftOut)
      throws Exception {
    if (!peers.hasPython()) {
      leftOut.add("no " + what + ": there is no Python environment for it, see above");
      return;
    }
    DirectState state = large(options, out);
    out.print(Figure.table(peers.measure(kinds, state, state.like(), options.pairs, out)));
    leftOut.addAll(peers.leftOut());
  }

  private static DirectState large(Options options, PrintStream out) {
    DirectState state = DirectState.gpt2(options.megabytes * 1_000_000L);
    out.printf(Locale.ROOT, "%.1f MB in %d tensors%n", state.bytes() / 1e6, state.tensors().size());
    return state;
  }

  /** Removes a file, or a folder with all below it. */
  static void remove(Path folder) throws IOException {
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
