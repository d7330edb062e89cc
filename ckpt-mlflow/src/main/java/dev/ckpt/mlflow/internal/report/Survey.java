package dev.ckpt.mlflow.internal.report;

import dev.ckpt.Checkpoint;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * What was read of a checkpoint.
 *
 * @param before the checkpoint that it was compared with; empty if it was with none
 * @param uncompared why it was compared with none, for people; empty if it was
 * @param tensors in the order of the checkpoint
 * @param otherBytes length of opaque bytes
 * @param structure digest over names, types and shapes: equal for equal models
 * @param curves the history that the checkpoint carries: values by name, from its first to its last
 */
public record Survey(
    Checkpoint checkpoint,
    Optional<String> before,
    String uncompared,
    List<Tensor> tensors,
    long otherBytes,
    String structure,
    Map<String, List<Double>> curves) {

  public Survey {
    tensors = List.copyOf(tensors);
    curves = Map.copyOf(curves);
  }

  /**
   * A tensor.
   *
   * @param norm Euclidean, NaN if an element is; empty if it holds no floats, or norms are not
   *     wanted
   * @param nonFinite how many elements are NaN or infinite
   * @param change the Euclidean norm of the difference to the checkpoint before, divided by the
   *     norm there: infinite if that was zero, NaN if an element is not finite; empty if there is
   *     nothing to compare with
   */
  public record Tensor(
      String part,
      String name,
      String type,
      List<Long> shape,
      long bytes,
      OptionalDouble norm,
      long nonFinite,
      OptionalDouble change) {

    /** Elements. */
    public long elements() {
      return shape.stream().reduce(1L, (a, b) -> a * b);
    }
  }

  /** Elements of all tensors. */
  public long elements() {
    return tensors.stream().mapToLong(Tensor::elements).sum();
  }

  /** The norm of all floats of a part together. */
  public OptionalDouble norm(String part) {
    Norm norm = new Norm();
    boolean any = false;
    for (Tensor tensor : tensors) {
      if (tensor.part().equals(part) && tensor.norm().isPresent()) {
        any = true;
        norm.add(tensor.norm().getAsDouble());
      }
    }
    return any ? OptionalDouble.of(norm.value()) : OptionalDouble.empty();
  }
}
