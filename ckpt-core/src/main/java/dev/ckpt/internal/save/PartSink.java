package dev.ckpt.internal.save;

import dev.ckpt.DType;
import dev.ckpt.Shape;
import dev.ckpt.Stability;
import dev.ckpt.StateSink;
import dev.ckpt.TensorSource;
import dev.ckpt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;

/**
 * What one part sees of a capture: it puts the part's name before all names, and lets none be used
 * twice. Used by the training thread only.
 */
final class PartSink implements StateSink {
  private final String part;
  private final SpecNames names;
  private final StagedState state;
  private final SmallValues values;
  private final Set<String> taken = new HashSet<>();

  PartSink(String part, SpecNames names, StagedState state, SmallValues values) {
    this.part = part;
    this.names = names;
    this.state = state;
    this.values = values;
  }

  @Override
  public void tensor(TensorSpec spec, TensorSource source, Stability stability) {
    take(spec.name());
    state.add(names.qualified(part, spec), source, stability);
  }

  @Override
  public void value(String name, Object json) {
    take(name);
    values.put(part, name, json);
  }

  @Override
  public void bytes(String name, ByteBuffer contents) {
    take(name);
    ByteBuffer copy = contents.duplicate();
    TensorSpec spec =
        names.qualified(part, TensorSpec.of(name, DType.UINT8, Shape.of(copy.remaining())));
    int start = copy.position();
    TensorSource source =
        (offset, into) -> {
          copy.limit(start + (int) offset + into.remaining()).position(start + (int) offset);
          into.put(copy);
        };
    state.add(spec, source, Stability.COPY_NOW);
    values.markBytes(spec.name());
  }

  private void take(String name) {
    if (!taken.add(name)) {
      throw new IllegalArgumentException(part + "/" + name + " is given twice in one capture");
    }
  }
}
