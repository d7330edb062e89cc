package dev.ckpt.cli;

import dev.ckpt.Maintenance;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "repair",
    description = {
      "Mends what can be proven and moves aside, below quarantine/, what cannot be"
          + " used; no byte is invented, and nothing that is whole is touched.",
      "Only says what it would do, unless --apply is given."
    },
    footer = {"", "Examples:", "  ckpt repair", "  ckpt --run digits repair --apply"})
final class RepairCommand extends StoreCommand {

  @Option(
      names = {"--apply", "--yes"},
      description = "Do it.")
  private boolean apply;

  @Option(
      names = "--take-over",
      description = "Take the run over if it is in use: its process can commit nothing any more.")
  private boolean takeOver;

  @Option(names = "--json", description = "One JSON document: {\"dryRun\", \"actions\": [...]}.")
  private boolean json;

  @Override
  int on(Place place, Console console) {
    String run = place.run();
    Maintenance maintenance = Maintenance.of(place.store()).takeOver(takeOver);
    Actions.print(maintenance.repair(run, !apply), !apply, json, false, console);
    if (!apply && !json) {
      console.say("this was a dry run; to do it: ckpt repair --apply");
    }
    return Exit.FINE;
  }
}
