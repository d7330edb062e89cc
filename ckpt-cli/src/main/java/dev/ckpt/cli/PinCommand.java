package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.ListedCheckpoint;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code pin} and {@code unpin}. */
abstract class PinCommand extends StoreCommand {

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  /** Does it, and returns the words for what was done. */
  abstract String does(Checkpoints checkpoints, String id);

  @Override
  final int on(Place place, Console console) {
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    console.out.println(does(checkpoints, Reference.resolve(run, checkpoints, id)));
    return Exit.FINE;
  }

  @Command(
      name = "pin",
      description = "Keeps a checkpoint whatever the retention policy says, until it is unpinned.",
      footer = {"", "Examples:", "  ckpt pin 000001-000000000100-0", "  ckpt pin 'best(accuracy)'"})
  static final class Pin extends PinCommand {
    @Override
    String does(Checkpoints checkpoints, String id) {
      checkpoints.pin(id);
      return "pinned " + id;
    }
  }

  @Command(
      name = "unpin",
      description = "Lets the retention policy decide about a checkpoint again.",
      footer = {"", "Examples:", "  ckpt unpin 000001-000000000100-0"})
  static final class Unpin extends PinCommand {
    @Override
    String does(Checkpoints checkpoints, String id) {
      Optional<ListedCheckpoint> found =
          checkpoints.all().stream().filter(each -> each.id().equals(id)).findFirst();
      if (found.isEmpty() || (!found.get().pinned() && !isCheckpoint(found.get()))) {
        throw new CheckpointException.NotFound(
            "there is no checkpoint " + id + ", nor a pin of it");
      }
      if (!found.get().pinned()) {
        return id + " is not pinned";
      }
      checkpoints.unpin(id);
      return "unpinned " + id;
    }

    /** A mark, an ABORT, or files that nobody decided about are none. */
    private static boolean isCheckpoint(ListedCheckpoint each) {
      return switch (each.standing()) {
        case LIVE, DEAD_BRANCH, UNKNOWN, DAMAGED, NEWER, QUARANTINED -> true;
        case ABORTED, UNDECIDED, DELETED -> false;
      };
    }
  }
}
