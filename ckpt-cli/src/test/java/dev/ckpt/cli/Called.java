package dev.ckpt.cli;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Map;

/**
 * A command that ran in this JVM.
 *
 * @param code what it ended with
 * @param out what it printed
 * @param err what it said beside it
 */
record Called(int code, String out, String err) {

  /** With a store from the environment. */
  static Called on(Path store, String... arguments) {
    return with(Map.of("CKPT_STORE", store.toString()), arguments);
  }

  static Called with(Map<String, String> environment, String... arguments) {
    return with(environment, false, arguments);
  }

  /**
   * With streams of its own.
   *
   * @param terminal whether they pass for one
   */
  static Called with(Map<String, String> environment, boolean terminal, String... arguments) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    Map<String, String> all = new HashMap<>(Map.of("TERM", "xterm"));
    all.putAll(environment);
    Console console =
        new Console(
            new Output(out, false),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            terminal,
            terminal,
            all,
            InstantSource.system());
    int code = Ckpt.run(console, arguments);
    return new Called(
        code, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
  }
}
