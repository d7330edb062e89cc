package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.evaluator.Evaluator;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.TrainingListener;
import java.util.Map;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a checkpoint says of the quality of its model: DJL's evaluators, by DJL's names. */
final class EpochMetrics {
  private static final Logger log = LoggerFactory.getLogger(EpochMetrics.class);

  private EpochMetrics() {}

  /** {@code train_...} and {@code validate_...} of an epoch that all listeners have closed. */
  static Map<String, Double> ofLastEpoch(Trainer trainer) {
    Map<String, Double> all = new TreeMap<>();
    for (TrainingListener listener : DjlInternals.listeners(trainer)) {
      if (listener instanceof EvaluatorTrainingListener evaluators) {
        evaluators.getLatestEvaluations().forEach((name, value) -> put(all, name, value));
      }
    }
    return all;
  }

  /** {@code train_...} of the batches so far. */
  static Map<String, Double> ofRunningEpoch(Trainer trainer) {
    Map<String, Double> all = new TreeMap<>();
    for (Evaluator evaluator : trainer.getEvaluators()) {
      try {
        float value = evaluator.getAccumulator(EvaluatorTrainingListener.TRAIN_EPOCH);
        String name = evaluator == trainer.getLoss() ? "loss" : evaluator.getName();
        put(all, "train_" + name, value);
      } catch (RuntimeException e) {
        log.debug("no accumulator in {}", evaluator.getName(), e);
      }
    }
    return all;
  }

  private static void put(Map<String, Double> all, String name, float value) {
    if (Float.isFinite(value)) {
      all.put(name, (double) value);
    }
  }
}
