package dev.ckpt.cli;

import dev.ckpt.Checkpoints;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "export",
    description = {
      "Writes a checkpoint's model as a file that other programs read. The file's ending says"
          + " which kind: .params is DJL's own, for Model.load and Criteria.optModelPath; they look"
          + " for NAME-0000.params. .zip is DL4J's own, for ModelSerializer.",
      "Every byte is verified on the way. The file is there whole or not at all."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt export best --to model/digits-0000.params",
      "  ckpt export 'best(loss,min)' --to model/digits-0000.params --force",
      "  ckpt export latest --to model.zip"
    })
final class ExportCommand extends StoreCommand {

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  @Option(
      names = "--to",
      paramLabel = "FILE",
      required = true,
      description = "The file to write; folders on the way are made.")
  private String to = "";

  @Option(names = "--force", description = "Replace a file that is there.")
  private boolean force;

  @Option(
      names = "--json",
      description = "One JSON document: {\"file\", \"bytes\", \"run\", \"checkpoint\"}.")
  private boolean json;

  @Override
  int on(Place place, Console console) throws IOException {
    Path file = file();
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    try (Checkpoints.Opened open = checkpoints.open(meant)) {
      open.export(file);
    } catch (IllegalArgumentException e) {
      throw new Problem(Exit.USAGE, "--to " + e.getMessage());
    }
    long bytes = Files.size(file);
    if (json) {
      new Json()
          .put("file", file.toAbsolutePath().toString())
          .put("bytes", bytes)
          .put("run", run)
          .put("checkpoint", meant)
          .print(console);
    } else {
      console.out.println(
          Text.oneLine(
              "wrote "
                  + file
                  + ", "
                  + Text.size(bytes)
                  + ": checkpoint "
                  + meant
                  + " of run '"
                  + run
                  + "'"));
    }
    return Exit.FINE;
  }

  private Path file() {
    Path file;
    try {
      file = Path.of(to);
    } catch (InvalidPathException e) {
      throw wrong("--to: '" + to + "' is no path: " + e.getReason());
    }
    if (Files.isDirectory(file) || to.isEmpty()) {
      throw wrong("--to: '" + to + "' is a folder: name the file in it, such as model-0000.params");
    }
    // a link to nowhere is there, too
    if (!force && Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      throw wrong("--to: " + file + " is there already: --force replaces it");
    }
    return file;
  }
}
