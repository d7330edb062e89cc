package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.ListedCheckpoint;
import dev.ckpt.ListedCheckpoint.Standing;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "list",
    description = {
      "The checkpoints of a run, oldest first: those of the branch that the next start"
          + " goes on with.",
      "With --all also what is on dead branches, given up, undecided, damaged or half"
          + " deleted, and why."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt list",
      "  ckpt list --all -n 20",
      "  ckpt list --metric accuracy --metric loss",
      "  ckpt --run digits list --json"
    })
final class ListCommand extends StoreCommand {

  @Option(names = "--all", description = "Everything that the run has a trace of, with reasons.")
  private boolean all;

  @Option(names = "-n", paramLabel = "N", description = "Only the newest N.")
  private int newest = Integer.MAX_VALUE;

  @Option(
      names = "--metric",
      paramLabel = "M",
      description = "Show this metric; may be repeated. Without: all.")
  private List<String> metrics = new ArrayList<>();

  @Option(names = "--json", description = "One JSON document: {\"run\", \"checkpoints\": [...]}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    if (newest < 1) {
      throw wrong("-n needs at least 1, not " + newest);
    }
    String run = place.run();
    List<ListedCheckpoint> found = place.checkpoints(run).all();
    List<ListedCheckpoint> chosen =
        found.stream()
            .filter(each -> all || each.standing() == Standing.LIVE)
            .filter(each -> !isMark(each) || json || console.verbose())
            .toList();
    List<ListedCheckpoint> shown =
        chosen.subList(Math.max(0, chosen.size() - newest), chosen.size());
    if (json) {
      new Json().put("run", run).list("checkpoints", shown, Facts::of).print(console);
    } else if (shown.isEmpty()) {
      console.say("run '" + run + "' has no checkpoint" + (all ? "" : " on its live branch"));
    } else {
      print(shown, console);
    }
    if (!all) {
      leftOut(found, console);
    } else if (!json && !console.verbose()) {
      long marks = found.stream().filter(ListCommand::isMark).count();
      if (marks > 0) {
        console.say(
            "left out: "
                + marks
                + " deleted, of which only the mark is left; "
                + again("list --all --verbose")
                + " shows them");
      }
    }
    unknownMetrics(shown, console);
    return Exit.FINE;
  }

  /** Whether nothing is left of a checkpoint but the word that it was deleted. */
  private static boolean isMark(ListedCheckpoint each) {
    return each.standing() == Standing.DELETED
        && each.checkpoint().isEmpty()
        && each.bytes() == 0
        && !each.pinned();
  }

  private void unknownMetrics(List<ListedCheckpoint> shown, Console console) {
    Set<String> known = new TreeSet<>();
    shown.forEach(each -> each.checkpoint().ifPresent(c -> known.addAll(c.metrics().keySet())));
    for (String metric : metrics) {
      if (!shown.isEmpty() && !known.contains(metric)) {
        console.say(
            "none of these has the metric '"
                + metric
                + "'; "
                + (known.isEmpty() ? "they have none" : "known: " + String.join(", ", known)));
      }
    }
  }

  /** What a start would miss is said, what is merely history is not. */
  private void leftOut(List<ListedCheckpoint> found, Console console) {
    long damaged = found.stream().filter(each -> each.standing() == Standing.DAMAGED).count();
    long newer = found.stream().filter(each -> each.standing() == Standing.NEWER).count();
    if (damaged > 0) {
      console.say("left out: " + damaged + " damaged; see " + again("list --all"));
    }
    long unknown = found.stream().filter(each -> each.standing() == Standing.UNKNOWN).count();
    if (unknown > 0) {
      console.say(
          "left out: "
              + unknown
              + " of which nobody can tell whether they are live, because a record of the run is"
              + " damaged; "
              + again("repair")
              + " says whether it can be mended");
    }
    if (newer > 0) {
      console.say(
          "left out: " + newer + " written by a newer version of ckpt; see " + again("list --all"));
    }
  }

  private void print(List<ListedCheckpoint> shown, Console console) {
    Set<String> names = metrics.isEmpty() ? new TreeSet<>() : new LinkedHashSet<>(metrics);
    if (metrics.isEmpty()) {
      shown.forEach(each -> each.checkpoint().ifPresent(c -> names.addAll(c.metrics().keySet())));
    }
    Table table =
        new Table()
            .left("ID")
            .right("STEP")
            .right("EPOCH")
            .right("AGE")
            .movable()
            .right("SIZE")
            .movable();
    names.forEach(name -> table.right(name).movable());
    if (all) {
      table.left("STANDING");
    }
    table.text("NOTE");
    for (ListedCheckpoint each : shown) {
      table.row(tone(each.standing()), cells(each, names, console));
    }
    table.print(console);
  }

  private List<String> cells(ListedCheckpoint each, Set<String> names, Console console) {
    List<String> cells = new ArrayList<>();
    cells.add(each.id());
    cells.add(each.checkpoint().map(c -> Long.toString(c.progress().step())).orElse(""));
    cells.add(each.checkpoint().map(c -> Integer.toString(c.progress().epoch())).orElse(""));
    cells.add(
        each.checkpoint().map(c -> Text.age(c.committedAt(), console.clock.instant())).orElse(""));
    cells.add(each.bytes() == 0 ? "" : Text.size(each.bytes()));
    for (String name : names) {
      cells.add(each.checkpoint().map(c -> c.metrics().get(name)).map(Text::number).orElse(""));
    }
    if (all) {
      cells.add(Text.word(each.standing()));
    }
    List<String> notes = new ArrayList<>();
    if (each.pinned()) {
      notes.add("pinned");
    }
    if (!each.checkpoint().map(Checkpoint::finite).orElse(true)) {
      notes.add("not finite");
    }
    if (!each.reason().isEmpty()) {
      notes.add(each.reason());
    }
    cells.add(String.join("; ", notes));
    return cells;
  }

  private static Table.Tone tone(Standing standing) {
    return switch (standing) {
      case LIVE -> Table.Tone.PLAIN;
      case DAMAGED, QUARANTINED, NEWER, UNKNOWN -> Table.Tone.BAD;
      default -> Table.Tone.FAINT;
    };
  }
}
