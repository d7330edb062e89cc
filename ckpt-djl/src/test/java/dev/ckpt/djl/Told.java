package dev.ckpt.djl;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a user is told in the log. */
final class Told {
  private Told() {}

  /** What is done meanwhile. */
  interface Work<E extends Exception> {
    void run() throws E;
  }

  /**
   * All that is written meanwhile, also what these classes say for information: slf4j-simple reads
   * its levels once, and the build sets it to warnings.
   */
  static <E extends Exception> String alsoInformation(List<Class<?>> speakers, Work<E> what)
      throws E {
    level(20, speakers);
    try {
      return by(what);
    } finally {
      level(30, speakers);
    }
  }

  private static void level(int level, List<Class<?>> speakers) {
    for (Class<?> each : speakers) {
      Logger logger = LoggerFactory.getLogger(each);
      try {
        Field field = logger.getClass().getDeclaredField("currentLogLevel");
        field.setAccessible(true);
        field.setInt(logger, level);
      } catch (ReflectiveOperationException e) {
        throw new AssertionError("another slf4j-simple", e);
      }
    }
  }

  /** All that is written to the error stream, where slf4j-simple writes. */
  static <E extends Exception> String by(Work<E> what) throws E {
    PrintStream err = System.err;
    var caught = new ByteArrayOutputStream();
    System.setErr(new PrintStream(caught, true, StandardCharsets.UTF_8));
    try {
      what.run();
    } finally {
      System.setErr(err);
    }
    return caught.toString(StandardCharsets.UTF_8);
  }
}
