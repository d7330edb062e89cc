package dev.ckpt.samples;

import org.nd4j.linalg.factory.Environment;
import org.nd4j.linalg.factory.Nd4j;

/** The command {@code digits-dl4j}: reads the command line, trains, gives the exit code. */
public final class DigitsDl4j {

  private DigitsDl4j() {}

  /** Runs the program and ends the process. */
  public static void main(String[] args) {
    System.exit(
        new DigitsCommand("digits-dl4j", System.out, System.err)
            .run(args, DigitsDl4jTraining::new));
  }

  /** Another number of threads adds up in another order, which changes the bits. */
  static void oneThread() {
    Environment environment = Nd4j.getEnvironment();
    environment.setMaxThreads(1);
    environment.setMaxMasterThreads(1);
    Nd4j.factory().blas().setMaxThreads(1); // OpenBLAS counts its own
  }
}
