package dev.ckpt.samples;

import ai.djl.training.Trainer;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.listener.TrainingListenerAdapter;
import dev.ckpt.djl.DjlCheckpoints;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The sample with trouble inside a step. The first argument says which, the second after how many
 * updates: {@code throws}, or {@code lasts}, a step that takes longer than anybody waits.
 */
final class TroubledDigits extends DigitsTraining {

  private final String trouble;
  private final long step;
  private @Nullable DjlCheckpoints checkpoints;

  private TroubledDigits(String trouble, long step, DigitsOptions options, PrintStream out) {
    super(options, out);
    this.trouble = trouble;
    this.step = step;
  }

  public static void main(String[] args) {
    DigitsDjl.prepare();
    System.exit(
        DigitsDjl.run(
            Arrays.copyOfRange(args, 2, args.length),
            System.out,
            System.err,
            (options, out) -> new TroubledDigits(args[0], Long.parseLong(args[1]), options, out)));
  }

  @Override
  void initialized(DjlCheckpoints ckpt, Trainer trainer) {
    checkpoints = ckpt;
  }

  @Override
  List<TrainingListener> interference() {
    return List.of(
        new TrainingListenerAdapter() {
          @Override
          public void onTrainingBatch(Trainer trainer, BatchData batchData) {
            if (Objects.requireNonNull(checkpoints).progress().step() == step) {
              cause();
            }
          }
        });
  }

  private void cause() {
    if (trouble.equals("throws")) {
      throw new IllegalStateException("this batch is bad");
    }
    System.out.println("a long step");
    System.out.flush();
    try {
      TimeUnit.MINUTES.sleep(10);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
