package dev.ckpt.djl;

import ai.djl.nn.Parameter;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Running statistics that are to stay as they are. DJL freezes what has a gradient, and statistics
 * have none: each forward of a training changes them. So they are put back behind each batch,
 * before anybody looks at them.
 */
final class HeldStatistics {
  private record Held(Parameter parameter, TensorSpec spec, ByteBuffer contents) {}

  private final List<Held> held = new ArrayList<>();
  private final Parameters parameters;

  /** Holds the present values of the parameters of these names. */
  HeldStatistics(Parameters parameters, Collection<String> names) {
    this.parameters = parameters;
    for (String name : names) {
      Parameter parameter = parameters.named(name);
      if (parameter != null) {
        TensorSpec spec = parameters.spec(name);
        ByteBuffer contents = ByteBuffer.allocateDirect(Math.toIntExact(spec.bytes()));
        bytes(parameter, spec).copy(0, contents);
        held.add(new Held(parameter, spec, contents.flip()));
      }
    }
  }

  void putBack() {
    for (Held each : held) {
      bytes(each.parameter(), each.spec())
          .fill((offset, into) -> into.put(each.contents().slice((int) offset, into.remaining())));
    }
  }

  private ArrayBytes bytes(Parameter parameter, TensorSpec spec) {
    return new ArrayBytes(parameters.array(parameter), parameters.trainer().getManager(), spec);
  }
}
