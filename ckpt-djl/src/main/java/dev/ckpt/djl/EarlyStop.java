package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.TrainingResult;
import ai.djl.training.listener.EarlyStoppingListener;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Which listeners end a training early: DJL's own, or one of the user's. */
final class EarlyStop {
  static final List<String> BY_DJL = List.of(EarlyStoppingListener.class.getName());

  private static final String METRIC = "monitoredMetric";

  private EarlyStop() {}

  /** Classes of the listeners that threw, themselves or what they called; empty if none did. */
  static List<String> by(EarlyStoppedException thrown, Trainer trainer) {
    Set<String> frames =
        calls(thrown).stream().map(StackTraceElement::getClassName).collect(Collectors.toSet());
    return names(trainer, type -> isIn(frames, type));
  }

  /** Whether it was thrown in a call of a listener of that name. */
  static boolean isIn(String call, EarlyStoppedException thrown) {
    return calls(thrown).stream().anyMatch(frame -> frame.getMethodName().equals(call));
  }

  /** What was called when the listeners were: not who trains, which may be a listener, too. */
  private static List<StackTraceElement> calls(EarlyStoppedException thrown) {
    return Arrays.stream(thrown.getStackTrace())
        .takeWhile(
            frame ->
                !frame.getClassName().equals(Trainer.class.getName())
                    || !frame.getMethodName().equals("notifyListeners"))
        .toList();
  }

  /** Whether listeners of all these classes are attached. */
  static boolean areThere(List<String> classes, Trainer trainer) {
    return names(trainer, type -> true).containsAll(classes);
  }

  /** What each of DJL's own listeners was built with, by DJL's names. */
  static List<Map<String, String>> limits(Trainer trainer) {
    List<Map<String, String>> all = new ArrayList<>();
    for (EarlyStoppingListener listener : djls(trainer)) {
      Map<String, String> limits = new TreeMap<>();
      limits.put(METRIC, DjlInternals.MONITORED_METRIC.get(listener));
      DjlInternals.LIMITS.forEach(each -> limits.put(each.name(), "" + each.get(listener)));
      all.add(limits);
    }
    return all;
  }

  /**
   * What of today's limits lets a training go on that was stopped with others; empty if nothing
   * does. Less patience would have stopped it as well.
   */
  static List<String> loosened(List<Map<String, String>> before, Trainer trainer) {
    List<Map<String, String>> now = limits(trainer);
    List<String> found = new ArrayList<>();
    for (int i = 0; i < before.size(); i++) {
      if (i >= now.size()) {
        found.add("one listener less");
        continue;
      }
      Map<String, String> then = before.get(i);
      now.get(i)
          .forEach(
              (name, value) -> {
                String old = then.get(name);
                if (old != null && isLooser(name, old, value)) {
                  found.add(name + " was " + old + " and is " + value);
                }
              });
    }
    return found;
  }

  private static boolean isLooser(String limit, String before, String now) {
    if (limit.equals(METRIC)) {
      return !now.equals(before);
    }
    int more = Double.compare(Double.parseDouble(now), Double.parseDouble(before));
    return limit.equals("earlyStopPctImprovement") ? more < 0 : more > 0;
  }

  /**
   * Does what DJL's own listener leaves out when it throws: the next epoch is compared with this
   * one, should the training ever go on.
   */
  static void rememberMetric(Trainer trainer) {
    TrainingResult result = trainer.getTrainingResult();
    for (EarlyStoppingListener listener : djls(trainer)) {
      String name = DjlInternals.MONITORED_METRIC.get(listener);
      @Nullable Float value =
          switch (name) {
            case "validateLoss" -> result.getValidateLoss();
            case "trainLoss" -> result.getTrainLoss();
            default -> result.getEvaluations().get(name);
          };
      if (value != null && Float.isFinite(value)) {
        DjlInternals.PREVIOUS_METRIC.set(listener, value.doubleValue());
      }
    }
  }

  /**
   * The same listeners; if one of them ends the training, those behind it are told all the same,
   * and the end comes then.
   */
  static List<TrainingListener> allTold(List<TrainingListener> listeners) {
    return new AbstractList<>() {
      @Override
      public TrainingListener get(int index) {
        return listeners.get(index);
      }

      @Override
      public int size() {
        return listeners.size();
      }

      @Override
      public void forEach(Consumer<? super TrainingListener> told) {
        EarlyStoppedException stop = null;
        for (TrainingListener each : listeners) {
          try {
            told.accept(each);
          } catch (EarlyStoppedException e) {
            stop = stop == null ? e : stop;
          }
        }
        if (stop != null) {
          throw stop;
        }
      }
    };
  }

  private static List<EarlyStoppingListener> djls(Trainer trainer) {
    return DjlInternals.listeners(trainer).stream()
        .filter(EarlyStoppingListener.class::isInstance)
        .map(EarlyStoppingListener.class::cast)
        .toList();
  }

  private static List<String> names(Trainer trainer, Predicate<Class<?>> which) {
    return DjlInternals.listeners(trainer).stream()
        .<Class<?>>map(TrainingListener::getClass)
        .filter(which)
        .map(Class::getName)
        .distinct()
        .sorted()
        .toList();
  }

  private static boolean isIn(Set<String> frames, Class<?> type) {
    for (Class<?> c = type; c != null; c = c.getSuperclass()) {
      if (frames.contains(c.getName())) {
        return true;
      }
    }
    return false;
  }
}
