package dev.ckpt.dl4j;

import dev.ckpt.CheckpointException;
import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;

/**
 * Slots of the updaters, one tensor for each parameter and slot: {@code M/0_W}; and the learning
 * rates that the program has set while it trained.
 */
final class UpdaterState implements Checkpointable {
  static final String PART = "updater";
  private static final String CLASSES = "classes";

  private final Supplier<Trainee> trainee;
  private final LearningRates rates;

  UpdaterState(Supplier<Trainee> trainee) {
    this.trainee = trainee;
    this.rates = new LearningRates(trainee);
  }

  /** Looks at what the program has configured, before anything is restored. */
  void observe() {
    rates.observe();
  }

  @Override
  public void capture(StateSink sink) {
    List<String> reversed = new ArrayList<>();
    trainee
        .get()
        .slots()
        .forEach(
            (name, region) -> {
              sink.tensor(region.spec(), region, Stability.STABLE_UNTIL_UPDATE);
              if (region.reversed()) {
                reversed.add(name);
              }
            });
    sink.value(ModelState.REVERSED, reversed);
    sink.value(CLASSES, byClass(trainee.get().updaters()));
    rates.capture(sink);
  }

  /** Short: most networks have one class for all parameters. */
  private static Map<String, List<String>> byClass(Map<String, String> byParameter) {
    Map<String, List<String>> byClass = new LinkedHashMap<>();
    byParameter.forEach(
        (parameter, type) ->
            byClass.computeIfAbsent(type, any -> new ArrayList<>()).add(parameter));
    return byClass;
  }

  @Override
  public void check(StateView view) {
    Map<?, ?> before = view.value(CLASSES, Map.class);
    Map<String, List<String>> now = byClass(trainee.get().updaters());
    if (!before.equals(now)) {
      throw new CheckpointException.Incompatible(
          "The checkpoint's updaters are "
              + names(before.keySet())
              + ", the program's are "
              + names(now.keySet())
              + (before.keySet().equals(now.keySet()) ? ", on other parameters" : "")
              + ": slots of one class mean something else to another. Use the same classes of"
              + " updaters, or start a new run from the weights alone (initFrom).");
    }
    Structure.require(
        view,
        ModelState.specs(trainee.get().slots()),
        "Use the updaters that the checkpoint was saved with, or start a new run.");
  }

  private static String names(Set<?> classes) {
    return new TreeSet<>(classes).toString();
  }

  @Override
  public void restore(StateView view) {
    rates.restore(view);
    trainee.get().slots().forEach((name, region) -> region.fill(view, name));
  }
}
