package dev.ckpt.mlflow;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** What a user is told in the log. */
final class Told {
  private Told() {}

  /** What is done meanwhile. */
  interface Work {
    void run() throws Exception;
  }

  /** All that is written to the error stream, where slf4j-simple writes. */
  static String by(Work what) throws Exception {
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
