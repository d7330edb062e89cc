package dev.ckpt.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The {@code ckpt} command. */
@Command(
    name = "ckpt",
    mixinStandardHelpOptions = true,
    scope = ScopeType.INHERIT,
    versionProvider = Ckpt.Version.class,
    usageHelpWidth = 100,
    sortOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    optionListHeading = "%nOptions:%n",
    parameterListHeading = "%nArguments:%n",
    commandListHeading = "%nCommands:%n")
public final class Ckpt implements Runnable {

  @Option(
      names = "--store",
      paramLabel = "URI",
      scope = ScopeType.INHERIT,
      defaultValue = "",
      showDefaultValue = CommandLine.Help.Visibility.NEVER,
      description = "Path or URI of the store. Else CKPT_STORE, else ./checkpoints.")
  String store = "";

  @Option(
      names = "--run",
      paramLabel = "NAME",
      scope = ScopeType.INHERIT,
      defaultValue = "",
      showDefaultValue = CommandLine.Help.Visibility.NEVER,
      description = "The run. Else CKPT_RUN, else the only one of the store.")
  String run = "";

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Stack traces of errors, and what else there is to tell.")
  void verbose(boolean wanted) {
    console.verbose(wanted);
  }

  @Spec CommandSpec spec = CommandSpec.create();

  final Console console;

  Ckpt(Console console) {
    this.console = console;
  }

  /** Made only when named: to look at the annotations of all would double the time to start. */
  private static Map<String, Supplier<Object>> commands() {
    Map<String, Supplier<Object>> commands = new LinkedHashMap<>();
    commands.put("runs", RunsCommand::new);
    commands.put("list", ListCommand::new);
    commands.put("show", ShowCommand::new);
    commands.put("verify", VerifyCommand::new);
    commands.put("diff", DiffCommand::new);
    commands.put("best", BestCommand::new);
    commands.put("export", ExportCommand::new);
    commands.put("convert", ConvertCommand::new);
    commands.put("log", LogCommand::new);
    commands.put("tail", TailCommand::new);
    commands.put("pin", PinCommand.Pin::new);
    commands.put("unpin", PinCommand.Unpin::new);
    commands.put("gc", GcCommand::new);
    commands.put("repair", RepairCommand::new);
    commands.put("mlflow", MlflowCommand::new);
    commands.put("help", HelpCommand::new);
    return commands;
  }

  /** All of it, as the help shows it. */
  static CommandLine whole(Console console) {
    return commandLine(console, List.of());
  }

  private static CommandLine commandLine(Console console, List<String> arguments) {
    CommandLine root = new CommandLine(new Ckpt(console));
    Map<String, Supplier<Object>> commands = commands();
    boolean all =
        arguments.stream().noneMatch(commands::containsKey)
            || arguments.contains("help")
            || arguments.get(0).equals("--help")
            || arguments.get(0).equals("-h");
    commands.forEach(
        (name, command) -> {
          if (all || arguments.contains(name)) {
            root.addSubcommand(name, command.get());
          }
        });
    if (all) {
      root.getCommandSpec().usageMessage().description(DESCRIPTION);
      root.getCommandSpec().usageMessage().footer(FOOTER);
    }
    root.setColorScheme(
        CommandLine.Help.defaultColorScheme(console.coloured() ? Ansi.ON : Ansi.OFF));
    if (console.width() > 0) {
      // picocli takes no less than 55
      root.setUsageHelpWidth(Math.max(55, Math.min(100, console.width())));
    }
    root.setOut(new PrintWriter(console.out, true, StandardCharsets.UTF_8));
    root.setErr(new PrintWriter(console.err, true, StandardCharsets.UTF_8));
    root.setParameterExceptionHandler((wrong, args) -> Failures.usage(console, wrong));
    root.setExecutionExceptionHandler((e, line, result) -> Failures.report(console, e));
    return root;
  }

  /** Without a command. */
  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  /** Runs a command line; returns its exit code. */
  static int run(Console console, String... arguments) {
    Warnings.to(console);
    int code;
    try {
      requireNames(Arrays.asList(arguments));
      code = commandLine(console, Arrays.asList(arguments)).execute(arguments);
    } catch (Throwable e) {
      code = Failures.report(console, e);
    }
    try {
      console.finish();
    } catch (IOException e) {
      return Failures.report(console, e);
    }
    return code;
  }

  /** A script's variable that is empty must not mean another store. */
  private static void requireNames(List<String> arguments) {
    for (String option : List.of("--store", "--run")) {
      int at = arguments.indexOf(option);
      boolean empty = at >= 0 && at + 1 < arguments.size() && arguments.get(at + 1).isEmpty();
      if (empty || arguments.contains(option + "=")) {
        throw new Problem(Exit.USAGE, option + " is empty: name one, or leave the option out");
      }
    }
  }

  /** Ends the process with the command's exit code. */
  public static void main(String[] arguments) {
    System.exit(run(Console.system(), arguments));
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"ckpt " + version()};
    }
  }

  /** What the jar says; classes that are in no jar are of no version. */
  static String version() {
    return Optional.ofNullable(Ckpt.class.getPackage().getImplementationVersion())
        .orElse("(not built)");
  }

  private static final String[] DESCRIPTION = {
    "Looks at checkpoints, compares, verifies, exports, converts, cleans up and repairs them.",
    "",
    "An argument ID is an id like 000001-000000000100-0, 'latest', 'best(metric)' (the largest),"
        + " 'best(metric,min)', or 'best' as the run's keep.best says, among the committed"
        + " checkpoints of the run's live branch.",
    "Results go to stdout, everything else to stderr. Options of all commands may stand before or"
        + " behind the command."
  };

  private static final String[] FOOTER = {
    "",
    "Exit codes:",
    "   0  fine",
    "   1  verify found damage, or diff a difference",
    "   2  wrong usage",
    "   3  there is no such store, run or checkpoint",
    "   4  the store failed (I/O, permissions), something that had to be read is damaged, or",
    "      the results could not be written",
    "   5  refused: the run is in use",
    "   6  written by a newer version of ckpt",
    "  70  a bug in ckpt: please report it, with what --verbose prints",
    " 130  ended by Ctrl+C",
    "",
    "Examples:",
    "  ckpt runs",
    "  ckpt --store /data/ckpt --run digits list",
    "  ckpt show latest",
    "  ckpt verify --all-runs"
  };
}
