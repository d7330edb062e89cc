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

  /**
   * {@code train_...} and {@code validate_...} of an epoch that is over. If DJL's listener has not
   * closed it, because one before it threw, what that holds is of the epoch before.
   */
  static Map<String, Double> ofLastEpoch(Trainer trainer) {
    Map<String, Double> all = new TreeMap<>();
    if (isOpen(trainer)) {
      return ofOpenEpoch(trainer);
    }
    for (TrainingListener listener : DjlInternals.listeners(trainer)) {
      if (listener instanceof EvaluatorTrainingListener evaluators) {
        evaluators.getLatestEvaluations().forEach((name, value) -> put(all, name, value));
      }
    }
    return all;
  }

  /** Those of an epoch that DJL's listener will close in its turn. */
  static Map<String, Double> ofOpenEpoch(Trainer trainer) {
    Map<String, Double> all = ofRunningEpoch(trainer);
    put(all, trainer, EvaluatorTrainingListener.VALIDATE_EPOCH, "validate_");
    return all;
  }

  /** Whether DJL's listener is told of an epoch's end before that one. */
  static boolean isClosedBefore(Trainer trainer, TrainingListener listener) {
    for (TrainingListener each : DjlInternals.listeners(trainer)) {
      if (each == listener) {
        return false;
      }
      if (each instanceof EvaluatorTrainingListener) {
        return true;
      }
    }
    return false;
  }

  /** {@code train_...} of the batches so far. */
  static Map<String, Double> ofRunningEpoch(Trainer trainer) {
    Map<String, Double> all = new TreeMap<>();
    put(all, trainer, EvaluatorTrainingListener.TRAIN_EPOCH, "train_");
    return all;
  }

  /**
   * Lets DJL's listener close an epoch that is over, if one before it kept it from that: else the
   * next epoch would count on from there.
   *
   * @param cut whether its validation was cut short: then it has no metrics of one
   */
  static void close(Trainer trainer, boolean cut) {
    if (cut) {
      trainer
          .getEvaluators()
          .forEach(each -> each.resetAccumulator(EvaluatorTrainingListener.VALIDATE_EPOCH));
    }
    for (TrainingListener listener : DjlInternals.listeners(trainer)) {
      if (listener instanceof EvaluatorTrainingListener && isOpen(trainer)) {
        listener.onEpoch(trainer);
      }
    }
  }

  /** What DJL's listener does in its turn, if there is one. */
  static void reset(Trainer trainer) {
    if (DjlInternals.listeners(trainer).stream()
        .anyMatch(EvaluatorTrainingListener.class::isInstance)) {
      for (Evaluator each : trainer.getEvaluators()) {
        each.resetAccumulator(EvaluatorTrainingListener.TRAIN_EPOCH);
        each.resetAccumulator(EvaluatorTrainingListener.VALIDATE_EPOCH);
      }
    }
  }

  /** Whether an evaluator still counts the epoch: DJL's listener sets all to zero at its end. */
  private static boolean isOpen(Trainer trainer) {
    return trainer.getEvaluators().stream()
        .map(each -> DjlInternals.TOTAL_INSTANCES.get(each))
        .anyMatch(counts -> counts.getOrDefault(EvaluatorTrainingListener.TRAIN_EPOCH, 0L) > 0);
  }

  private static void put(
      Map<String, Double> all, Trainer trainer, String accumulator, String prefix) {
    for (Evaluator evaluator : trainer.getEvaluators()) {
      try {
        float value = evaluator.getAccumulator(accumulator);
        put(all, prefix + evaluator.getName(), value);
        if (evaluator == trainer.getLoss()) {
          put(all, prefix + "loss", value); // both names, as DJL's listener gives them
        }
      } catch (RuntimeException e) {
        log.debug("no accumulator in {}", evaluator.getName(), e);
      }
    }
  }

  private static void put(Map<String, Double> all, String name, float value) {
    if (Float.isFinite(value)) {
      all.put(name, (double) value);
    }
  }
}
