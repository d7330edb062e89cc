package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import dev.ckpt.Checkpointable;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Weights, running statistics, and which parameters are frozen. What the training froze or thawed
 * on its way is restored; where the program itself freezes otherwise than it did when it was saved,
 * the program counts.
 */
final class ModelState implements Checkpointable {
  private static final Logger log = LoggerFactory.getLogger(ModelState.class);

  private final Supplier<Parameters> model;

  /** What the program itself had frozen when it began, before anything was restored. */
  private Set<String> frozenByProgram = Set.of();

  ModelState(Supplier<Parameters> model) {
    this.model = model;
  }

  /** The program has built its model; nothing is restored or trained yet. */
  void begin() {
    Set<String> frozen = new TreeSet<>();
    model
        .get()
        .byName()
        .forEach(
            (name, parameter) -> {
              if (!parameter.requiresGradient()) {
                frozen.add(name);
              }
            });
    frozenByProgram = frozen;
  }

  /** Whether the program had frozen a parameter when it began. */
  boolean frozenByProgram(String name) {
    return frozenByProgram.contains(name);
  }

  @Override
  public void capture(StateSink sink) {
    Parameters parameters = model.get();
    List<String> frozen = new ArrayList<>();
    for (Map.Entry<String, Parameter> entry : parameters.byName().entrySet()) {
      Parameter parameter = entry.getValue();
      TensorSpec spec = parameters.spec(entry.getKey());
      sink.tensor(
          spec,
          new ArrayBytes(parameters.array(parameter), parameters.trainer().getManager(), spec),
          Parameters.changesOnlyInUpdates(parameter)
              ? Stability.STABLE_UNTIL_UPDATE
              : Stability.COPY_NOW);
      if (!parameter.requiresGradient()) {
        frozen.add(entry.getKey());
      }
    }
    sink.value("frozen", frozen);
    sink.value("frozenByProgram", List.copyOf(frozenByProgram));
    sink.value("gradientsChecked", DjlInternals.gradientsChecked(parameters.trainer()));
  }

  @Override
  public void check(StateView view) {
    Structure.require(view, model.get().specs(), "Restore the old structure, or start a new run.");
  }

  /** Takes over weights and running statistics alone. */
  void fill(StateView view) {
    Parameters parameters = model.get();
    parameters
        .byName()
        .forEach(
            (name, parameter) ->
                new ArrayBytes(
                        parameters.array(parameter),
                        parameters.trainer().getManager(),
                        parameters.spec(name))
                    .fill(view, name));
  }

  @Override
  public void restore(StateView view) {
    fill(view);
    Parameters parameters = model.get();
    Set<?> frozen = new HashSet<>(view.value("frozen", List.class));
    Set<?> frozenThen = new HashSet<>(view.value("frozenByProgram", List.class));
    List<String> changed = new ArrayList<>();
    for (Map.Entry<String, Parameter> entry : parameters.byName().entrySet()) {
      Parameter parameter = entry.getValue();
      if (frozenByProgram.contains(entry.getKey()) != frozenThen.contains(entry.getKey())) {
        changed.add(entry.getKey());
        continue;
      }
      boolean freeze = frozen.contains(entry.getKey());
      if (parameter.requiresGradient() == freeze) {
        parameter.freeze(freeze);
      }
    }
    if (!changed.isEmpty()) {
      log.info(
          "The program freezes other parameters than when the checkpoint was saved; it counts: {}",
          changed);
    }
    DjlInternals.gradientsChecked(
        parameters.trainer(), view.value("gradientsChecked", Boolean.class));
  }
}
