package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.Retention;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "best",
    description = {
      "The best checkpoints by a metric, the best first: finite ones of the live"
          + " branch; of equal ones the newer."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt best --metric accuracy",
      "  ckpt best --metric loss --min -n 3",
      "  ckpt best --metric loss --min --all-runs --json"
    })
final class BestCommand extends StoreCommand {

  @Option(names = "--metric", paramLabel = "M", required = true, description = "By which metric.")
  private String metric = "";

  private static final class Direction {
    @Option(names = "--max", description = "The largest value is the best. The default.")
    private boolean max;

    @Option(names = "--min", description = "The smallest value is the best: a loss.")
    private boolean min;

    Retention.Mode mode() {
      return min && !max ? Retention.Mode.MIN : Retention.Mode.MAX;
    }
  }

  @ArgGroup(exclusive = true)
  private Direction direction = new Direction();

  @Option(names = "-n", paramLabel = "N", description = "How many; 1 unless given.")
  private int count = 1;

  @Option(names = "--all-runs", description = "Among all runs of the store.")
  private boolean allRuns;

  @Option(
      names = "--json",
      description = "One JSON document: {\"metric\", \"mode\", \"best\": [...]}.")
  private boolean json;

  private record Found(String run, Checkpoint checkpoint, double value) {}

  @Override
  int on(Place place, Console console) {
    if (metric.isBlank()) {
      throw wrong("--metric needs the name of a metric");
    }
    if (count < 1) {
      throw wrong("-n needs at least 1, not " + count);
    }
    if (allRuns && runIsGiven()) {
      throw wrong("--run and --all-runs exclude each other");
    }
    Retention.Mode mode = direction.mode();
    List<Found> found = new ArrayList<>();
    List<Checkpoint> seen = new ArrayList<>();
    List<String> runs = place.chosen(allRuns);
    for (String run : runs) {
      List<Checkpoint> all = place.checkpoints(run).list();
      seen.addAll(all);
      for (Checkpoint each : Retention.best(metric, mode, count).keep(all)) {
        found.add(new Found(run, each, each.metrics().getOrDefault(metric, Double.NaN)));
      }
    }
    if (found.isEmpty()) {
      throw Reference.noMetric(
          runs.size() == 1 ? runs.get(0) : place.store().uri().toString(), metric, seen);
    }
    Comparator<Found> byValue = Comparator.comparingDouble(each -> each.value() + 0.0);
    Comparator<Found> bestFirst = mode == Retention.Mode.MIN ? byValue : byValue.reversed();
    List<Found> best =
        found.stream()
            .sorted(
                bestFirst.thenComparing(each -> each.checkpoint().id(), Comparator.reverseOrder()))
            .limit(count)
            .toList();
    if (json) {
      new Json()
          .put("metric", metric)
          .put("mode", Text.name(mode))
          .list("best", best, each -> Facts.of(each.checkpoint()).put("run", each.run()))
          .print(console);
    } else {
      print(best, console);
    }
    return Exit.FINE;
  }

  private void print(List<Found> best, Console console) {
    Table table =
        new Table()
            .left(allRuns ? "RUN" : "")
            .left("ID")
            .right(metric)
            .right("STEP")
            .right("EPOCH")
            .movable()
            .right("AGE")
            .movable()
            .right("SIZE")
            .movable();
    for (Found each : best) {
      table.row(
          allRuns ? each.run() : "",
          each.checkpoint().id(),
          Text.number(each.value()),
          Long.toString(each.checkpoint().progress().step()),
          Integer.toString(each.checkpoint().progress().epoch()),
          Text.age(each.checkpoint().committedAt(), console.clock.instant()),
          Text.size(each.checkpoint().bytes()));
    }
    table.print(console);
  }
}
