package dev.ckpt.internal.run;

import dev.ckpt.internal.commit.Keys;
import java.nio.file.Path;

/** Derives a run's name from the program, so that two programs in one folder never meet. */
public final class RunName {
  private RunName() {}

  /** The main class or jar of this JVM; {@code main} where that cannot be told. */
  public static String derived() {
    String command = System.getProperty("sun.java.command", "").trim();
    int space = command.indexOf(' ');
    String program = space < 0 ? command : command.substring(0, space);
    if (program.isEmpty()) {
      return "main";
    }
    if (program.endsWith(".jar")) {
      String file = String.valueOf(Path.of(program).getFileName());
      return Keys.sanitized(file.substring(0, file.length() - ".jar".length()));
    }
    return Keys.sanitized(program.substring(program.lastIndexOf('.') + 1));
  }
}
