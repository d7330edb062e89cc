package dev.ckpt.cli;

import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "convert",
    description = {
      "Rewrites a checkpoint in another shard format, as the only checkpoint of a new run: a"
          + " training with that run's name resumes from it exactly as from the original. Every"
          + " byte is verified before, and compared with what was written before it is committed.",
      "The original, and its run, stay as they are. The new run has its checkpoint whole, or"
          + " none; after a crash the same command does it, or finds that it is done."
    },
    footer = {
      "",
      "Examples:",
      "  ckpt convert latest --to-format hdf5",
      "  ckpt --run digits convert best --to-format hdf5 --to-run digits-for-h5py",
      "  ckpt convert 000001-000000000100-0 --to-format arrow --to-store /data/arrow --dry-run"
    })
final class ConvertCommand extends StoreCommand {

  @Parameters(paramLabel = "ID", description = "Which checkpoint.")
  private String id = "";

  @Option(
      names = "--to-format",
      paramLabel = "FORMAT",
      required = true,
      description = "The shard format to write: arrow or hdf5.")
  private String format = "";

  @Option(
      names = "--to-run",
      paramLabel = "NAME",
      defaultValue = "",
      showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER,
      description =
          "The new run, which must not be there. Else <run>-<FORMAT>; in another store, the same"
              + " name.")
  private String toRun = "";

  @Option(
      names = "--to-store",
      paramLabel = "URI",
      defaultValue = "",
      showDefaultValue = picocli.CommandLine.Help.Visibility.NEVER,
      description = "The store of the new run, made if it is not there. Else the same store.")
  private String toStore = "";

  @Option(
      names = "--dry-run",
      description = "Verify the checkpoint, say what would be done; write nothing.")
  private boolean dryRun;

  @Option(
      names = "--json",
      description =
          "One JSON document: {\"dryRun\", \"from\", \"to\"}, each with \"store\", \"run\","
              + " \"format\" of the new one, and \"checkpoint\".")
  private boolean json;

  @Override
  int on(Place place, Console console) throws IOException {
    String run = place.run();
    Checkpoints checkpoints = place.checkpoints(run);
    String meant = Reference.resolve(run, checkpoints, id);
    CheckpointStore into = toStore.isEmpty() ? place.store() : opened(place);
    try {
      boolean sameStore = into.uri().equals(place.store().uri());
      String name = toRun.isEmpty() ? sameStore ? run + "-" + format : run : toRun;
      Checkpoint source;
      Checkpoint made;
      try (Checkpoints.Opened open = checkpoints.open(meant);
          Bar bar = new Bar(console, 2 * open.checkpoint().bytes())) {
        source = open.checkpoint();
        made = open.convert(format, into, name, dryRun, bar::add);
      } catch (IllegalArgumentException e) {
        throw new Problem(Exit.USAGE, String.valueOf(e.getMessage()));
      }
      print(place, run, source, into, name, made, console);
    } finally {
      if (!toStore.isEmpty()) {
        into.close();
      }
    }
    return Exit.FINE;
  }

  private CheckpointStore opened(Place place) throws IOException {
    CheckpointStore into;
    try {
      into = Stores.open(toStore);
    } catch (IllegalArgumentException e) {
      throw new Problem(Exit.USAGE, "--to-store '" + toStore + "': " + e.getMessage());
    }
    URI from = place.store().uri();
    if (isWithin(into.uri(), from) || isWithin(from, into.uri())) {
      into.close();
      throw wrong(
          "--to-store: one of "
              + from
              + " and "
              + into.uri()
              + " lies among the runs of the other: name a folder outside of runs/");
    }
    return into;
  }

  /** What one writes would stand in a run of the other. */
  private static boolean isWithin(URI inner, URI outer) {
    if (!"file".equals(inner.getScheme()) || !"file".equals(outer.getScheme())) {
      return false;
    }
    Path in = Path.of(inner).toAbsolutePath().normalize();
    Path out = Path.of(outer).toAbsolutePath().normalize();
    return in.startsWith(out.resolve("runs"));
  }

  private void print(
      Place place,
      String run,
      Checkpoint source,
      CheckpointStore into,
      String name,
      Checkpoint made,
      Console console) {
    if (json) {
      new Json()
          .put("dryRun", dryRun)
          .put(
              "from",
              new Json()
                  .put("store", place.store().uri().toString())
                  .put("run", run)
                  .put("checkpoint", source.id())
                  .put("bytes", source.bytes()))
          .put(
              "to",
              new Json()
                  .put("store", into.uri().toString())
                  .put("run", name)
                  .put("checkpoint", made.id())
                  .put("bytes", dryRun ? null : made.bytes())
                  .put("format", format))
          .print(console);
      return;
    }
    console.out.println(
        Text.oneLine(
            (dryRun ? "would convert " : "converted ")
                + source.id()
                + " of run '"
                + run
                + "', "
                + Text.size(source.bytes())
                + ", to "
                + format
                + ": checkpoint "
                + made.id()
                + " of run '"
                + name
                + "'"
                + (into == place.store() ? "" : " in " + into.uri())
                + (dryRun ? "; nothing was written (dry run)" : ", " + Text.size(made.bytes()))));
  }
}
