package dev.ckpt.djl;

import ai.djl.training.Trainer;
import ai.djl.training.listener.EarlyStoppingListener.EarlyStoppedException;
import ai.djl.training.listener.TrainingListener;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Which listeners end a training early: DJL's own, or one of the user's. */
final class EarlyStop {
  private EarlyStop() {}

  /** Classes of the listeners that threw, themselves or what they called; empty if none did. */
  static List<String> by(EarlyStoppedException thrown, Trainer trainer) {
    Set<String> frames =
        Arrays.stream(thrown.getStackTrace())
            .map(StackTraceElement::getClassName)
            .collect(Collectors.toSet());
    return names(trainer, type -> isIn(frames, type));
  }

  /** Whether it was thrown at the end of an epoch, all of whose batches are done. */
  static boolean isInOnEpoch(EarlyStoppedException thrown) {
    return Arrays.stream(thrown.getStackTrace())
        .anyMatch(frame -> frame.getMethodName().equals("onEpoch"));
  }

  /** Whether listeners of all these classes are attached. */
  static boolean areThere(List<String> classes, Trainer trainer) {
    return names(trainer, type -> true).containsAll(classes);
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
