package dev.ckpt.samples;

import dev.ckpt.CheckpointException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.util.function.BiFunction;

/** What the programs have in common: the command line, the messages, the exit codes. */
final class DigitsCommand {

  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;
  private static final int NOTHING_RESTORABLE = 3;
  private static final int SAVE_FAILED = 4;
  private static final int CRASH_LOOP = 5;

  /** A training. */
  interface Program {
    /** Trains until the goal, or finds that it is reached. */
    void run() throws Exception;

    /** Whether the goal was reached, whatever came after it. */
    boolean trained();
  }

  private final String name;
  private final PrintStream out;
  private final PrintStream err;

  /**
   * @param name of the program
   */
  DigitsCommand(String name, PrintStream out, PrintStream err) {
    this.name = name;
    this.out = out;
    this.err = err;
  }

  /** Runs a program to its end, and gives the exit code. */
  int run(String[] args, BiFunction<DigitsOptions, PrintStream, ? extends Program> program) {
    Program training;
    try {
      DigitsOptions options = DigitsOptions.parse(args);
      if (options.help()) {
        out.print(DigitsOptions.usage(name));
        return 0;
      }
      training = program.apply(options, out);
    } catch (DigitsOptions.UsageException e) {
      err.println(name + ": " + e.getMessage());
      err.println();
      err.print(DigitsOptions.usage(name));
      return WRONG_USAGE;
    } catch (IllegalArgumentException e) {
      return refuse(e, WRONG_USAGE);
    }
    try {
      training.run();
      return 0;
    } catch (CheckpointException.SaveFailed | CheckpointException.CommitUnknown e) {
      return refuse(e, training.trained() ? SAVE_FAILED : FAILED);
    } catch (CheckpointException.Corrupt | CheckpointException.NotFound e) {
      int code = refuse(e, NOTHING_RESTORABLE);
      err.println("--fresh begins anew and leaves what is there in its place.");
      return code;
    } catch (CheckpointException.CrashLoop e) {
      return refuse(e, CRASH_LOOP);
    } catch (CheckpointException e) {
      return refuse(e, WRONG_USAGE);
    } catch (IllegalArgumentException | UncheckedIOException e) {
      return refuse(e, WRONG_USAGE);
    } catch (Exception e) {
      e.printStackTrace(err);
      return FAILED;
    }
  }

  private int refuse(RuntimeException why, int code) {
    err.println(name + ": " + why.getMessage());
    return code;
  }
}
