package dev.ckpt.internal.save;

import dev.ckpt.TensorSpec;
import java.util.HashMap;
import java.util.Map;

/**
 * Prefixes specs with their part, once: at the second save of 10,000 tensors no name is built
 * again. Used by the training thread only.
 */
final class SpecNames {
  private static final int MOST = 1 << 20;

  private final Map<String, Map<TensorSpec, TensorSpec>> parts = new HashMap<>();

  TensorSpec qualified(String part, TensorSpec spec) {
    Map<TensorSpec, TensorSpec> known = parts.computeIfAbsent(part, key -> new HashMap<>());
    TensorSpec full = known.get(spec);
    if (full == null) {
      full = new TensorSpec(part + "/" + spec.name(), spec.type(), spec.shape(), spec.placement());
      if (known.size() < MOST) {
        known.put(spec, full);
      }
    }
    return full;
  }
}
