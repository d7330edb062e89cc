package dev.ckpt.djl;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;
import ai.djl.training.LocalParameterServer;
import ai.djl.training.ParameterServer;
import ai.djl.training.ParameterStore;
import ai.djl.training.Trainer;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EpochTrainingListener;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.LoggingTrainingListener;
import ai.djl.training.listener.SaveModelTrainingListener;
import ai.djl.training.listener.TrainingListener;
import ai.djl.training.loss.Loss;
import ai.djl.training.optimizer.Optimizer;
import java.util.List;
import java.util.Map;

/** Every private field of DJL's that this adapter touches. */
final class DjlInternals {
  private static final PrivateField<List<TrainingListener>> LISTENERS =
      PrivateField.of(Trainer.class, "listeners", List.class);
  private static final PrivateField<ParameterStore> PARAMETER_STORE =
      PrivateField.of(Trainer.class, "parameterStore", ParameterStore.class);
  private static final PrivateField<Boolean> GRADIENTS_CHECKED =
      PrivateField.of(Trainer.class, "gradientsChecked", boolean.class);
  private static final PrivateField<ParameterServer> PARAMETER_SERVER =
      PrivateField.of(ParameterStore.class, "parameterServer", ParameterServer.class);
  private static final PrivateField<Optimizer> OPTIMIZER =
      PrivateField.of(LocalParameterServer.class, "optimizer", Optimizer.class);
  private static final PrivateField<Sampler> SAMPLER =
      PrivateField.of(RandomAccessDataset.class, "sampler", Sampler.class);

  static final PrivateField<NDArray> PARAMETER_ARRAY =
      PrivateField.of(Parameter.class, "array", NDArray.class);
  static final PrivateField<Map<String, Integer>> UPDATE_COUNTS =
      PrivateField.of(Optimizer.class, "updateCounts", Map.class);
  static final PrivateField<Integer> NUM_UPDATE =
      PrivateField.of(Optimizer.class, "numUpdate", int.class);
  static final PrivateField<Long> BATCH_PROGRESS =
      PrivateField.of(Batch.class, "progress", long.class);
  static final PrivateField<Map<String, Long>> TOTAL_INSTANCES =
      PrivateField.of(Evaluator.class, "totalInstances", Map.class);
  static final PrivateField<Map<String, Float>> TOTAL_LOSS =
      PrivateField.of(Loss.class, "totalLoss", Map.class);

  static final PrivateField<Integer> EPOCHS_COUNTED =
      PrivateField.of(EpochTrainingListener.class, "numEpochs", int.class);
  static final PrivateField<Integer> EPOCHS_LOGGED =
      PrivateField.of(LoggingTrainingListener.class, "numEpochs", int.class);
  static final PrivateField<Integer> EPOCHS_SAVED =
      PrivateField.of(SaveModelTrainingListener.class, "epoch", int.class);
  static final PrivateField<Integer> BATCHES_SINCE_PROGRESS =
      PrivateField.of(EvaluatorTrainingListener.class, "progressCounter", int.class);
  static final PrivateField<Long> STARTED_MILLIS =
      PrivateField.of(EarlyStoppingListener.class, "startTimeMills", long.class);
  static final PrivateField<Double> PREVIOUS_METRIC =
      PrivateField.of(EarlyStoppingListener.class, "prevMetricValue", double.class);
  static final PrivateField<Integer> EPOCHS_WITHOUT_IMPROVEMENT =
      PrivateField.of(EarlyStoppingListener.class, "numberOfEpochsWithoutImprovements", int.class);
  static final PrivateField<String> MONITORED_METRIC =
      PrivateField.of(EarlyStoppingListener.class, "monitoredMetric", String.class);

  /** What else {@link EarlyStoppingListener} was built with. */
  static final List<PrivateField<?>> LIMITS =
      List.of(
          PrivateField.of(EarlyStoppingListener.class, "earlyStopPctImprovement", double.class),
          PrivateField.of(EarlyStoppingListener.class, "epochPatience", int.class),
          PrivateField.of(EarlyStoppingListener.class, "maxMillis", long.class),
          PrivateField.of(EarlyStoppingListener.class, "minEpochs", int.class));

  private DjlInternals() {}

  static List<TrainingListener> listeners(Trainer trainer) {
    return LISTENERS.get(trainer);
  }

  /** Tells those from now on, in place of {@link #listeners}. */
  static void listeners(Trainer trainer, List<TrainingListener> told) {
    LISTENERS.set(trainer, told);
  }

  /** The array that the trainer computes with: on another device it is not the parameter's own. */
  static NDArray array(Trainer trainer, Parameter parameter) {
    return PARAMETER_STORE.get(trainer).getValue(parameter, trainer.getDevices()[0], true);
  }

  static boolean gradientsChecked(Trainer trainer) {
    return GRADIENTS_CHECKED.get(trainer);
  }

  static void gradientsChecked(Trainer trainer, boolean checked) {
    GRADIENTS_CHECKED.set(trainer, checked);
  }

  static Sampler sampler(RandomAccessDataset dataset) {
    return SAMPLER.get(dataset);
  }

  /** The optimizer that the trainer's parameter server calls. */
  static Optimizer optimizer(Trainer trainer) {
    return OPTIMIZER.get(server(trainer));
  }

  static void optimizer(Trainer trainer, Optimizer optimizer) {
    OPTIMIZER.set(server(trainer), optimizer);
  }

  private static LocalParameterServer server(Trainer trainer) {
    ParameterServer server = PARAMETER_SERVER.get(PARAMETER_STORE.get(trainer));
    if (server instanceof LocalParameterServer local) {
      return local;
    }
    throw new UnsupportedOperationException(
        "The engine "
            + trainer.getManager().getEngine().getEngineName()
            + " updates parameters through "
            + server.getClass().getName()
            + ", which ckpt-djl does not know. Train on PyTorch ("
            + PrivateField.TESTED
            + ").");
  }
}
