package dev.ckpt.samples;

import java.io.PrintStream;
import java.util.function.BiFunction;

/** The command {@code digits-djl}: reads the command line, trains, gives the exit code. */
public final class DigitsDjl {

  private DigitsDjl() {}

  /** Runs the program and ends the process. */
  public static void main(String[] args) {
    prepare();
    System.exit(run(args, System.out, System.err));
  }

  /** Settings of the engine that have no other place than system properties. */
  static void prepare() {
    // Another number of threads adds up in another order, which changes the bits.
    setDefault("ai.djl.pytorch.num_threads", "1");
    setDefault("ai.djl.offline", "true");
    setDefault("OPT_OUT_TRACKING", "true");
  }

  private static void setDefault(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static int run(String[] args, PrintStream out, PrintStream err) {
    return run(args, out, err, DigitsTraining::new);
  }

  /**
   * @param program the training, for tests that interfere with it
   */
  static int run(
      String[] args,
      PrintStream out,
      PrintStream err,
      BiFunction<DigitsOptions, PrintStream, DigitsTraining> program) {
    return new DigitsCommand("digits-djl", out, err).run(args, program);
  }
}
