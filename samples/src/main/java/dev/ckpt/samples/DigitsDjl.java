package dev.ckpt.samples;

import dev.ckpt.CheckpointException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.function.BiFunction;

/** The command {@code digits-djl}: reads the command line, trains, gives the exit code. */
public final class DigitsDjl {

  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;
  private static final int NOTHING_RESTORABLE = 3;
  private static final int SAVE_FAILED = 4;
  private static final int CRASH_LOOP = 5;

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
    DigitsOptions options;
    try {
      options = DigitsOptions.parse(args);
    } catch (DigitsOptions.UsageException e) {
      err.println("digits-djl: " + e.getMessage());
      err.println();
      err.print(DigitsOptions.USAGE);
      return WRONG_USAGE;
    }
    if (options.help()) {
      out.print(DigitsOptions.USAGE);
      return 0;
    }
    DigitsTraining training = program.apply(options, out);
    try {
      training.run();
      return 0;
    } catch (CheckpointException.SaveFailed | CheckpointException.CommitUnknown e) {
      return refuse(err, e, training.trained() ? SAVE_FAILED : FAILED);
    } catch (CheckpointException.Corrupt | CheckpointException.NotFound e) {
      int code = refuse(err, e, NOTHING_RESTORABLE);
      err.println("--fresh begins anew and leaves what is there in its place.");
      return code;
    } catch (CheckpointException.CrashLoop e) {
      return refuse(err, e, CRASH_LOOP);
    } catch (CheckpointException e) {
      return refuse(err, e, WRONG_USAGE);
    } catch (IllegalArgumentException | UncheckedIOException e) {
      return refuse(err, e, WRONG_USAGE);
    } catch (Exception e) {
      e.printStackTrace(err);
      return FAILED;
    }
  }

  private static int refuse(PrintStream err, RuntimeException why, int code) {
    err.println("digits-djl: " + why.getMessage());
    return code;
  }
}
