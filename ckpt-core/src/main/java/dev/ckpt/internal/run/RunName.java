package dev.ckpt.internal.run;

import dev.ckpt.internal.commit.Keys;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Derives a run's name from the program, so that two programs in one folder never meet. */
public final class RunName {

  /** How {@code java Train.java} calls itself. */
  private static final Pattern SOURCE =
      Pattern.compile(
          "(?:jdk\\.compiler/)?com\\.sun\\.tools\\.javac\\.launcher\\.\\S+ +(.*?)\\.java(?: .*)?");

  private RunName() {}

  /** The main class or jar of this JVM, without its package; {@code main} where that is unknown. */
  public static String derived() {
    String program = program();
    if (program.endsWith(".jar")) {
      return Keys.sanitized(program.substring(0, program.length() - ".jar".length()));
    }
    return Keys.sanitized(program.substring(program.lastIndexOf('.') + 1));
  }

  /**
   * The main class, the name of the source file that is launched, or that of the jar; {@code main}
   * where that cannot be told.
   */
  static String program() {
    String command = System.getProperty("sun.java.command", "").trim();
    Matcher source = SOURCE.matcher(command);
    if (source.matches()) {
      return String.valueOf(Path.of(source.group(1)).getFileName());
    }
    int space = command.indexOf(' ');
    String program = space < 0 ? command : command.substring(0, space);
    if (program.isEmpty()) {
      return "main";
    }
    return program.endsWith(".jar") ? String.valueOf(Path.of(program).getFileName()) : program;
  }
}
