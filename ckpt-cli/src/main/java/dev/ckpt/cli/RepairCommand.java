package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.Maintenance;
import dev.ckpt.MaintenanceAction;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "repair",
    description = {
      "Mends what can be proven and moves aside, below quarantine/, what cannot be"
          + " used; no byte is invented, and nothing that is whole is touched.",
      "Only says what it would do, unless --apply is given."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt repair",
      "  ckpt --run digits repair --apply",
      "  ckpt repair --all-runs --json"
    })
final class RepairCommand extends StoreCommand {

  @Option(
      names = {"--apply", "--yes"},
      description = "Do it.")
  private boolean apply;

  @Option(names = "--dry-run", description = "Only say what would be done. The default.")
  private boolean dryRun;

  @Option(names = "--all-runs", description = "All runs of the store, not one.")
  private boolean allRuns;

  @Option(
      names = "--take-over",
      description = "Take over runs that are in use: their processes can commit nothing any more.")
  private boolean takeOver;

  @Option(
      names = "--json",
      description = "One JSON document: {\"dryRun\", \"actions\": [...], \"freedBytes\"}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    if (apply && dryRun) {
      throw wrong("--apply and --dry-run exclude each other");
    }
    if (allRuns && runIsGiven()) {
      throw wrong("--all-runs is about all runs; leave --run out");
    }
    List<MaintenanceAction> actions = new ArrayList<>();
    Maintenance maintenance =
        Maintenance.of(place.store()).takeOver(takeOver).telling(actions::add);
    int code = Exit.FINE;
    List<String> runs = place.chosen(allRuns);
    for (String run : runs) {
      try {
        maintenance.repair(run, !apply);
      } catch (CheckpointException | UncheckedIOException e) {
        if (!allRuns) {
          Actions.printDone(actions, !apply, json, false, console);
          throw e;
        }
        // one run in use, or that cannot be read, keeps no other from being mended
        code = Math.max(code, Failures.report(console, e));
        actions.add(Actions.leftAlone(run, e));
      }
    }
    Actions.print(actions, !apply, json, allRuns, console);
    boolean something =
        actions.stream().anyMatch(each -> each.kind() != MaintenanceAction.Kind.LEAVE);
    if (!apply && !json && something) {
      if (!takeOver) {
        Actions.warnOfRunsInUse(place, runs, console);
      }
      console.say("to do it: " + again("repair --apply" + (allRuns ? " --all-runs" : "")));
    }
    return code;
  }
}
