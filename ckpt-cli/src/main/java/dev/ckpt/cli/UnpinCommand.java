package dev.ckpt.cli;

import dev.ckpt.Checkpoints;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

@Command(
    name = "unpin",
    description = "Lets the retention policy decide about a checkpoint again.",
    footer = {"", "Examples:", "  ckpt unpin 000001-000000000100-0"})
final class UnpinCommand extends StoreCommand {

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  @Override
  int on(Place place, Console console) {
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    checkpoints.unpin(meant);
    console.out.println("unpinned " + meant);
    return Exit.FINE;
  }
}
