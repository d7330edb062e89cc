package dev.ckpt.samples;

import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.listener.TrainingListenerAdapter;
import java.io.PrintStream;
import java.util.Locale;
import java.util.function.LongSupplier;

/**
 * One line for each epoch, and on a terminal a bar for the running one.
 *
 * <p>The lines hold nothing of the clock: a training that was killed and resumed prints the same
 * ones.
 */
final class TrainingOutput extends TrainingListenerAdapter {

  private static final int WIDTH = 30;
  private static final String CLEAR_LINE = "\r\033[K";

  private final PrintStream out;
  private final boolean terminal;
  private final int goal;
  private final long batches;
  private final LongSupplier batchesDone;

  /**
   * @param batches of a training epoch
   * @param batchesDone how many of the running epoch's are done
   */
  TrainingOutput(
      PrintStream out, boolean terminal, int goal, long batches, LongSupplier batchesDone) {
    this.out = out;
    this.terminal = terminal;
    this.goal = goal;
    this.batches = batches;
    this.batchesDone = batchesDone;
  }

  @Override
  public void onTrainingBatch(Trainer trainer, BatchData batchData) {
    if (terminal) {
      long done = Math.min(batches, batchesDone.getAsLong() + 1);
      int full = (int) (WIDTH * done / batches);
      out.print(
          CLEAR_LINE
              + String.format(
                  Locale.ROOT,
                  "epoch %2d of %d [%s%s] %d/%d",
                  trainer.getTrainingResult().getEpoch() + 1,
                  goal,
                  "#".repeat(full),
                  ".".repeat(WIDTH - full),
                  done,
                  batches));
      out.flush();
    }
  }

  @Override
  public void onValidationBatch(Trainer trainer, BatchData batchData) {
    if (terminal) {
      out.print(CLEAR_LINE + "validating");
      out.flush();
    }
  }

  @Override
  public void onEpoch(Trainer trainer) {
    TrainingResult result = trainer.getTrainingResult();
    line(
        String.format(
            Locale.ROOT,
            "epoch %2d  loss %.6f  accuracy %.4f  validation loss %.6f  validation accuracy %.4f",
            result.getEpoch(),
            result.getTrainLoss(),
            result.getTrainEvaluation(DigitsTraining.ACCURACY),
            result.getValidateLoss(),
            result.getValidateEvaluation(DigitsTraining.ACCURACY)));
  }

  /** A line of text, in place of the bar. */
  void line(String text) {
    out.println(terminal ? CLEAR_LINE + text : text);
    out.flush();
  }
}
