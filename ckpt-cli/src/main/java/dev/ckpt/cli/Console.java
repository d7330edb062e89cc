package dev.ckpt.cli;

import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/** What surrounds a command: where it prints, its environment, its clock. A test gives its own. */
final class Console {
  final PrintStream out;
  final PrintStream err;
  final Map<String, String> environment;
  final InstantSource clock;
  private final Output results;
  private final boolean outTerminal;
  private final boolean errTerminal;
  private final AtomicInteger verbosity = new AtomicInteger();

  Console(
      Output results,
      PrintStream err,
      boolean outTerminal,
      boolean errTerminal,
      Map<String, String> environment,
      InstantSource clock) {
    this.results = results;
    this.out =
        new PrintStream(new BufferedOutputStream(results, 1 << 16), false, StandardCharsets.UTF_8);
    this.err = err;
    this.outTerminal = outTerminal;
    this.errTerminal = errTerminal;
    this.environment = environment;
    this.clock = clock;
  }

  /** That of this process; {@code bin/ckpt} says what its streams are, the JDK cannot. */
  static Console system() {
    Output results =
        new Output(
            new FileOutputStream(FileDescriptor.out),
            System.getProperty("ckpt.stdout", "").equals("pipe"));
    return new Console(
        results,
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        System.getProperty("ckpt.stdout", "").equals("terminal"),
        System.getProperty("ckpt.stderr", "").equals("terminal"),
        System.getenv(),
        InstantSource.system());
  }

  /** Columns of the terminal that results go to; 0 if they go elsewhere, or nobody knows. */
  int width() {
    String columns = variable("COLUMNS");
    return outTerminal && columns.matches("[1-9][0-9]{0,3}") ? Integer.parseInt(columns) : 0;
  }

  /** Whether results may be coloured. */
  boolean coloured() {
    return outTerminal && plainNotAsked();
  }

  /** Whether somebody watches stderr, so that a line there may be drawn again and again. */
  boolean watched() {
    return errTerminal && !environment.getOrDefault("TERM", "").equals("dumb");
  }

  private boolean plainNotAsked() {
    return environment.getOrDefault("NO_COLOR", "").isEmpty()
        && !environment.getOrDefault("TERM", "dumb").equals("dumb");
  }

  /** A variable of the environment; an empty one counts as not set, as in core. */
  String variable(String name) {
    return environment.getOrDefault(name, "");
  }

  /** One line beside the results. */
  void say(String line) {
    // what was printed before it is read before it
    out.flush();
    err.println("ckpt: " + Text.oneLine(line));
  }

  /** Whether stack traces and what core says besides its warnings are wanted. */
  void verbose(boolean wanted) {
    verbosity.set(wanted ? 1 : 0);
  }

  boolean verbose() {
    return verbosity.get() > 0;
  }

  /** Whether nobody takes any more results. */
  boolean ended() {
    out.flush();
    return results.ended();
  }

  /** Whether results go to a pipe, whose reader may leave. */
  boolean piped() {
    return results.pipe();
  }

  /**
   * Everything printed is out.
   *
   * @throws IOException if it could not be written; not if a reader merely left
   */
  void finish() throws IOException {
    out.flush();
    IOException failure = results.failure();
    if (failure != null) {
      throw new IOException("cannot write the results: " + failure.getMessage(), failure);
    }
  }
}
