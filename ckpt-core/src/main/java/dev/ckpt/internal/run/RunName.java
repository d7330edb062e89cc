package dev.ckpt.internal.run;

import dev.ckpt.internal.commit.Keys;
import java.nio.file.Path;

/** Derives a run's name from the program, so that two programs in one folder never meet. */
public final class RunName {
  private RunName() {}

  /** The main class or jar of this JVM, without its package; {@code main} where that is unknown. */
  public static String derived() {
    String program = program();
    if (program.endsWith(".jar")) {
      return Keys.sanitized(program.substring(0, program.length() - ".jar".length()));
    }
    return Keys.sanitized(program.substring(program.lastIndexOf('.') + 1));
  }

  /** The main class, or the name of the jar; {@code main} where that cannot be told. */
  static String program() {
    String command = System.getProperty("sun.java.command", "").trim();
    int space = command.indexOf(' ');
    String program = space < 0 ? command : command.substring(0, space);
    if (program.isEmpty()) {
      return "main";
    }
    return program.endsWith(".jar") ? String.valueOf(Path.of(program).getFileName()) : program;
  }
}
