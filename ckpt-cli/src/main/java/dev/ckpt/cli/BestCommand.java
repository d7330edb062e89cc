package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.CheckpointException;
import dev.ckpt.Retention;
import dev.ckpt.manifest.CheckpointId;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "best",
    description = {
      "The best checkpoints by a metric, the best first: finite ones of the live"
          + " branch; of equal ones the newer. With --all-runs also the parameters in which the"
          + " runs differ."
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

  @Option(names = "--config", description = "With --all-runs: also the settings that differ.")
  private boolean config;

  @Option(
      names = "--json",
      description = "One JSON document: {\"metric\", \"mode\", \"best\": [...]}.")
  private boolean json;

  /**
   * One of the best.
   *
   * @param facts of the process that saved it
   */
  private record Found(String run, Checkpoint checkpoint, double value, Map<String, String> facts) {

    static Found of(String run, Checkpoint checkpoint, double value, List<Attempt> attempts) {
      int number = CheckpointId.parse(checkpoint.id()).map(CheckpointId::attempt).orElse(0);
      Map<String, String> facts =
          attempts.stream()
              .filter(each -> each.number() == number)
              .findFirst()
              .map(Contrast::facts)
              .orElse(Map.of());
      return new Found(run, checkpoint, value, facts);
    }
  }

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
    if (config && !allRuns) {
      throw wrong("--config needs --all-runs: one run does not differ from itself");
    }
    Retention.Mode mode = direction.mode();
    List<Found> found = new ArrayList<>();
    List<Checkpoint> seen = new ArrayList<>();
    List<Map<String, String>> facts = new ArrayList<>();
    List<String> runs = place.chosen(allRuns);
    int code = Exit.FINE;
    for (String run : runs) {
      List<Checkpoint> all;
      List<Attempt> attempts;
      try {
        all = place.checkpoints(run).list();
        attempts = allRuns ? place.checkpoints(run).attempts() : List.of();
      } catch (CheckpointException | UncheckedIOException e) {
        if (!allRuns) {
          throw e;
        }
        // one that cannot be looked at keeps no other from being found
        String why = "run '" + run + "' is left out: " + Failures.message(e);
        code = Math.max(code, Failures.report(console, new Problem(Failures.code(e), why)));
        continue;
      }
      facts.add(Contrast.facts(attempts));
      seen.addAll(all);
      for (Checkpoint each : Retention.best(metric, mode, count).keep(all)) {
        double value = each.metrics().getOrDefault(metric, Double.NaN);
        found.add(Found.of(run, each, value, attempts));
      }
    }
    if (found.isEmpty() && code != Exit.FINE) {
      return code;
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
    Contrast contrast = Contrast.between(facts, config);
    if (json) {
      new Json()
          .put("metric", metric)
          .put("mode", Text.name(mode))
          .list(
              "best",
              best,
              each ->
                  Facts.of(each.checkpoint())
                      .put("run", each.run())
                      .put("differs", contrast.json(each.facts())))
          .print(console);
    } else {
      print(best, contrast, console);
    }
    return code;
  }

  private void print(List<Found> best, Contrast contrast, Console console) {
    Table table = new Table().left(allRuns ? "RUN" : "").left("ID").right(metric).right("STEP");
    contrast.columns(table);
    table.right("EPOCH").movable().right("AGE").movable().right("SIZE").movable();
    for (Found each : best) {
      List<String> cells =
          new ArrayList<>(
              List.of(
                  allRuns ? each.run() : "",
                  each.checkpoint().id(),
                  Text.number(each.value()),
                  Long.toString(each.checkpoint().progress().step())));
      cells.addAll(contrast.cells(each.facts()));
      cells.addAll(
          List.of(
              Integer.toString(each.checkpoint().progress().epoch()),
              Text.age(each.checkpoint().committedAt(), console.clock.instant()),
              Text.size(each.checkpoint().bytes())));
      table.row(Table.Tone.PLAIN, cells);
    }
    table.print(console);
  }
}
