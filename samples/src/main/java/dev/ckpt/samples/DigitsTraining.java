package dev.ckpt.samples;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.EasyTrain;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.Dataset;
import ai.djl.training.evaluator.Accuracy;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import ai.djl.training.tracker.Tracker;
import ai.djl.translate.TranslateException;
import dev.ckpt.CheckpointException;
import dev.ckpt.djl.DjlCheckpoints;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * Trains a small network on the UCI digits and resumes by itself.
 *
 * <p>What a program needs for that: open the checkpoints before the weights are drawn, add their
 * listener, and let them run the loop ({@code ckpt.fit}). The rest of this class is an ordinary DJL
 * training, with switches to try it in other ways.
 */
class DigitsTraining implements DigitsCommand.Program {

  static final String ACCURACY = "accuracy";

  /** For the kill test: the file of a {@link BatchJournal}. */
  private static final String JOURNAL = "ckpt.sample.journal";

  /** Set by the launcher if a person is looking. */
  private static final String TERMINAL = "ckpt.sample.terminal";

  private final DigitsOptions options;
  private final PrintStream out;
  private final Optimizer optimizer;
  private boolean trained;

  DigitsTraining(DigitsOptions options, PrintStream out) {
    this.options = options;
    this.out = out;
    this.optimizer = optimizer(options.optimizer());
  }

  /** Trains until the goal, or finds that it is reached; prints the digest of what was learned. */
  @Override
  public void run() throws IOException, TranslateException {
    DigitsData digits = DigitsData.load(options.rows());
    ExecutorService loaders =
        options.prefetch() > 0 ? Executors.newFixedThreadPool(options.prefetch()) : null;
    try (DjlCheckpoints ckpt = DjlCheckpoints.open(options.checkpoints("digits-djl"));
        Model model = Model.newInstance("digits", Device.cpu())) {
      model.setBlock(DigitsNetwork.block());
      ArrayDataset training =
          digits.training(model.getNDManager(), options.batch(), options.prefetch());
      ArrayDataset validation =
          digits.validation(model.getNDManager(), options.batch(), options.prefetch());

      long batches = (training.size() + options.batch() - 1) / options.batch();
      var output =
          new TrainingOutput(
              out,
              Boolean.getBoolean(TERMINAL),
              options.epochs(),
              batches,
              () -> ckpt.progress().batch());
      var config =
          new DefaultTrainingConfig(Loss.softmaxCrossEntropyLoss("loss"))
              .addEvaluator(new Accuracy(ACCURACY))
              .optOptimizer(optimizer)
              .addTrainingListeners(listeners(ckpt.listener(), output));
      if (loaders != null) {
        config.optExecutorService(loaders);
      }
      try (Trainer trainer = model.newTrainer(config)) {
        trainer.initialize(new Shape(1, 1, DigitsData.SIDE, DigitsData.SIDE));
        initialized(ckpt, trainer);
        if (ckpt.remainingEpochs(options.epochs()) == 0) {
          output.line(
              "already finished: --epochs "
                  + options.epochs()
                  + " is reached; a larger one trains on, --fresh begins anew");
          ckpt.restoreBest();
        } else {
          train(ckpt, trainer, training, validation);
        }
        trained = true;
        output.line("final sha256: " + StateDigest.of(model.getBlock(), optimizer));
      }
      List<CheckpointException> failures = ckpt.manager().failures();
      if (!failures.isEmpty()) {
        throw new CheckpointException.SaveFailed(
            "trained to the end, but a save failed: " + failures.get(0).getMessage(),
            failures.get(0));
      }
    } finally {
      if (loaders != null) {
        loaders.shutdownNow();
      }
    }
  }

  @Override
  public boolean trained() {
    return trained;
  }

  Optimizer optimizer() {
    return optimizer;
  }

  /** For tests that interfere, before anything is restored. */
  void initialized(DjlCheckpoints ckpt, Trainer trainer) {}

  /** For tests that interfere, in each batch. */
  List<TrainingListener> interference() {
    return List.of();
  }

  private static Optimizer optimizer(DigitsOptions.OptimizerKind kind) {
    // A rate that falls with each update: resumed with a wrong count, the weights would differ.
    return switch (kind) {
      case ADAM -> Optimizer.adam().optLearningRateTracker(falling(0.002f)).build();
      case ADAMW -> Optimizer.adamW().optLearningRateTracker(falling(0.002f)).build();
      case SGD -> Optimizer.sgd().setLearningRateTracker(falling(0.05f)).optMomentum(0.9f).build();
    };
  }

  private static Tracker falling(float rate) {
    return Tracker.factor().setBaseValue(rate).setFactor(0.999f).optMinValue(rate / 20).build();
  }

  private TrainingListener[] listeners(TrainingListener checkpoints, TrainingOutput output)
      throws IOException {
    List<TrainingListener> all = new ArrayList<>();
    Collections.addAll(all, TrainingListener.Defaults.basic());
    all.add(output);
    all.addAll(interference());
    String journal = System.getProperty(JOURNAL);
    if (journal != null) {
      all.add(new BatchJournal(Path.of(journal)));
    }
    all.add(
        switch (options.listener()) {
          case FIRST -> 0;
          case MIDDLE -> 1;
          case LAST -> all.size();
        },
        checkpoints);
    return all.toArray(TrainingListener[]::new);
  }

  private void train(
      DjlCheckpoints ckpt, Trainer trainer, ArrayDataset training, ArrayDataset validation)
      throws IOException, TranslateException {
    switch (options.loop()) {
      case FIT -> ckpt.fit(trainer, options.epochs(), training, validation);
      case EASYTRAIN -> {
        EasyTrain.fit(
            trainer,
            ckpt.remainingEpochs(options.epochs()),
            ckpt.dataset(training),
            ckpt.validation(validation));
        ckpt.complete();
        ckpt.restoreBest();
      }
      case MANUAL -> {
        int remaining = ckpt.remainingEpochs(options.epochs());
        for (int i = 0; i < remaining; i++) {
          epoch(trainer, ckpt.dataset(training));
          EasyTrain.evaluateDataset(trainer, ckpt.validation(validation));
          trainer.notifyListeners(listener -> listener.onEpoch(trainer));
        }
        ckpt.complete();
        ckpt.restoreBest();
      }
    }
  }

  /** What {@link EasyTrain#fit} does in an epoch, with an update only after some batches. */
  private void epoch(Trainer trainer, Dataset training) throws IOException, TranslateException {
    int collected = 0;
    for (Batch batch : trainer.iterateDataset(training)) {
      try (batch) {
        EasyTrain.trainBatch(trainer, batch);
        if (++collected == options.accumulate()) {
          trainer.step();
          collected = 0;
        }
      }
    }
    if (collected > 0) {
      trainer.step();
    }
  }
}
