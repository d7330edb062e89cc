package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Running statistics that are to stay as they are. DJL freezes what has a gradient, and statistics
 * have none: each forward of a training changes them. So they are put back behind each batch,
 * before anybody looks at them. They move again when all is thawed of their layer that was frozen
 * with them. If nothing was, but what the program froze itself, any of that is enough: a scale that
 * the layer does without stays frozen for ever.
 */
final class HeldStatistics {
  private record Held(
      String name,
      Parameter parameter,
      TensorSpec spec,
      ByteBuffer contents,
      List<Parameter> frozenWith,
      List<Parameter> frozenByProgram) {
    boolean thawed() {
      return parameter.requiresGradient() // by freezeParameters(false) of its block
          || (frozenWith.isEmpty()
              ? frozenByProgram.stream().anyMatch(Parameter::requiresGradient)
              : frozenWith.stream().allMatch(Parameter::requiresGradient));
    }
  }

  private final List<Held> held = new ArrayList<>();
  private final Parameters parameters;
  private final FirstWeights firstWeights;

  /** Holds the present values of those that the run began with frozen. */
  HeldStatistics(Parameters parameters, FirstWeights firstWeights) {
    this.parameters = parameters;
    this.firstWeights = firstWeights;
    for (String name : firstWeights.held()) {
      Parameter parameter = parameters.named(name);
      if (parameter != null) {
        TensorSpec spec = parameters.spec(name);
        ByteBuffer contents = ByteBuffer.allocateDirect(Math.toIntExact(spec.bytes()));
        bytes(parameter, spec).copy(0, contents);
        held.add(
            new Held(
                name,
                parameter,
                spec,
                contents.flip(),
                firstWeights.frozenInLayerOf(name),
                firstWeights.frozenByProgramInLayerOf(name)));
      }
    }
  }

  void putBack() {
    if (held.isEmpty()) {
      return;
    }
    release();
    for (Held each : held) {
      bytes(each.parameter(), each.spec())
          .fill((offset, into) -> into.put(each.contents().slice((int) offset, into.remaining())));
    }
  }

  /** Lets those go whose layer was thawed: before it is saved, too, so that a resume knows. */
  void release() {
    List<String> thawed = held.stream().filter(Held::thawed).map(Held::name).toList();
    if (!thawed.isEmpty()) {
      held.removeIf(each -> thawed.contains(each.name()));
      firstWeights.release(thawed);
    }
  }

  private ArrayBytes bytes(Parameter parameter, TensorSpec spec) {
    return new ArrayBytes(parameters.array(parameter), parameters.trainer().getManager(), spec);
  }
}
