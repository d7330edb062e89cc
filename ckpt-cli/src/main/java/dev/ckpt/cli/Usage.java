package dev.ckpt.cli;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.MutuallyExclusiveArgsException;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What is wrong with a command line, in words of ours: picocli's are for who wrote the command. */
final class Usage {
  private static final String NO_COMMAND = "Unknown subcommand '";

  private static final Pattern QUOTED = Pattern.compile("'([^']+)'");

  private Usage() {}

  static String message(ParameterException wrong) {
    String text = String.valueOf(wrong.getMessage());
    CommandLine at = wrong.getCommandLine();
    ArgSpec argument = wrong.getArgSpec();
    if (wrong instanceof UnmatchedArgumentException unmatched) {
      return unmatched(unmatched, at);
    }
    if (text.startsWith(NO_COMMAND)) {
      String named = text.substring(NO_COMMAND.length()).replaceAll("'.*", "");
      return "there is no command '" + named + "'" + meant(named, commands(at));
    }
    if (wrong instanceof OverwrittenOptionException) {
      return quoted(text) + " is given twice";
    }
    if (wrong instanceof MutuallyExclusiveArgsException) {
      return exclusive(text);
    }
    if (wrong instanceof MissingParameterException missing) {
      return missing(missing, text);
    }
    if (argument != null && wrong.getCause() instanceof TypeConversionException own) {
      String why = String.valueOf(own.getMessage());
      return name(argument) + ": " + why.replace(" is not an int", " is no whole number that fits");
    }
    return text.isEmpty() ? text : Character.toLowerCase(text.charAt(0)) + text.substring(1);
  }

  private static String unmatched(UnmatchedArgumentException unmatched, CommandLine at) {
    String first = unmatched.getUnmatched().get(0);
    if (unmatched.isUnknownOption()) {
      List<String> known = new ArrayList<>();
      at.getCommandSpec().options().forEach(option -> known.addAll(List.of(option.names())));
      return "there is no option '" + first + "'" + meant(first, known);
    }
    return at.getSubcommands().isEmpty()
        ? "there is no place for the argument '" + first + "'"
        : "there is no command '" + first + "'" + meant(first, commands(at));
  }

  private static String missing(MissingParameterException missing, String picocli) {
    if (picocli.startsWith("Missing required parameter for option")
        || picocli.startsWith("Expected parameter for option")) {
      return quoted(picocli) + " needs a value";
    }
    return missing.getMissing().isEmpty()
        ? picocli
        : "missing: "
            + missing.getMissing().stream()
                .map(
                    each ->
                        name(each) + (each instanceof OptionSpec ? " " + each.paramLabel() : ""))
                .collect(Collectors.joining(", "));
  }

  /** The option that picocli names first, between quotes. */
  private static String quoted(String picocli) {
    Matcher name = QUOTED.matcher(picocli);
    return name.find() ? name.group(1) : "an option";
  }

  private static String exclusive(String picocli) {
    int end = picocli.indexOf(" are mutually exclusive");
    if (end < 0) {
      return picocli;
    }
    return picocli.substring(0, end).replace("Error: ", "").replace(", ", " and ")
        + " exclude each other";
  }

  private static String name(ArgSpec argument) {
    return argument instanceof OptionSpec option ? option.longestName() : argument.paramLabel();
  }

  private static Collection<String> commands(CommandLine at) {
    CommandLine parent = at.getParent();
    return (parent == null ? at : parent).getSubcommands().keySet();
  }

  /** The nearest of the known words, if it is near enough to be meant. */
  private static String meant(String word, Collection<String> known) {
    int near = Math.max(1, word.length() / 3);
    Optional<String> nearest =
        known.stream()
            .filter(each -> each.length() > 2 || word.length() <= 2)
            .filter(each -> distance(word, each) <= near)
            .min(Comparator.comparingInt(each -> distance(word, each)));
    return nearest.map(each -> " (did you mean " + each + "?)").orElse("");
  }

  /** Levenshtein's. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[b.length()];
  }
}
