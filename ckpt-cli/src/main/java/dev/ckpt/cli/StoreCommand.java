package dev.ckpt.cli;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** A command that works on a store. */
abstract class StoreCommand implements Callable<Integer> {
  @ParentCommand private @Nullable Ckpt parent;

  @Spec private @Nullable CommandSpec spec;

  /** Does it; returns the exit code. */
  abstract int on(Place place, Console console) throws IOException;

  /** The store that is meant. */
  Place open(Ckpt root) throws IOException {
    return Place.open(root.console, root.store, root.run);
  }

  @Override
  public final Integer call() throws IOException {
    Ckpt root = root();
    try (Place place = open(root)) {
      return on(place, root.console);
    }
  }

  /** Whether {@code --run} was given, not only a variable of the environment. */
  final boolean runIsGiven() {
    return !root().run.isEmpty();
  }

  /** How another command is called on the same store and run, as far as they were given. */
  final String again(String command) {
    Ckpt root = root();
    return "ckpt"
        + (root.store.isEmpty() ? "" : " --store " + Text.quoted(Text.withPaths(root.store)))
        + (root.run.isEmpty() ? "" : " --run " + Text.quoted(root.run))
        + " "
        + command;
  }

  private Ckpt root() {
    Ckpt root = parent;
    if (root == null) {
      throw new IllegalStateException("a command is run by picocli");
    }
    return root;
  }

  /** Arguments that do not go together. */
  final ParameterException wrong(String message) {
    CommandSpec known = spec;
    if (known == null) {
      throw new IllegalStateException("a command is run by picocli");
    }
    return new ParameterException(known.commandLine(), message);
  }
}
