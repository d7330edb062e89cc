package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EpochTrainingListener;
import ai.djl.training.listener.EvaluatorTrainingListener;
import ai.djl.training.listener.LoggingTrainingListener;
import ai.djl.training.listener.SaveModelTrainingListener;
import ai.djl.training.listener.TrainingListener;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** The private counters of DJL's own listeners, and the evaluations of the last whole epoch. */
final class ListenerState extends SmallState {
  private final Supplier<Trainer> trainer;
  private final LongSupplier millis;

  /**
   * @param millis the wall clock, as {@link EarlyStoppingListener} reads it
   */
  ListenerState(Supplier<Trainer> trainer, LongSupplier millis) {
    this.trainer = trainer;
    this.millis = millis;
  }

  @Override
  Map<String, ?> read() {
    Map<String, Object> all = new LinkedHashMap<>();
    numbered()
        .forEach(
            (key, listener) -> {
              Map<String, String> state = read(listener);
              if (!state.isEmpty()) {
                all.put(key, state);
              }
            });
    return all;
  }

  private Map<String, String> read(TrainingListener listener) {
    Map<String, String> state = new TreeMap<>();
    if (listener instanceof EpochTrainingListener) {
      state.put("epochs", DjlInternals.EPOCHS_COUNTED.get(listener).toString());
    } else if (listener instanceof LoggingTrainingListener) {
      state.put("epochs", DjlInternals.EPOCHS_LOGGED.get(listener).toString());
    } else if (listener instanceof SaveModelTrainingListener) {
      state.put("epochs", DjlInternals.EPOCHS_SAVED.get(listener).toString());
    } else if (listener instanceof EvaluatorTrainingListener evaluators) {
      state.put("progress", DjlInternals.BATCHES_SINCE_PROGRESS.get(listener).toString());
      evaluators.getLatestEvaluations().forEach((k, v) -> state.put("latest/" + k, v.toString()));
    } else if (listener instanceof EarlyStoppingListener) {
      long elapsed = millis.getAsLong() - DjlInternals.STARTED_MILLIS.get(listener);
      state.put("elapsed", Long.toString(elapsed));
      state.put("previous", DjlInternals.PREVIOUS_METRIC.get(listener).toString());
      state.put("patience", DjlInternals.EPOCHS_WITHOUT_IMPROVEMENT.get(listener).toString());
    }
    return state;
  }

  @Override
  void write(Map<String, ?> all) {
    numbered()
        .forEach(
            (key, listener) -> {
              if (all.get(key) instanceof Map<?, ?> saved) {
                Map<String, String> state = new HashMap<>();
                saved.forEach((k, v) -> state.put((String) k, (String) v));
                write(listener, state);
              }
            });
  }

  private void write(TrainingListener listener, Map<String, String> state) {
    if (listener instanceof EpochTrainingListener) {
      DjlInternals.EPOCHS_COUNTED.set(listener, integer(state, "epochs"));
    } else if (listener instanceof LoggingTrainingListener) {
      DjlInternals.EPOCHS_LOGGED.set(listener, integer(state, "epochs"));
    } else if (listener instanceof SaveModelTrainingListener) {
      DjlInternals.EPOCHS_SAVED.set(listener, integer(state, "epochs"));
    } else if (listener instanceof EvaluatorTrainingListener evaluators) {
      DjlInternals.BATCHES_SINCE_PROGRESS.set(listener, integer(state, "progress"));
      evaluators.getLatestEvaluations().clear();
      state.forEach(
          (key, value) -> {
            if (key.startsWith("latest/")) {
              evaluators
                  .getLatestEvaluations()
                  .put(key.substring("latest/".length()), Float.valueOf(value));
            }
          });
    } else if (listener instanceof EarlyStoppingListener) {
      long elapsed = Long.parseLong(text(state, "elapsed"));
      DjlInternals.STARTED_MILLIS.set(listener, millis.getAsLong() - elapsed);
      DjlInternals.PREVIOUS_METRIC.set(listener, Double.valueOf(text(state, "previous")));
      DjlInternals.EPOCHS_WITHOUT_IMPROVEMENT.set(listener, integer(state, "patience"));
    }
  }

  private static int integer(Map<String, String> state, String name) {
    return Integer.parseInt(text(state, name));
  }

  private static String text(Map<String, String> state, String name) {
    String value = state.get(name);
    if (value == null) {
      throw new IllegalArgumentException("the checkpoint holds no " + name + " in " + state);
    }
    return value;
  }

  /** Listeners under their class and their place among those of the same class. */
  private Map<String, TrainingListener> numbered() {
    Map<String, TrainingListener> all = new LinkedHashMap<>();
    for (TrainingListener listener : DjlInternals.listeners(trainer.get())) {
      int place = 0;
      while (all.putIfAbsent(listener.getClass().getName() + "#" + place, listener) != null) {
        place++;
      }
    }
    return all;
  }
}
