package dev.ckpt.cli;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpoints;
import dev.ckpt.Stores;
import dev.ckpt.spi.CheckpointStore;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The store of the command line, and the runs in it. */
final class Place implements AutoCloseable {
  private static final String LINK =
      "a symbolic link inside a store is not followed; move the whole store and link its root"
          + " instead";

  private final CheckpointStore store;
  private final String wantedRun;
  private final Console console;

  private Place(Console console, CheckpointStore store, String wantedRun) {
    this.console = console;
    this.store = store;
    this.wantedRun = wantedRun;
  }

  /**
   * Opens a store that exists; creates nothing.
   *
   * @param named path or URI; empty for what the environment says, else {@code ./checkpoints}
   * @param run its name; empty for what the environment says
   */
  static Place open(Console console, String named, String run) throws IOException {
    String from =
        !named.isEmpty()
            ? "--store"
            : console.variable("CKPT_STORE").isEmpty() ? "default" : "CKPT_STORE";
    String where =
        switch (from) {
          case "--store" -> named;
          case "CKPT_STORE" -> console.variable("CKPT_STORE");
          default -> "checkpoints";
        };
    CheckpointStore store;
    try {
      store = Stores.open(where);
    } catch (IllegalArgumentException e) {
      throw new Problem(Exit.USAGE, from + " '" + where + "': " + e.getMessage());
    }
    try {
      if ("file".equals(store.uri().getScheme())) {
        requireThere(Path.of(store.uri()), from);
      }
      return new Place(console, store, run.isEmpty() ? console.variable("CKPT_RUN") : run);
    } catch (Throwable e) {
      store.close();
      throw e;
    }
  }

  private static void requireThere(Path folder, String from) throws IOException {
    try {
      if (!Files.readAttributes(folder, BasicFileAttributes.class).isDirectory()) {
        throw new FileSystemException(
            folder.toString(), null, "a store is a folder, but this is a file");
      }
    } catch (NoSuchFileException e) {
      throw new Problem(
          Exit.NOT_FOUND,
          "there is no store at "
              + folder
              + (from.equals("default")
                  ? "; name one with --store or CKPT_STORE"
                  : " (" + from + ")"));
    }
  }

  CheckpointStore store() {
    return store;
  }

  /** All runs. */
  List<String> runs() {
    return Checkpoints.runs(store);
  }

  /** The run that was named, else the only one. */
  String run() {
    if (!wantedRun.isEmpty()) {
      return existing(wantedRun);
    }
    List<String> runs = runs();
    if (runs.isEmpty()) {
      throw new CheckpointException.NotFound("there is no run in " + store.uri() + within());
    }
    if (runs.size() > 1) {
      throw new Problem(
          Exit.USAGE,
          "there are "
              + runs.size()
              + " runs in "
              + store.uri()
              + ": name one with --run: "
              + String.join(", ", runs));
    }
    return runs.get(0);
  }

  /** For who names a folder inside of a store. */
  private String within() {
    Path at = "file".equals(store.uri().getScheme()) ? Path.of(store.uri()) : Path.of("");
    for (Path each = at; each != null; each = each.getParent()) {
      if (each.endsWith("runs") && each.getParent() != null) {
        return "; is the store " + each.getParent() + "?";
      }
    }
    return "";
  }

  /**
   * A run that is there.
   *
   * @throws CheckpointException.NotFound if there is none of that name
   */
  String existing(String run) {
    List<String> runs = runs();
    if (!runs.contains(run)) {
      for (Path link : links()) {
        if (link.endsWith(run)) {
          throw new UncheckedIOException(new FileSystemException(link.toString(), null, LINK));
        }
      }
      throw new CheckpointException.NotFound(
          "there is no run '"
              + run
              + "' in "
              + store.uri()
              + (runs.isEmpty() ? "" : "; there is " + String.join(", ", runs)));
    }
    return run;
  }

  /**
   * The runs to work on: all, or the one that {@link #run} means.
   *
   * @param all whether all are wanted, even if the environment names one
   */
  List<String> chosen(boolean all) {
    if (all) {
      links().forEach(link -> console.say(link + ": left out: " + LINK));
    }
    return all ? runs() : List.of(run());
  }

  /** Links where runs lie: whoever made them takes what they lead to for a run of this store. */
  List<Path> links() {
    List<Path> links = new ArrayList<>();
    if ("file".equals(store.uri().getScheme())) {
      Path runs = Path.of(store.uri()).resolve("runs");
      try (DirectoryStream<Path> all = Files.newDirectoryStream(runs, Files::isSymbolicLink)) {
        all.forEach(links::add);
      } catch (NotDirectoryException | NoSuchFileException e) {
        return links;
      } catch (IOException | DirectoryIteratorException e) {
        throw new UncheckedIOException(
            "cannot list " + runs, e instanceof IOException io ? io : new IOException(e));
      }
    }
    Collections.sort(links);
    return links;
  }

  Checkpoints checkpoints(String run) {
    return Checkpoints.read(store, run);
  }

  @Override
  public void close() throws IOException {
    store.close();
  }
}
