package dev.ckpt;

/**
 * What is known of a tensor besides its contents.
 *
 * @param name unique within its part; any characters, stable across processes
 * @param type element type
 * @param shape dimensions in C order
 * @param placement where it lives when several workers train together
 */
public record TensorSpec(String name, DType type, Shape shape, Placement placement) {

  public TensorSpec {
    if (name.isEmpty()) {
      throw new IllegalArgumentException("a tensor needs a name");
    }
    if (Long.MAX_VALUE / type.bytes() < shape.elements()) {
      throw new IllegalArgumentException(name + ": " + shape + " of " + type.id() + " overflows");
    }
  }

  /** A tensor of this worker's own. */
  public static TensorSpec of(String name, DType type, Shape shape) {
    return new TensorSpec(name, type, shape, Placement.PER_WORKER);
  }

  /** Size of the contents in bytes. */
  public long bytes() {
    return shape.elements() * type.bytes();
  }
}
