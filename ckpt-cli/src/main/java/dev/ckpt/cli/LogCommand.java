package dev.ckpt.cli;

import dev.ckpt.Attempt;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "log",
    description = {
      "The attempts of a run, oldest first: what each went on from, how far it came,"
          + " how it ended, and what work was lost."
    },
    footer = {"", "Examples:", "  ckpt log", "  ckpt log -n 5", "  ckpt --run digits log --json"})
final class LogCommand extends StoreCommand {

  @Option(names = "-n", paramLabel = "N", description = "Only the newest N.")
  private int newest = Integer.MAX_VALUE;

  @Option(names = "--json", description = "One JSON document: {\"run\", \"attempts\": [...]}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    if (newest < 1) {
      throw wrong("-n needs at least 1, not " + newest);
    }
    String run = place.run();
    List<Attempt> all = place.checkpoints(run).attempts();
    List<Attempt> shown = all.subList(Math.max(0, all.size() - newest), all.size());
    if (json) {
      new Json().put("run", run).list("attempts", shown, Facts::of).print(console);
    } else if (shown.isEmpty()) {
      console.say("run '" + run + "' has no attempt");
    } else {
      print(shown, console);
    }
    return Exit.FINE;
  }

  private static void print(List<Attempt> shown, Console console) {
    Table table =
        new Table()
            .right("ATTEMPT")
            .left("STARTED")
            .movable()
            .left("FROM")
            .left("TO")
            .right("CHECKPOINTS")
            .movable()
            .left("END")
            .left("LOST")
            .movable()
            .text("CAUSE");
    for (Attempt each : shown) {
      table.row(
          each.live() ? Table.Tone.PLAIN : Table.Tone.FAINT,
          List.of(
              Integer.toString(each.number()),
              each.startedAt().map(Text::moment).orElse("?"),
              from(each),
              each.to().orElse("-"),
              Integer.toString(each.committed()),
              Facts.end(each),
              lost(each),
              cause(each)));
    }
    table.print(console);
  }

  private static String from(Attempt attempt) {
    if (Facts.isConversion(attempt)) {
      return "converted";
    }
    String otherwise = attempt.to().isEmpty() ? "never started" : "unknown";
    return attempt.from().orElse(attempt.started() ? "fresh start" : otherwise);
  }

  /** {@code 12 steps}, {@code 12 steps (at most 3 min)}; empty if there was nothing to lose. */
  static String lost(Attempt attempt) {
    if (!attempt.started() || attempt.lostSteps().orElse(-1) == 0) {
      return "";
    }
    Optional<String> time =
        // rounded up: a bound holds
        attempt.lostAtMost().map(most -> "at most " + Text.duration(most.plusMillis(999)));
    if (attempt.lostSteps().isEmpty()) {
      return time.orElse("");
    }
    String steps = Text.count(attempt.lostSteps().getAsLong(), "step");
    return steps + time.map(most -> " (" + most + ")").orElse("");
  }

  private static String cause(Attempt attempt) {
    List<String> clauses = new ArrayList<>();
    attempt.cause().ifPresent(clauses::add);
    attempt.skipped().forEach(skipped -> clauses.add("passed over: " + skipped));
    return String.join("; ", clauses);
  }
}
