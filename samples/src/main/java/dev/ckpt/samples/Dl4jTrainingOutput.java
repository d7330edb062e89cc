package dev.ckpt.samples;

import dev.ckpt.Checkpointable;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.dl4j.Dl4jCheckpoints;
import java.io.PrintStream;
import java.util.List;
import java.util.Locale;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.optimize.api.BaseTrainingListener;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.dataset.DataSet;

/**
 * One line for each epoch, and on a terminal a bar for the running one. The sum of the losses is a
 * part of the checkpoints: a training that was killed and resumed prints the same lines.
 */
final class Dl4jTrainingOutput extends BaseTrainingListener implements Checkpointable {

  private static final int WIDTH = 30;
  private static final String CLEAR_LINE = "\r\033[K";

  private final PrintStream out;
  private final boolean terminal;
  private final int goal;
  private final List<DataSet> training;
  private final List<DataSet> validation;
  private final Dl4jCheckpoints ckpt;
  private double losses;
  private int batches;

  Dl4jTrainingOutput(
      PrintStream out,
      boolean terminal,
      int goal,
      List<DataSet> training,
      List<DataSet> validation,
      Dl4jCheckpoints ckpt) {
    this.out = out;
    this.terminal = terminal;
    this.goal = goal;
    this.training = training;
    this.validation = validation;
    this.ckpt = ckpt;
  }

  @Override
  public void iterationDone(Model model, int iteration, int epoch) {
    losses += model.score();
    batches++;
    if (terminal) {
      int full = WIDTH * batches / training.size();
      out.print(
          CLEAR_LINE
              + String.format(
                  Locale.ROOT,
                  "epoch %2d of %d [%s%s] %d/%d",
                  ckpt.progress().epoch() + 1,
                  goal,
                  "#".repeat(full),
                  ".".repeat(WIDTH - full),
                  batches,
                  training.size()));
      out.flush();
    }
  }

  @Override
  public void onEpochEnd(Model model) {
    MultiLayerNetwork net = (MultiLayerNetwork) model;
    Evaluated learned = evaluate(net, training, false);
    Evaluated validated = evaluate(net, validation, true);
    ckpt.metric("validate_accuracy", validated.accuracy);
    ckpt.metric("validate_loss", validated.loss);
    line(
        String.format(
            Locale.ROOT,
            "epoch %2d  loss %.6f  accuracy %.4f  validation loss %.6f  validation accuracy %.4f",
            ckpt.progress().epoch() + 1,
            losses / batches,
            learned.accuracy,
            validated.loss,
            validated.accuracy));
    losses = 0;
    batches = 0;
  }

  private record Evaluated(double loss, double accuracy) {}

  private static Evaluated evaluate(MultiLayerNetwork net, List<DataSet> data, boolean journaled) {
    double loss = 0;
    long right = 0;
    long all = 0;
    for (DataSet batch : data) {
      if (journaled) {
        net.getListeners().stream()
            .filter(Dl4jBatchJournal.class::isInstance)
            .forEach(each -> ((Dl4jBatchJournal) each).validation(batch.getFeatures()));
      }
      INDArray guessed = net.output(batch.getFeatures()).argMax(1);
      INDArray labels = batch.getLabels().argMax(1);
      for (int i = 0; i < batch.numExamples(); i++) {
        right += guessed.getInt(i) == labels.getInt(i) ? 1 : 0;
      }
      loss += net.score(batch) * batch.numExamples();
      all += batch.numExamples();
    }
    return new Evaluated(loss / all, (double) right / all);
  }

  /** A line of text, in place of the bar. */
  void line(String text) {
    out.println(terminal ? CLEAR_LINE + text : text);
    out.flush();
  }

  @Override
  public void capture(StateSink sink) {
    sink.value("losses", Double.toString(losses));
    sink.value("batches", batches);
  }

  @Override
  public void restore(StateView view) {
    losses = Double.parseDouble(view.value("losses", String.class));
    batches = view.value("batches", Integer.class);
  }
}
