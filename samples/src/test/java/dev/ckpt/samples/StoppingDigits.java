package dev.ckpt.samples;

import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.TrainingListener;
import java.io.PrintStream;
import java.util.List;

/** The sample with DJL's early stopping: it ends before its goal. */
final class StoppingDigits extends DigitsTraining {

  private StoppingDigits(DigitsOptions options, PrintStream out) {
    super(options, out);
  }

  public static void main(String[] args) {
    DigitsDjl.prepare();
    System.exit(DigitsDjl.run(args, System.out, System.err, StoppingDigits::new));
  }

  @Override
  List<TrainingListener> interference() {
    return List.of(
        EarlyStoppingListener.builder().optEpochPatience(2).optEarlyStopPctImprovement(40).build());
  }
}
