package dev.ckpt.cli;

import dev.ckpt.Attempt;
import dev.ckpt.Checkpoint;
import dev.ckpt.Checkpoints;
import dev.ckpt.DType;
import dev.ckpt.Progress;
import dev.ckpt.Shape;
import dev.ckpt.StateView;
import dev.ckpt.TensorSpec;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.LongConsumer;

/**
 * All that differs between two checkpoints. Tensors, opaque bytes, values and progress are the
 * state; metrics and configuration are told beside it.
 *
 * @param tensors every tensor, opaque bytes included, of either
 * @param values small values that differ
 * @param progress where the two trainings stood, as far as it differs
 * @param metrics that differ
 * @param config what differs between the configurations of the two processes; origins do not count
 */
record Differences(
    List<Tensor> tensors,
    List<Pair> values,
    List<Pair> progress,
    List<Pair> metrics,
    List<Pair> config) {

  /** Something that is not alike, as JSON values; empty where it is missing. */
  record Pair(String name, Optional<Object> a, Optional<Object> b) {}

  /**
   * A tensor.
   *
   * @param what its type and shape where it is, the first's if they differ
   * @param problem why it cannot be compared; empty if it was
   */
  record Tensor(String name, String what, String problem, Optional<TensorDiff> diff) {
    boolean same() {
      return diff.map(TensorDiff::equal).orElse(false);
    }
  }

  /** Whether the state is the same, bit for bit. */
  boolean same() {
    return tensors.stream().allMatch(Tensor::same) && values.isEmpty() && progress.isEmpty();
  }

  /** Compares two open checkpoints and the attempts that made them. */
  static Differences between(
      Checkpoints.Opened a,
      Checkpoints.Opened b,
      Optional<Attempt> attemptA,
      Optional<Attempt> attemptB,
      LongConsumer onBytes) {
    List<Tensor> tensors = new ArrayList<>();
    List<Pair> values = new ArrayList<>();
    for (String part : union(a.parts(), b.parts())) {
      boolean inBoth = a.parts().contains(part) && b.parts().contains(part);
      if (inBoth) {
        parts(part, a.view(part), b.view(part), tensors, values, onBytes);
      } else if (a.parts().contains(part)) {
        onlyOne(part, a.view(part), true, tensors, values);
      } else {
        onlyOne(part, b.view(part), false, tensors, values);
      }
    }
    return new Differences(
        List.copyOf(tensors),
        List.copyOf(values),
        pairs(progress(a.checkpoint()), progress(b.checkpoint())),
        pairs(a.checkpoint().metrics(), b.checkpoint().metrics()),
        pairs(config(attemptA), config(attemptB)));
  }

  /** How many bytes of both are read to compare them. */
  static long bytes(Checkpoints.Opened a, Checkpoints.Opened b) {
    return a.checkpoint().bytes() + b.checkpoint().bytes();
  }

  private static void parts(
      String part,
      StateView a,
      StateView b,
      List<Tensor> tensors,
      List<Pair> values,
      LongConsumer onBytes) {
    for (String name : union(names(a), names(b))) {
      tensors.add(tensor(part, name, a, b, onBytes));
    }
    for (String name : new TreeSet<>(union(a.values(), b.values()))) {
      Optional<Object> left = value(a, name);
      Optional<Object> right = value(b, name);
      if (!left.equals(right)) {
        values.add(new Pair(part + "/" + name, left, right));
      }
    }
  }

  private static Tensor tensor(
      String part, String name, StateView a, StateView b, LongConsumer onBytes) {
    String full = part + "/" + name;
    if (!names(a).contains(name) || !names(b).contains(name)) {
      boolean first = names(a).contains(name);
      return missing(full, what(first ? a : b, name), first);
    }
    TensorSpec left = a.spec(name);
    TensorSpec right = b.spec(name);
    boolean alike = left.equals(right) && a.opaque().contains(name) == b.opaque().contains(name);
    if (!alike) {
      return new Tensor(
          full,
          what(a, name),
          what(a, name) + " in A, " + what(b, name) + " in B",
          Optional.empty());
    }
    TensorDiff diff = TensorDiff.between(a, b, name, left, onBytes);
    return new Tensor(full, what(a, name), "", Optional.of(diff));
  }

  private static void onlyOne(
      String part, StateView view, boolean first, List<Tensor> tensors, List<Pair> values) {
    for (String name : names(view)) {
      tensors.add(missing(part + "/" + name, what(view, name), first));
    }
    for (String name : new TreeSet<>(view.values())) {
      Optional<Object> value = value(view, name);
      Optional<Object> none = Optional.empty();
      values.add(new Pair(part + "/" + name, first ? value : none, first ? none : value));
    }
  }

  private static Tensor missing(String name, String what, boolean onlyInFirst) {
    return new Tensor(name, what, onlyInFirst ? "only in A" : "only in B", Optional.empty());
  }

  private static String what(StateView view, String name) {
    TensorSpec spec = view.spec(name);
    boolean opaque = view.opaque().contains(name) && spec.type() == DType.UINT8;
    Shape shape = spec.shape();
    return opaque
        ? "opaque, " + Text.count(shape.elements(), "byte")
        : spec.type().id() + " " + shape + placement(spec);
  }

  private static String placement(TensorSpec spec) {
    String placement = ShowCommand.placement(spec);
    return placement.isEmpty() ? "" : ", " + placement;
  }

  private static Set<String> names(StateView view) {
    return union(view.names(), view.opaque());
  }

  private static Optional<Object> value(StateView view, String name) {
    return view.values().contains(name)
        ? Optional.of(view.value(name, Object.class))
        : Optional.empty();
  }

  private static Map<String, Object> progress(Checkpoint checkpoint) {
    Progress at = checkpoint.progress();
    Map<String, Object> all = new TreeMap<>();
    all.put("step", at.step());
    all.put("epoch", at.epoch());
    all.put("batch", at.batch());
    all.put("samples", at.samples());
    all.put("phase", Text.name(at.phase()));
    return all;
  }

  private static Map<String, String> config(Optional<Attempt> attempt) {
    Map<String, String> all = new TreeMap<>();
    Origin.config(attempt).forEach((key, origin) -> all.put(key, origin.value()));
    return all;
  }

  private static List<Pair> pairs(Map<String, ?> a, Map<String, ?> b) {
    Function<Map<String, ?>, Function<String, Optional<Object>>> of =
        map -> key -> Optional.ofNullable(map.get(key));
    return new TreeSet<>(union(a.keySet(), b.keySet()))
        .stream()
            .map(key -> new Pair(key, of.apply(a).apply(key), of.apply(b).apply(key)))
            .filter(pair -> !Objects.equals(pair.a(), pair.b()))
            .toList();
  }

  private static Set<String> union(Iterable<String> a, Iterable<String> b) {
    Set<String> all = new LinkedHashSet<>();
    a.forEach(all::add);
    b.forEach(all::add);
    return all;
  }
}
