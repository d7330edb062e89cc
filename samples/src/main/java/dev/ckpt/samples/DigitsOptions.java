package dev.ckpt.samples;

import dev.ckpt.CheckpointConfig;
import dev.ckpt.CheckpointManager;
import dev.ckpt.CheckpointManagerBuilder;
import dev.ckpt.Resume;
import dev.ckpt.SaveTrigger;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The command line of the programs that learn the digits.
 *
 * @param epochs the goal, counted from the start of the run
 * @param dir where the checkpoints go; empty: as the configuration says
 * @param config a configuration file
 * @param fresh whether to begin anew although there are checkpoints
 * @param everySteps saves each so many updates, instead of about every second
 * @param rows how many of the 1,797 images to use
 * @param format of the shards; empty: as the configuration says
 * @param mlflow whether to show the run in MLflow
 */
record DigitsOptions(
    boolean help,
    int epochs,
    Optional<Path> dir,
    Optional<Path> config,
    boolean fresh,
    OptimizerKind optimizer,
    Loop loop,
    Place listener,
    int prefetch,
    int accumulate,
    OptionalLong seed,
    int batch,
    OptionalInt everySteps,
    int rows,
    Optional<String> format,
    boolean mlflow) {

  /** Which optimizer updates the weights. */
  enum OptimizerKind {
    ADAM,
    ADAMW,
    SGD
  }

  /** Who runs the loop over the batches. */
  enum Loop {
    FIT,
    EASYTRAIN,
    MANUAL
  }

  /** Where the checkpoints' listener stands among the others. */
  enum Place {
    FIRST,
    MIDDLE,
    LAST
  }

  static final long DEFAULT_SEED = 7;

  static final String USAGE =
      """
      Usage: samples/run digits-djl [--epochs N] [--dir DIR] [--config FILE] [--format NAME] [--fresh] [--mlflow]

      Trains a small network on the UCI digits. Kill it in any way, start it again: it goes on
      where it was, and ends with the same bytes.

        --epochs N      train until N epochs are done (default 30); a larger N later trains on
        --dir DIR       keep the checkpoints there (default ./checkpoints)
        --config FILE   read a checkpoint configuration (YAML)
        --format NAME   save as arrow or hdf5 (default: as the configuration says, else arrow);
                        goes on from either
        --fresh         begin anew; earlier checkpoints stay on a branch of their own
        --mlflow        show the checkpoints in MLflow: on the server that MLFLOW_TRACKING_URI
                        names, or in a report beside them, for ckpt mlflow sync
        --help          print this

      To try other trainings:
        --optimizer adam|adamw|sgd      (default adam; sgd has momentum)
        --loop fit|easytrain|manual     who runs the loop (default fit)
        --listener first|middle|last    where the checkpoints' listener stands (default last)
        --prefetch N    load N batches ahead in threads (default 0)
        --accumulate N  update after each N batches; needs --loop manual (default 1)
        --batch N       images in a batch (default 32)
        --every-steps N save each N updates and at each epoch's end (default: as the configuration
                        says; without one, once a second and at each epoch's end)
        --rows N        use only the first N images (default 1797)
        --seed N        (default 7)

      Exit codes: 0 done, 1 training failed, 2 wrong usage or configuration, no access to the
      store, or another process has the run, 3 there are checkpoints but none can be restored,
      4 trained but a save failed, 5 the last attempts failed all alike, nothing was started,
      143 stopped by SIGTERM.
      """;

  /** The usage of one of the programs; all have the same options. */
  static String usage(String program) {
    return USAGE.replace("digits-djl", program);
  }

  private static final DigitsOptions DEFAULTS =
      new DigitsOptions(
          false,
          30,
          Optional.empty(),
          Optional.empty(),
          false,
          OptimizerKind.ADAM,
          Loop.FIT,
          Place.LAST,
          0,
          1,
          OptionalLong.empty(),
          32,
          OptionalInt.empty(),
          1797,
          Optional.empty(),
          false);

  /** A command line that cannot be followed. */
  static final class UsageException extends Exception {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
      super(message);
    }
  }

  static DigitsOptions parse(String... args) throws UsageException {
    DigitsOptions o = DEFAULTS;
    boolean help = false;
    int epochs = o.epochs;
    Optional<Path> dir = o.dir;
    Optional<Path> config = o.config;
    boolean fresh = o.fresh;
    OptimizerKind optimizer = o.optimizer;
    Loop loop = o.loop;
    Place listener = o.listener;
    int prefetch = o.prefetch;
    int accumulate = o.accumulate;
    OptionalLong seed = o.seed;
    int batch = o.batch;
    OptionalInt everySteps = o.everySteps;
    int rows = o.rows;
    Optional<String> format = o.format;
    boolean mlflow = o.mlflow;

    for (int i = 0; i < args.length; i++) {
      String option = args[i];
      switch (option) {
        case "--help", "-h" -> help = true;
        case "--fresh" -> fresh = true;
        case "--mlflow" -> mlflow = true;
        case "--epochs" -> epochs = number(option, args, ++i, 1);
        case "--dir" -> dir = Optional.of(Path.of(value(option, args, ++i)));
        case "--config" -> config = Optional.of(Path.of(value(option, args, ++i)));
        case "--optimizer" -> optimizer = choice(OptimizerKind.class, option, args, ++i);
        case "--loop" -> loop = choice(Loop.class, option, args, ++i);
        case "--listener" -> listener = choice(Place.class, option, args, ++i);
        case "--prefetch" -> prefetch = number(option, args, ++i, 0);
        case "--accumulate" -> accumulate = number(option, args, ++i, 1);
        case "--seed" -> seed = OptionalLong.of(number(option, args, ++i, 0));
        case "--batch" -> batch = number(option, args, ++i, 2);
        case "--every-steps" -> everySteps = OptionalInt.of(number(option, args, ++i, 1));
        case "--format" -> format = Optional.of(value(option, args, ++i));
        case "--rows" -> rows = number(option, args, ++i, 10);
        default -> throw new UsageException("unknown option " + option);
      }
    }
    if (accumulate > 1 && loop != Loop.MANUAL) {
      throw new UsageException(
          "--accumulate needs --loop manual: DJL's own loop updates each time");
    }
    return new DigitsOptions(
        help,
        epochs,
        dir,
        config,
        fresh,
        optimizer,
        loop,
        listener,
        prefetch,
        accumulate,
        seed,
        batch,
        everySteps,
        rows,
        format,
        mlflow);
  }

  /** Options win over the environment and the file; what none of them says is chosen here. */
  CheckpointManagerBuilder checkpoints(String run) {
    CheckpointConfig settings =
        config().map(CheckpointConfig::load).orElseGet(CheckpointConfig::defaults);
    if (dir().isPresent()) {
      settings = settings.with("store", dir().get().toString());
    }
    if (mlflow()) {
      settings = settings.with("mlflow.enabled", "true");
    }
    CheckpointManagerBuilder builder = CheckpointManager.from(settings);
    if (settings.run().isEmpty()) {
      builder.run(run);
    }
    if (seed().isPresent() || settings.seed().isEmpty()) {
      builder.seed(seed().orElse(DEFAULT_SEED));
    }
    // what one compares runs by, in ckpt runs and in MLflow
    builder.parameters(
        Map.of(
            "optimizer", optimizer().name().toLowerCase(Locale.ROOT),
            "batch", batch(),
            "accumulate", accumulate(),
            "rows", rows()));
    format().ifPresent(builder::format);
    if (fresh()) {
      builder.resume(new Resume.Never());
    }
    if (everySteps().isPresent()) {
      builder.saveWhen(andAtTheEnds(SaveTrigger.everySteps(everySteps().getAsInt())));
    } else if (config().isEmpty() && isDefault(settings, "every", "everySteps")) {
      builder.saveWhen(andAtTheEnds(SaveTrigger.every(Duration.ofSeconds(1))));
    }
    return builder;
  }

  private static boolean isDefault(CheckpointConfig config, String... triggers) {
    return Stream.of(triggers).allMatch(key -> config.origin("save." + key).equals("default"));
  }

  private static SaveTrigger andAtTheEnds(SaveTrigger during) {
    return SaveTrigger.anyOf(
        during,
        SaveTrigger.everyEpoch(),
        SaveTrigger.onStop(),
        SaveTrigger.onException(),
        SaveTrigger.onCompletion());
  }

  private static String value(String option, String[] args, int at) throws UsageException {
    if (at == args.length) {
      throw new UsageException(option + " needs a value");
    }
    return args[at];
  }

  private static int number(String option, String[] args, int at, int least) throws UsageException {
    String text = value(option, args, at);
    try {
      int number = Integer.parseInt(text);
      if (number >= least) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below, in the same words as for a number that is too small.
    }
    throw new UsageException(
        option + " needs a whole number from " + least + " on, not '" + text + "'");
  }

  private static <E extends Enum<E>> E choice(Class<E> kind, String option, String[] args, int at)
      throws UsageException {
    String text = value(option, args, at);
    for (E choice : kind.getEnumConstants()) {
      if (choice.name().toLowerCase(Locale.ROOT).equals(text)) {
        return choice;
      }
    }
    throw new UsageException(
        Arrays.stream(kind.getEnumConstants())
            .map(choice -> choice.name().toLowerCase(Locale.ROOT))
            .collect(Collectors.joining(", ", option + " is one of ", ", not '" + text + "'")));
  }
}
