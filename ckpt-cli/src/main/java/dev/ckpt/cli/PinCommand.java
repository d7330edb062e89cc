package dev.ckpt.cli;

import dev.ckpt.Checkpoints;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "pin",
    description = "Keeps a checkpoint whatever the retention policy says, until it is unpinned.",
    footer = {"", "Examples:", "  ckpt pin 000001-000000000100-0", "  ckpt pin 'best(accuracy)'"})
final class PinCommand extends StoreCommand {

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  @Override
  int on(Place place, Console console) {
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    checkpoints.pin(meant);
    console.out.println("pinned " + meant);
    return Exit.FINE;
  }
}
