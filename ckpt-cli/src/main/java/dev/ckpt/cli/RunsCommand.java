package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "runs",
    description = {
      "The runs of the store: how far each is, what it holds, and how its newest"
          + " attempt ended; and the parameters in which they differ."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt runs",
      "  ckpt runs --config",
      "  ckpt --store /data/ckpt runs --json"
    })
final class RunsCommand extends StoreCommand {

  @Option(names = "--config", description = "Also the settings in which they differ.")
  private boolean config;

  @Option(names = "--json", description = "One JSON document: {\"store\", \"runs\": [...]}.")
  private boolean json;

  /** A line of the table. */
  private record Line(
      String run,
      int checkpoints,
      int unknown,
      Optional<Checkpoint> latest,
      long bytes,
      Optional<Attempt> last,
      Map<String, String> facts) {

    static Line of(String run, Checkpoints looked) {
      List<ListedCheckpoint> all = looked.all();
      List<Attempt> attempts = looked.attempts();
      List<Checkpoint> live =
          all.stream()
              .filter(each -> each.standing() == ListedCheckpoint.Standing.LIVE)
              .flatMap(each -> each.checkpoint().stream())
              .toList();
      return new Line(
          run,
          live.size(),
          (int)
              all.stream()
                  .filter(each -> each.standing() == ListedCheckpoint.Standing.UNKNOWN)
                  .count(),
          newest(live),
          all.stream().mapToLong(ListedCheckpoint::bytes).sum(),
          attempts.isEmpty() ? Optional.empty() : Optional.of(attempts.get(attempts.size() - 1)),
          Contrast.facts(attempts));
    }

    /** As the ID latest: the newest finite one; if there is none, the newest. */
    private static Optional<Checkpoint> newest(List<Checkpoint> live) {
      Optional<Checkpoint> finite =
          live.stream().filter(Checkpoint::finite).reduce((older, newer) -> newer);
      return finite.or(() -> live.stream().reduce((older, newer) -> newer));
    }

    Json json(Contrast contrast) {
      return new Json()
          .put("run", run)
          .put("checkpoints", checkpoints)
          .put("bytes", bytes)
          .put("latest", latest.map(Facts::of))
          .put("lastAttempt", last.map(Facts::of))
          .put("differs", contrast.json(facts));
    }
  }

  @Override
  int on(Place place, Console console) {
    List<Line> lines = new ArrayList<>();
    int code = Exit.FINE;
    for (String run : place.chosen(!runIsGiven())) {
      try {
        Line line = Line.of(run, place.checkpoints(run));
        lines.add(line);
        if (line.unknown() > 0) {
          console.say(
              "run '"
                  + run
                  + "': "
                  + Text.count(line.unknown(), "checkpoint")
                  + " of which nobody can tell whether they are live, and so not counted; see"
                  + " `ckpt --run "
                  + run
                  + " list --all`");
        }
      } catch (CheckpointException | UncheckedIOException e) {
        // one that cannot be looked at keeps no other from being shown
        code = Math.max(code, Failures.report(console, e));
      }
    }
    Contrast contrast = Contrast.between(lines.stream().map(Line::facts).toList(), config);
    if (json) {
      new Json()
          .put("store", place.store().uri().toString())
          .list("runs", lines, line -> line.json(contrast))
          .print(console);
    } else if (lines.isEmpty()) {
      if (code == Exit.FINE) {
        console.say("there is no run in " + place.store().uri());
      }
    } else {
      print(lines, contrast, console);
    }
    return code;
  }

  private static void print(List<Line> lines, Contrast contrast, Console console) {
    Table table =
        new Table()
            .left("RUN")
            .right("CHECKPOINTS")
            .right("STEP")
            .right("EPOCH")
            .movable()
            .right("AGE")
            .movable()
            .right("SIZE")
            .movable()
            .right("ATTEMPTS")
            .movable()
            .left("LAST");
    contrast.columns(table);
    for (Line line : lines) {
      List<String> cells =
          new ArrayList<>(
              List.of(
                  line.run(),
                  Integer.toString(line.checkpoints()),
                  line.latest().map(c -> Long.toString(c.progress().step())).orElse("-"),
                  line.latest().map(c -> Integer.toString(c.progress().epoch())).orElse("-"),
                  line.latest()
                      .map(c -> Text.age(c.committedAt(), console.clock.instant()))
                      .orElse("-"),
                  Text.size(line.bytes()),
                  line.last().map(a -> Integer.toString(a.number())).orElse("-"),
                  line.last().map(Facts::end).orElse("-")));
      cells.addAll(contrast.cells(line.facts()));
      table.row(Table.Tone.PLAIN, cells);
    }
    table.print(console);
  }
}
